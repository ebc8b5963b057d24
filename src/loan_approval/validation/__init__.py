"""Judges whether a registered version may be promoted.

In: its model file, the rows it never saw, the production model. Out: proofs, gates, and a verdict on the version.
"""
