"""What Prometheus counts and measures in this process: docs/operate.md#metrics lists all of it.

Labels only take values that the code names, such as routes, states and acts, so that nobody outside can add series.
What can be read from the database or the system at any time is not counted here: see `app.web.metrics`.
"""

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, with the time of its first value

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
LOCK_SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 15.0)
PICTURE_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0)

requests = Counter("soroe_http_requests", "Answered requests.", ["method", "route", "status"])
request_seconds = Histogram(
    "soroe_http_request_duration_seconds",
    "From the last byte of a request to the first byte of its answer.",
    ["method", "route"],
    buckets=SECONDS,
)

write_wait = Histogram(
    "soroe_database_write_wait_seconds", "How long transactions waited for the write lock.", buckets=LOCK_SECONDS
)
write_hold = Histogram(
    "soroe_database_write_hold_seconds", "How long transactions held the write lock.", buckets=LOCK_SECONDS
)

units = Counter("soroe_units", "Units that left the engine, by what became of them.", ["kind", "outcome"])
picture_seconds = Histogram(
    "soroe_picture_duration_seconds", "Engine time for each finished picture.", buckets=PICTURE_SECONDS
)

decoded = Counter("soroe_decoded_files", "Uploads and pictures that were decoded, by outcome.", ["outcome"])
decode_seconds = Histogram(
    "soroe_decode_duration_seconds", "From the upload's turn to its decoded picture.", buckets=SECONDS
)

acts = Counter("soroe_acts", "Acts in the audit log since the start.", ["act"])

loop_succeeded = Gauge(
    "soroe_background_last_success_timestamp_seconds", "When a background loop last ended a round.", ["loop"]
)
loop_failed = Counter("soroe_background_failures", "Rounds of background loops that failed.", ["loop"])

removed = Counter("soroe_retention_removed", "What was removed because it had expired.", ["rule"])
