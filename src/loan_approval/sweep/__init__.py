"""Sweeps: a plan of trainings, run on Dask, each once, and ranked."""
