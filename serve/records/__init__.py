"""Records of decisions and refusals.

In: the decisions and refusals of one worker. Out: the prediction log, append-only files of JSON lines, in which an
applicant's key is only a keyed hash.
"""
