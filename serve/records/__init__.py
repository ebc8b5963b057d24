"""What was decided, on record.

In: decisions and refusals of one worker. Out: the prediction log, append-only files of JSON lines, and the keyed hash
of an applicant's key.
"""
