"""The interfaces of the service, one module each, on Flask; and the fast lane past Flask.

In: requests. Out: responses, each decision recorded and counted. `service.Service` is what a worker serves.
"""
