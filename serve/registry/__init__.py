"""How a promoted version gets into the store.

In: an alias of MLflow's registry, over HTTP. Out: the version's file in the store, the pointer on it, and a status for
the metrics. `python -m serve.registry` follows an alias without serving.
"""
