"""Whether a registered model file may be promoted.

In: the file of a version, the rows it never saw, the production model. Out: proofs, gates, and a verdict on the
version.
"""
