"""A challenger that scores what the production model answered.

In: decisions that were answered. Out: lines with the challenger's scores, and counts for the metrics. It never delays
or changes an answer.
"""
