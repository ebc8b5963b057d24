"""From bytes to requests and back: connections, deadlines, limits, processes.

In: sockets, and a `service.Service` that answers. Out: HTTP/1.1 responses, in order and in time. It knows no route.
"""
