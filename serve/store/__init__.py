"""The model files at hand, and which one answers.

In: verified bytes and recorded metadata. Out: `Store` with immutable files and one pointer an alias, and `LiveModel`,
which follows the pointer.
"""
