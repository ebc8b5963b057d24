"""Batch scoring: files of applications to files of decisions, in bounded memory.

In: CSV or Parquet, on a disk or on S3, and one model file. Out: Parquet parts, each whole or absent, and a summary.
"""
