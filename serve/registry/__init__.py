"""Copies the promoted version from MLflow's registry into the store.

In: an alias of the registry, over HTTP. Out: the version's file in the store, the pointer to it, and a status for the
metrics. `python -m serve.registry` follows an alias without serving.
"""
