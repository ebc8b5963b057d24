"""The frame of every page that the training side writes: one look, and a policy that admits the page's own parts alone.

In: a template of a package and its values. Out: HTML that opens offline.
"""
