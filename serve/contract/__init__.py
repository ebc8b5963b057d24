"""Definition, validation and encoding of an application.

In: a contract document, and applications as records, columns or CSV. Out: `Contract`, float64 rows `[N, F]`, and
the text of every fault. Training, batch scoring and the server all encode through this package.
"""
