"""Traces and metrics by opentelemetry-sdk. Labels and span names hold kinds of subjects, never ids."""

import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager

from opentelemetry import metrics, propagate, trace
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricReader, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from prometheus_client import CollectorRegistry, generate_latest

from roomscribe_common.registry import template

SCOPE = "roomscribe"


def label(subject: str) -> str:
    """What stands for a subject in labels, span names and log lines: its kind, with placeholders for ids."""
    return template(subject)


class Telemetry:
    """The providers of one process. Without an OTLP endpoint spans are not recorded, but ids still travel."""

    def __init__(self, service: str, instance: str) -> None:
        resource = Resource.create({"service.name": service, "service.instance.id": instance})
        self.registry = CollectorRegistry()
        readers: list[MetricReader] = [PrometheusMetricReader(registry=self.registry, scope_info_enabled=False)]
        if _exports("METRICS"):
            # Imported here: the exporters bring protobuf and requests, which few processes need.
            from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

            readers.append(PeriodicExportingMetricReader(OTLPMetricExporter()))
        self.meters = MeterProvider(readers, resource)
        if _exports("TRACES"):
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            self.tracers = TracerProvider(resource=resource)
            self.tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        else:
            self.tracers = TracerProvider(sampler=ALWAYS_OFF, resource=resource)
        self.tracer = self.tracers.get_tracer(SCOPE)
        self.meter = self.meters.get_meter(SCOPE)

    def install(self) -> None:
        """Makes these the process's own, for `opentelemetry.trace.get_tracer` and libraries."""
        trace.set_tracer_provider(self.tracers)
        metrics.set_meter_provider(self.meters)

    def exposition(self) -> bytes:
        """All metrics in Prometheus text format."""
        return generate_latest(self.registry)

    def shutdown(self) -> None:
        """Sends what is pending, for at most a few seconds."""
        self.tracers.shutdown()
        self.meters.shutdown(timeout_millis=3000)


def _exports(signal: str) -> bool:
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if os.environ.get(f"OTEL_{signal}_EXPORTER", "otlp") == "none":
        return False
    return bool(
        os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or os.environ.get(f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT")
    )


def inject(headers: dict[str, str]) -> dict[str, str]:
    """Adds the current trace context to message headers, and returns them."""
    propagate.inject(headers)
    return headers


@contextmanager
def processing(tracer: trace.Tracer, subject: str, headers: Mapping[str, str] | None) -> Generator[Span]:
    """The span in which a message is handled; it continues the trace found in the message's headers.

    Exceptions are not recorded, for their text may quote what was said: only their type is.
    """
    name = label(subject)
    with tracer.start_as_current_span(
        f"process {name}",
        context=propagate.extract(headers or {}),
        kind=SpanKind.CONSUMER,
        attributes={"messaging.system": "nats", "messaging.destination.template": name},
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield span
        except BaseException as error:
            span.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise
