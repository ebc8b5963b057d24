"""The whole flow, step by step, and its demonstration.

In: a data set's name. Out: reports, a promoted version, a served and answered request.
"""
