"""Compares logged decisions with the data that the models were trained on.

In: a window of the prediction log. Out: drift, volume, approvals by group, outcomes, the challenger's disagreement, a
verdict.
"""
