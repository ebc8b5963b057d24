"""The metrics by name, and the bounds of their buckets: all that who counts needs to know of them.

Who counts does not import what writes them for Prometheus: that takes time at the start, and only a scrape needs it.
"""

PARENT = "parent"  # the name of the process that keeps the workers running
BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)  # seconds
DIFFERENCES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0)  # of probabilities

SECONDS, REJECTED, DECISIONS = "loan_request_seconds", "loan_rejected", "loan_decisions"
SWAPS, KEY_USES, STARTS = "loan_model_swaps", "loan_key_uses", "loan_worker_starts"
PROCESS = "process"  # the number of a process by its name: not shown, but read for what it takes
LOG_RECORDS = "loan_prediction_log_records"
WORKERS, CONNECTIONS, IN_FLIGHT = "loan_workers", "loan_connections", "loan_requests_in_flight"
MODEL_WORKERS, LOADED_AT = "loan_model_workers", "loan_model_loaded_timestamp_seconds"
REGISTRY_SUCCESS, REGISTRY_FAILURES = "loan_registry_last_success_timestamp_seconds", "loan_registry_failures"
SHADOW_SCORED, SHADOW_DROPPED, SHADOW_FLIPS = "loan_shadow_scored", "loan_shadow_dropped", "loan_shadow_flips"
SHADOW_DIFFERENCE, SHADOW_UNLOGGED = "loan_shadow_difference", "loan_shadow_unlogged"
SHADOW_REGISTRY_SUCCESS = "loan_shadow_registry_last_success_timestamp_seconds"
SHADOW_REGISTRY_FAILURES = "loan_shadow_registry_failures"
SHADOW_SWAPS, SHADOW_WORKERS = "loan_shadow_swaps", "loan_shadow_workers"
