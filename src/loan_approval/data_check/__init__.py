"""Whether new data may replace what the production model was trained on.

In: a new CSV and the reference rows. Out: findings with a level, and a verdict.
"""
