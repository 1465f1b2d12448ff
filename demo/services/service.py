"""One instance of one version of a demo service: `python -m demo.services.service --service … --port …`."""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import time
from pathlib import Path

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from demo.services.behaviour import OVERRIDES, VERSIONS, Behaviour, Overrides

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 2.5, 5.0, 10.0)


class Service:
    """Serves `GET|POST /pay?kind=…`, `/healthz` and `/metrics`, with its version's behaviour."""

    def __init__(self, service: str, version: str, environment: str, overrides: Overrides) -> None:
        self.service, self.version, self.environment = service, version, environment
        self._overrides = overrides
        self._rng = random.Random(f"{service}{version}{os.getpid()}")
        self._first_request: float | None = None
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "demo_requests", "Requests by outcome.", ["version", "outcome"], registry=self._registry
        )
        self._seconds = Histogram(
            "demo_request_duration_seconds",
            "Time to answer.",
            ["version"],
            buckets=BUCKETS,
            registry=self._registry,
        )

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_route("*", "/pay", self.pay)
        app.router.add_get("/healthz", self.healthz)
        app.router.add_get("/metrics", self.metrics)
        return app

    async def pay(self, request: web.Request) -> web.Response:
        started = time.monotonic()
        if self._first_request is None:
            self._first_request = started
        kind = request.query.get("kind", "card")
        failed, seconds = self._overrides.behaviour().outcome(kind, started - self._first_request, self._rng)
        await asyncio.sleep(seconds)
        self._requests.labels(self.version, "error" if failed else "ok").inc()
        self._seconds.labels(self.version).observe(time.monotonic() - started)
        return web.json_response(
            {"error": f"cannot pay by {kind}"} if failed else {"paid": kind},
            status=500 if failed else 200,
            headers={"X-Version": self.version},
        )

    async def healthz(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "service": self.service, "version": self.version})

    async def metrics(self, _: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("service", "version", "environment"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    args = parser.parse_args()
    base = VERSIONS.get(args.version, Behaviour())
    if base.dies_at_start:
        sys.exit(f"{args.service} {args.version}: cannot read the price list: no such table: prices")
    overrides = Overrides(
        Path(os.environ.get("SANDBOX_DEMO_DIR", ".")) / OVERRIDES,
        f"{args.service}/{args.environment}/{args.version}",
        base,
    )
    service = Service(args.service, args.version, args.environment, overrides)
    web.run_app(
        service.app(),
        host=args.host,
        port=args.port,
        print=None,
        access_log=None,
        handle_signals=True,
        shutdown_timeout=10,
    )


if __name__ == "__main__":
    main()
