"""A collector that takes traces over OTLP (HTTP) and decodes them, with the faults that collectors have."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


class Collector:
    """status: what it answers; a None hangs. batches: what it took; asked: how often it was asked for anything."""

    def __init__(self) -> None:
        self.url = ""
        self.status: int | None = 200
        self.asked = 0
        self.headers: list[Mapping[str, str]] = []
        self.batches: list[ExportTraceServiceRequest] = []

    @property
    def spans(self) -> list[Any]:
        return [
            span
            for batch in self.batches
            for resource in batch.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    async def take(self, request: web.Request) -> web.Response:
        self.asked += 1
        assert request.content_type == "application/x-protobuf"
        body = await request.read()
        if request.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        batch = ExportTraceServiceRequest.FromString(body)
        while self.status is None:
            await asyncio.sleep(0.05)
        if self.status == 200:
            self.headers.append(dict(request.headers))
            self.batches.append(batch)
        answer = ExportTraceServiceResponse().SerializeToString()
        return web.Response(status=self.status, body=answer, content_type="application/x-protobuf")


def plain(values: Any) -> dict[str, Any]:
    """Attributes as Python has them."""
    return {each.key: _plain(each.value) for each in values}


def _plain(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_plain(each) for each in value.array_value.values]
    return getattr(value, kind)


@asynccontextmanager
async def collector(port: int = 0) -> AsyncIterator[Collector]:
    """A collector on a port of this machine."""
    made, app = Collector(), web.Application()
    app.router.add_post("/v1/traces", made.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1, auto_decompress=False)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", port)
        await site.start()
        assert site._server is not None
        made.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]
        yield made
    finally:
        made.status = made.status or 503
        await runner.cleanup()
