"""Data sets: drafted, made, versioned, checked row by row, explored.

In: a CSV and its contract. Out: `Dataset` with encoded rows and their splits, the CSV that DVC's files record, tables
and hints about the columns.
"""
