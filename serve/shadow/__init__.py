"""A challenger that scores what the production model answered, without delaying or changing an answer.

In: decisions that were answered. Out: lines with the challenger's scores, and counts for the metrics.
"""
