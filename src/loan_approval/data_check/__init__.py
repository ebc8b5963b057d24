"""Checks whether new data may replace the training data of the production model.

In: a new CSV and the reference rows. Out: findings with a level, and a verdict.
"""
