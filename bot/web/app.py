"""HTTP server: health, metrics, admin calls with a bearer token, and the API."""

from __future__ import annotations

import hmac
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from bot import __version__
from bot.web.alerts import Deliveries, add_alerts
from bot.web.api import PREFIX
from bot.web.errors import ApiError, errors
from bot.web.health import HealthChecks, Probe
from bot.web.hooks import Receive, add_hooks
from bot.web.lazy_app import LazySubApp

_READY_FOR = ("gateway", "db", "loops")


class Exposition(Protocol):
    """A source of metrics to scrape."""

    content_type: str

    def render(self) -> bytes: ...

    def component(self, name: str, up: bool) -> None: ...


class Reload(Protocol):
    """Result of a reload of the catalog."""

    @property
    def changed(self) -> bool: ...

    @property
    def errors(self) -> tuple[object, ...]: ...

    @property
    def sentence(self) -> str: ...

    @property
    def advice(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Admin:
    """Admin calls. They are off while `token` is None."""

    token: str | None
    reload: Callable[[], Awaitable[Reload]]


def create_app(
    probes: Mapping[str, Probe],
    telemetry: Exposition,
    admin: Admin,
    api: Callable[[], web.Application] | None = None,
    *,
    hooks: Receive | None = None,
    alerts: Deliveries | None = None,
) -> web.Application:
    """The application. `probes` by part: `gateway`, `db` and `loops` decide `/readyz`; all are in `/health`.

    api: makes what is served below `/api/v1`, at its first request. hooks: takes callbacks of systems that deploy.
    alerts: takes what other programs alert of.
    """
    app = _Web(HealthChecks(probes, found=telemetry.component), telemetry, admin).app()
    if api is not None:
        app.router.register_resource(LazySubApp(PREFIX, api))
    if hooks is not None:
        add_hooks(app, hooks)
    if alerts is not None:
        add_alerts(app, alerts)
    return app


async def serve(app: web.Application, host: str, port: int) -> web.AppRunner:
    """Start serving; `await runner.cleanup()` stops it. Raises OSError when the port is in use."""
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0, handle_signals=False)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
    except OSError:
        await runner.cleanup()
        raise
    return runner


class _Web:
    def __init__(self, health: HealthChecks, telemetry: Exposition, admin: Admin) -> None:
        self._health = health
        self._telemetry = telemetry
        self._admin = admin
        self._started = time.monotonic()

    def app(self) -> web.Application:
        app = web.Application(middlewares=[errors], client_max_size=64 * 1024)
        app.router.add_get("/health", self._get_health)
        app.router.add_get("/livez", self._get_livez)
        app.router.add_get("/readyz", self._get_readyz)
        app.router.add_get("/metrics", self._get_metrics)
        app.router.add_get("/admin/db-ping", self._get_db_ping)
        app.router.add_post("/admin/reload", self._post_reload)
        app.on_cleanup.append(self._close)
        return app

    async def _close(self, app: web.Application) -> None:
        await self._health.close()

    async def _get_health(self, request: web.Request) -> web.Response:
        report = await self._health()
        details = {name: f.detail for name, f in report.findings.items() if f.detail}
        body: dict[str, object] = {
            "status": report.status,
            **{name: f.word for name, f in report.findings.items()},
            "version": __version__,
            "uptime_s": round(time.monotonic() - self._started, 1),
            **({"details": details} if details else {}),
        }
        return web.json_response(body, status=503 if report.status == "unhealthy" else 200)

    async def _get_livez(self, request: web.Request) -> web.Response:
        """The process runs and its event loop turns."""
        return web.json_response({"status": "ok"})

    async def _get_readyz(self, request: web.Request) -> web.Response:
        """A press can be received, recorded, and acted on: every loop has finished a round lately."""
        report = await self._health()
        missing = [n for n in _READY_FOR if n in report.findings and not report.findings[n].ready]
        body = {"status": "not ready", "waiting_for": missing} if missing else {"status": "ok"}
        return web.json_response(body, status=503 if missing else 200)

    async def _get_metrics(self, request: web.Request) -> web.Response:
        return web.Response(
            body=self._telemetry.render(), headers={"Content-Type": self._telemetry.content_type}
        )

    async def _get_db_ping(self, request: web.Request) -> web.Response:
        self._authorise(request)
        started = time.monotonic()
        found = await self._health.one("db")
        if not found.serving:
            raise ApiError(503, f"The database does not answer: {found.detail or found.word}.")
        return web.json_response({"db": found.word, "ms": round((time.monotonic() - started) * 1000, 2)})

    async def _post_reload(self, request: web.Request) -> web.Response:
        self._authorise(request)
        done = await self._admin.reload()
        body = {
            "changed": done.changed,
            "message": done.sentence,
            "mistakes": [str(e) for e in done.errors],
            "advice": list(done.advice),
        }
        return web.json_response(body, status=422 if done.errors else 200)

    def _authorise(self, request: web.Request) -> None:
        """Raises `ApiError` unless the caller has the admin token."""
        if self._admin.token is None:
            raise ApiError(
                403,
                "Admin calls are off. Set SLIPWAY_WEB_ADMIN_TOKEN to use them.",
                code="admin_off",
            )
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        # Compared in constant time, even if the scheme is wrong, to reveal nothing.
        same = hmac.compare_digest(given.strip().encode(), self._admin.token.encode())
        if not given:
            challenge = {"WWW-Authenticate": 'Bearer realm="slipway"'}
            raise ApiError(401, "Send the admin token: `Authorization: Bearer …`.", headers=challenge)
        if not same or scheme.lower() != "bearer":
            challenge = {"WWW-Authenticate": 'Bearer realm="slipway", error="invalid_token"'}
            raise ApiError(401, "Wrong admin token.", headers=challenge)
