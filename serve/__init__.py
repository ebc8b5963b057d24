"""The serving side: from an application to a decision, without any training library.

To read it in order:
    __main__, supervisor, worker            processes: bind, keep, drain
    http_request, http_connection, front    bytes to whole requests; answers in order, in time, within bounds
    lane                                    a plainly right prediction, past Flask
    wsgi, app, api                          everything else: Flask, and the reference for the lane
    contract, feature, scorer               what an application is, and what the model says of it
    store, live                             which model answers
Beside them, each on its own: batch, many_rows, tables, csv_cells; decision; page, card, docs, openapi*; open_inference,
tensors, invocations (standard protocols); registry, follower, registry_client, deadline_http (an alias over
HTTP); keys, keyed_requests; observation, tallies, exposition, observed_requests, log_format, trace_context; bake,
healthcheck (the image's).
"""

import os

# onnxruntime reads this when it is imported; without it, it writes telemetry files below HOME.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
