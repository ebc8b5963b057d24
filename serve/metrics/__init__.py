"""What the service reports about itself.

In: events of requests, models and logs. Out: counters shared by the workers, Prometheus text, and JSON log lines.
An applicant's value never gets here.
"""
