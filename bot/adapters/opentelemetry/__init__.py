"""Traces to OpenTelemetry: a bounded queue, the conversion of spans, and the OTLP exporter.

Imported only when an endpoint is set; needs the extra `slipway[otel]`.
"""
