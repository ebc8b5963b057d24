"""Compares two tables of applications.

In: two tables under one contract. Out: findings with a level, in words and numbers.
"""
