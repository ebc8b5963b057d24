"""Records of decisions and refusals.

In: decisions and refusals of one worker. Out: append-only files of JSON lines, with keyed hashes of applicants' keys.
"""
