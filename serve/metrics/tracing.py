"""A span of each answered request, for an OpenTelemetry collector: no values of applicants, and none without settings.

OpenTelemetry's own variables are the settings (OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_SAMPLER, OTEL_BSP_…). The
SDK sends spans from a thread of its own, and drops them while too many wait. Its packages are in locks/otel.txt.
"""

import logging
import threading
import time
from collections.abc import Mapping

from serve.metrics.correlation import Correlation

ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
EXPORTER = "OTEL_TRACES_EXPORTER"
CLOSE_SECONDS = 2.0  # to send the last spans: a collector that does not answer holds up no stop
log = logging.getLogger(__name__)


class Tracer:
    """Makes spans. Raises ImportError without OpenTelemetry's packages."""

    def __init__(self) -> None:
        from opentelemetry.context import Context
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import OTELResourceDetector, Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace import SpanKind, StatusCode
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        resource = Resource.create({"service.name": "loan-approval"}).merge(OTELResourceDetector().detect())
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._start = self._provider.get_tracer(__name__).start_span
        self._extract = TraceContextTextMapPropagator().extract
        self._nothing, self._kind, self._error = Context(), SpanKind.SERVER, StatusCode.ERROR

    def record(
        self, route: str, method: str, status: int, seconds: float, decision_id: str, version: str, sent: Correlation
    ) -> None:
        """Make the span of a request that is answered now."""
        end = time.time_ns()
        carrier = {"traceparent": sent.traceparent, "tracestate": sent.tracestate}
        parent = self._extract(carrier, self._nothing) if sent.traceparent else self._nothing
        attributes: dict[str, str | int] = {"http.request.method": method, "http.route": route}
        attributes |= {"http.response.status_code": status}
        attributes |= {"loan.decision_id": decision_id} if decision_id else {}
        attributes |= {"loan.model_version": version} if version else {}
        start = end - int(seconds * 1e9)
        span = self._start(f"{method} {route}", parent, self._kind, attributes, start_time=start)
        if status >= 500:
            span.set_status(self._error)
        span.end(end)

    def close(self) -> None:
        """Send what waits, for CLOSE_SECONDS at most."""
        closing = threading.Thread(target=self._provider.shutdown, daemon=True)
        closing.start()
        closing.join(CLOSE_SECONDS)


def make_tracer(environment: Mapping[str, str]) -> Tracer | None:
    """Return a tracer if the variables ask for one and its packages are there; else None, with a line in the log."""
    exporter = environment.get(EXPORTER, "")
    is_wanted = exporter or any(map(environment.get, ENDPOINTS))
    if not is_wanted or exporter == "none" or environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    if exporter not in ("", "otlp"):
        log.warning("no spans are sent: %s: expected otlp or none", EXPORTER)
        return None
    try:
        tracer = Tracer()
    except ImportError as err:
        log.warning("no spans are sent: %s is not installed, expected the packages of locks/otel.txt", err.name)
        return None
    except ValueError as err:  # of one of its variables; decisions do not depend on it
        log.error("no spans are sent: a variable of OpenTelemetry: %s", err)
        return None
    log.info("spans are sent to OpenTelemetry's collector")
    return tracer
