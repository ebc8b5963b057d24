"""The prediction log: read, replayed, reviewed, kept for its time, erased.

In: the files that the server writes. Out: tables of decisions, a decision made again, reviews, and fewer lines.
"""
