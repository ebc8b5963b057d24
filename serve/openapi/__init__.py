"""The OpenAPI document of the service.

In: the contract of the model that answers. Out: one JSON document, made from a file of constant parts.
"""
