"""What an application is.

In: a contract document, and applications as records, columns or CSV. Out: `Contract`, float64 rows `[N, F]`, and every
fault in words. The notebooks, the batch and the server all encode through this package.
"""
