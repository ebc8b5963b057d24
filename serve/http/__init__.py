"""HTTP/1.1 over sockets: connections, deadlines, limits, TLS and processes.

In: sockets, and a `worker.WorkerService` that answers. Out: responses, in order and in time. It knows no route.
"""
