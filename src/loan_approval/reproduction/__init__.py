"""Makes a version again from its recorded commit, data, lock and parameters.

In: a version. Out: its training data, and the differences between the rebuilt and the recorded file.
"""
