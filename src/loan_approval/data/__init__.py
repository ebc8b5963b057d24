"""Data sets: drafted from a CSV, generated, versioned, loaded with their splits, and explored.

In: a CSV and its contract. Out: `Dataset` with encoded rows and their splits, the recorded version of the CSV, tables
and hints about the columns.
"""
