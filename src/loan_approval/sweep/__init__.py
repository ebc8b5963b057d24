"""Sweeps: many runs of the training notebook, each done once, then ranked.

In: `sweep.toml`. Out: one MLflow run a recipe below a parent run, and a leaderboard.
"""
