"""Runs notebooks with checked parameters and turns them into reports.

In: a notebook and parameters. Out: the executed notebook, its HTML that opens offline, and the index of reports.
"""
