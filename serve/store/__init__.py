"""The model files on this machine, and the one that answers.

In: a verified model file with its metadata and signature, and a pointer to it. Out: `Store` and `LiveModel`.
"""
