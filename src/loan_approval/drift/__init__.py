"""Whether two tables of applications come from one population.

In: two tables under one contract. Out: findings with a level, in words and numbers.
"""
