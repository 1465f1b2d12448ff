"""The HTTP side over real HTTP: health whatever is broken, one shape of errors, admin behind its token."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bot import __version__
from bot.adapters.telemetry import Telemetry
from bot.catalog import Reloaded
from bot.web import health
from bot.web.app import Admin, create_app, serve
from bot.web.health import ProbeFailed
from tests.support.catalog_files import SOUND, changed, reloader, write
from tests.support.waiting import PATIENCE_S

TOKEN = "an-admin-token-of-a-test"

Probes = dict[str, Callable[[], Awaitable[str]]]


async def well() -> str:
    return "ok"


async def connected() -> str:
    return "connected: 41 ms"


async def never() -> str:
    await asyncio.Event().wait()
    return "ok"


async def deaf() -> str:
    """Does not even end when it is cancelled."""
    while True:
        try:
            await asyncio.sleep(3.0)
            return "ok"
        except asyncio.CancelledError:
            continue


async def refused() -> str:
    raise ProbeFailed("connection refused")


async def surprised() -> str:
    raise RuntimeError("postgresql://u:hunter2@h")


async def degraded() -> str:
    return "degraded: Redis is away"


async def starting() -> str:
    return "starting: no round yet of ticks"


async def reloaded() -> Reloaded:
    return Reloaded(True)


class WebClient:
    def __init__(self, base: str, session: aiohttp.ClientSession, app: web.Application) -> None:
        self.base, self.session, self.app = base, session, app

    async def __call__(self, path: str, method: str = "GET", **headers: str) -> tuple[int, Any, Any]:
        async with self.session.request(method, self.base + path, headers=headers) as answer:
            text = await answer.text()
            return (
                answer.status,
                await answer.json() if "json" in answer.content_type else text,
                answer.headers,
            )


@asynccontextmanager
async def serving(
    probes: Probes | None = None,
    reload: Callable[[], Awaitable[Reloaded]] = reloaded,
    token: str | None = TOKEN,
    telemetry: Telemetry | None = None,
    api: Callable[[], web.Application] | None = None,
) -> AsyncIterator[WebClient]:
    app = create_app(
        {"gateway": connected, "db": well} if probes is None else probes,
        telemetry or Telemetry(),
        Admin(token, reload),
        api,
    )
    runner = await serve(app, "127.0.0.1", 0)
    try:
        async with aiohttp.ClientSession() as session:
            yield WebClient(f"http://127.0.0.1:{runner.addresses[0][1]}", session, app)
    finally:
        await runner.cleanup()


async def test_health_says_how_every_part_is() -> None:
    async with serving({"gateway": connected, "db": well, "redis": degraded}) as call:
        status, body, _ = await call("/health")
    assert status == 200
    assert (body["status"], body["gateway"], body["db"], body["redis"]) == (
        "degraded",
        "connected",
        "ok",
        "degraded",
    )
    assert body["version"] == __version__
    assert body["uptime_s"] >= 0
    assert body["details"] == {"gateway": "41 ms", "redis": "Redis is away"}


@pytest.mark.parametrize("broken", [never, deaf, refused, surprised])
async def test_health_answers_503_in_time_whatever_is_broken(broken: Callable[[], Awaitable[str]]) -> None:
    async with serving({"gateway": connected, "db": broken, "redis": broken}) as call:
        async with asyncio.timeout(PATIENCE_S):
            status, body, _ = await call("/health")
        assert status == 503
        assert (body["status"], body["db"], body["gateway"]) == ("unhealthy", "down", "connected")
        assert "hunter2" not in str(body)


async def test_looks_at_the_same_time_are_one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_FRESH_S", PATIENCE_S)
    looks = 0

    async def counting() -> str:
        nonlocal looks
        looks += 1
        await asyncio.sleep(0.05)
        return "ok"

    async with serving({"db": counting}) as call:
        assert {status for status, _, _ in await asyncio.gather(*(call("/health") for _ in range(20)))} == {
            200
        }
        await call("/readyz")
    assert looks == 1


async def test_a_caller_who_leaves_does_not_take_the_look_along() -> None:
    begun = asyncio.Event()

    async def slow() -> str:
        begun.set()
        await asyncio.sleep(0.2)
        return "ok"

    async with serving({"db": slow}) as call:
        leaving = asyncio.create_task(call("/health"))
        await begun.wait()
        leaving.cancel()
        status, body, _ = await call("/health")
        assert (status, body["db"]) == (200, "ok")


async def test_alive_and_ready_are_two_questions() -> None:
    async with serving({"gateway": refused, "db": well, "redis": refused}) as call:
        assert (await call("/livez"))[:2] == (200, {"status": "ok"})
        assert (await call("/readyz"))[:2] == (503, {"status": "not ready", "waiting_for": ["gateway"]})
    async with serving({"gateway": connected, "db": well, "redis": refused}) as call:
        assert (await call("/readyz"))[0] == 200


@pytest.mark.parametrize(
    ("loops", "ready", "health", "status"),
    [(well, 200, 200, "ok"), (starting, 503, 200, "degraded"), (refused, 503, 503, "unhealthy")],
)
async def test_ready_is_a_process_in_which_every_loop_has_finished_a_round_lately(
    loops: Callable[[], Awaitable[str]], ready: int, health: int, status: str
) -> None:
    async with serving({"gateway": connected, "db": well, "loops": loops}) as call:
        assert (await call("/readyz"))[0] == ready
        code, body, _ = await call("/health")
    assert (code, body["status"]) == (health, status)


async def test_metrics_are_in_prometheus_format_and_know_what_health_found() -> None:
    telemetry = Telemetry()
    async with serving({"db": well, "redis": refused}, telemetry=telemetry) as call:
        await call("/health")
        status, text, headers = await call("/metrics")
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain; version=")
    assert "# HELP slipway_interactions_total" in text
    assert 'slipway_component_up{component="db"} 1.0' in text
    assert 'slipway_component_up{component="redis"} 0.0' in text


async def raising() -> Reloaded:
    raise RuntimeError("token=hunter2")


@pytest.mark.parametrize(
    ("path", "method", "headers", "status", "code"),
    [
        ("/nowhere", "GET", {}, 404, "not_found"),
        ("/health", "POST", {}, 405, "method_not_allowed"),
        ("/admin/reload", "GET", {}, 405, "method_not_allowed"),
        ("/admin/db-ping", "GET", {}, 401, "unauthorized"),
        ("/admin/db-ping", "GET", {"Authorization": "Bearer wrong"}, 401, "unauthorized"),
        ("/admin/db-ping", "GET", {"Authorization": f"Basic {TOKEN}"}, 401, "unauthorized"),
        ("/admin/db-ping", "GET", {"Authorization": f"Bearer {TOKEN}x"}, 401, "unauthorized"),
        ("/admin/db-ping", "GET", {"Authorization": "Bearer \u00e4"}, 401, "unauthorized"),
        ("/admin/reload", "POST", {"Authorization": f"Bearer {TOKEN}"}, 500, "internal"),
    ],
)
async def test_every_error_has_one_shape(
    path: str, method: str, headers: dict[str, str], status: int, code: str
) -> None:
    async with serving(reload=raising) as call:
        found, body, answered = await call(path, method, **headers)
    assert found == status
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "message", "ref"}
    assert body["error"]["code"] == code
    assert body["error"]["ref"]
    assert "hunter2" not in str(body)
    if status == 401:
        assert answered["WWW-Authenticate"].startswith("Bearer")
    if status == 405:
        assert answered["Allow"]


async def test_without_a_token_no_one_is_an_administrator() -> None:
    async with serving(token=None) as call:
        status, body, _ = await call("/admin/reload", "POST", Authorization="Bearer ")
        assert (status, body["error"]["code"]) == (403, "admin_off")
        assert "SLIPWAY_WEB_ADMIN_TOKEN" in body["error"]["message"]


async def test_db_ping_asks_the_database_now() -> None:
    async with serving() as call:
        status, body, _ = await call("/admin/db-ping", Authorization=f"Bearer {TOKEN}")
        assert (status, body["db"]) == (200, "ok")
        assert body["ms"] >= 0
    async with serving({"db": refused}) as call:
        status, body, _ = await call("/admin/db-ping", Authorization=f"bearer {TOKEN}")
        assert (status, body["error"]["code"]) == (503, "unavailable")


async def test_a_reload_tells_every_mistake_and_keeps_the_old_catalog(tmp_path: Path) -> None:
    holder = reloader(write(tmp_path, all=SOUND))

    async def reload() -> Reloaded:
        return await asyncio.to_thread(holder.reload)

    async with serving(reload=reload) as call:
        before = holder.current
        write(tmp_path, all=changed(("soak: 30m", "soak: soon"), ("target: local", "target: locl")))
        status, body, _ = await call("/admin/reload", "POST", Authorization=f"Bearer {TOKEN}")
        assert (status, body["changed"], len(body["mistakes"])) == (422, False, 2)
        assert holder.current is before
        write(tmp_path, all=changed(("soak: 30m", "soak: 31m")))
        status, body, _ = await call("/admin/reload", "POST", Authorization=f"Bearer {TOKEN}")
        assert (status, body) == (
            200,
            {"changed": True, "message": "The catalog was reloaded.", "mistakes": [], "advice": []},
        )
        assert holder.current is not before


async def test_a_port_that_is_taken_is_an_error_and_leaves_nothing_behind() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        app = create_app({}, Telemetry(), Admin(None, reloaded))
        with pytest.raises(OSError, match="address already in use"):
            await serve(app, "127.0.0.1", taken.getsockname()[1])


async def test_the_api_is_made_once_by_its_first_requests_and_no_other_path_makes_it() -> None:
    made: list[web.Application] = []

    async def greeted(request: web.Request) -> web.Response:
        assert request.app is made[0]
        return web.json_response({"to": request.match_info["name"]})

    @web.middleware
    async def own(request: web.Request, handler: Callable[[web.Request], Awaitable[Any]]) -> Any:
        try:
            return await handler(request)
        except web.HTTPException as error:
            return web.json_response({"own": error.status}, status=error.status)

    def api() -> web.Application:
        app = web.Application(middlewares=[own])
        app.router.add_get("/greetings/{name}", greeted)
        made.append(app)
        return app

    async with serving(api=api) as call:
        for path in ("/livez", "/api", "/api/v10/greetings/ada"):
            await call(path)
        assert not made
        answers = await asyncio.gather(*(call("/api/v1/greetings/ada") for _ in range(5)))
        assert [(status, body) for status, body, _ in answers] == [(200, {"to": "ada"})] * 5
        assert (await call("/api/v1/greetings/ada", "POST"))[:2] == (405, {"own": 405})
        for path in ("/api/v1", "/api/v1/", "/api/v1/nothing"):
            assert (await call(path))[:2] == (404, {"own": 404})
    assert len(made) == 1


async def test_an_api_that_could_not_be_made_is_an_error_of_that_request_alone() -> None:
    tries = iter([OSError("no memory"), None])

    async def greeted(request: web.Request) -> web.Response:
        return web.json_response({})

    def api() -> web.Application:
        if error := next(tries):
            raise error
        app = web.Application()
        app.router.add_get("/greetings", greeted)
        return app

    async with serving(api=api) as call:
        assert (await call("/api/v1/greetings"))[0] == 500
        assert (await call("/livez"))[0] == 200
        assert (await call("/api/v1/greetings"))[0] == 200
