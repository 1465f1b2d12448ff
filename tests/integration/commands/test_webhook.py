"""The webhook target with a real receiver, and callbacks through Slipway's web server."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from bot.adapters.signing import signature
from bot.adapters.targets.context import TargetContext
from bot.adapters.targets.jobs.target import lanes_dir
from bot.adapters.targets.webhook.callbacks import Callbacks
from bot.adapters.targets.webhook.settings import WebhookTargetSettings
from bot.adapters.targets.webhook.target import WebhookTarget
from bot.domain.config import ServedLane
from bot.domain.rollout.model import Desired, Lane, Observed, Release, RunState
from bot.domain.secret import Secret
from bot.ports.data_plane.targets import ORDERED_BY
from bot.ports.errors import TargetRefused, Unreachable
from bot.web.errors import errors
from bot.web.hooks import add_hooks
from tests.support.waiting import until

LANE = Lane("shop", "production")
SECRET = "of-webhooks-0123456789-0123456789"
OLD, NEW = (
    Release("shop", version, f"sha256:{version}", "c0ffee", {"data": {"region": "north"}})
    for version in ("1.0", "2.0")
)


@dataclass
class Received:
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class System:
    """Another system that deploys, and Slipway's web server for its callbacks. Answers with `status`."""

    session: aiohttp.ClientSession
    folder: Path
    status: int = 200
    answer: str = "on it"
    runs: str = ""
    received: list[Received] = field(default_factory=list)
    address: str = ""
    slipway: str = ""
    runner: web.AppRunner | None = None

    def target(self, **more: Any) -> WebhookTarget:
        described = {
            "kind": "webhook",
            "url": f"{self.address}/deploy",
            "secret": SECRET,
            "callback": self.slipway,
            "timeout": "20s",
            **more,
        }
        settings = WebhookTargetSettings.model_validate(described)
        lanes = {LANE: ServedLane(not settings.weights)}
        return WebhookTarget(settings, lanes, TargetContext(self.folder))

    async def deploy(self, request: web.Request) -> web.Response:
        self.received.append(Received(dict(request.headers), await request.read()))
        return web.Response(status=self.status, text=self.answer)

    async def current(self, request: web.Request) -> web.Response:
        self.received.append(Received(dict(request.headers), b""))
        return web.Response(status=self.status, text=self.runs)

    async def order(self, count: int = 1) -> Received:
        async def found() -> Received | None:
            return self.received[count - 1] if len(self.received) >= count else None

        order = await until(found)
        assert order is not None
        return order

    async def call_back(
        self,
        key: str,
        state: str,
        message: str = "",
        *,
        at: float | None = None,
        secret: str = SECRET,
        lane: str = "shop/production",
        sign: Callable[[str, str, bytes], str] = signature,
    ) -> tuple[int, str]:
        body = json.dumps({"key": key, "state": state, "message": message}).encode()
        stamp = str(int(time.time() if at is None else at))
        headers = {"Slipway-Timestamp": stamp, "Slipway-Signature": sign(secret, stamp, body)}
        url = f"{self.slipway}/hooks/deploys/{lane}"
        async with self.session.post(url, data=body, headers=headers) as answer:
            return answer.status, await answer.text()


async def serving(app: web.Application, port: int = 0) -> web.AppRunner:
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return runner


def at(runner: web.AppRunner) -> str:
    return f"http://127.0.0.1:{runner.addresses[0][1]}"


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[System]:
    async with aiohttp.ClientSession() as session:
        made = System(session, tmp_path)
        app, slipway = web.Application(), web.Application(middlewares=[errors])
        app.router.add_post("/deploy", made.deploy)
        app.router.add_get("/current", made.current)
        callbacks = Callbacks(lanes_dir(tmp_path), lambda lane: Secret(SECRET) if lane == LANE else None)
        add_hooks(slipway, lambda service, place, *given: callbacks.receive(Lane(service, place), *given))
        made.runner, hooks = await serving(app), await serving(slipway)
        made.address, made.slipway = at(made.runner), at(hooks)
        yield made
        await made.runner.cleanup()
        await hooks.cleanup()


def state(observed: Observed, release: Release) -> RunState | None:
    found = observed.of(release.digest)
    return found.state if found else None


async def ends(target: WebhookTarget, release: Release) -> Observed:
    def over(observed: Observed) -> bool:
        return state(observed, release) in (RunState.READY, RunState.CRASHED)

    return await until(lambda: target.observe(LANE), over)


async def said(target: WebhookTarget) -> str:
    text = ""
    while (printed := await target.printed(LANE)) is not None:
        text += printed.text
        await target.passed_on(LANE, printed)
    return text


async def test_an_order_is_signed_says_everything_and_is_done_with_200(system: System) -> None:
    target = system.target()
    token = ORDERED_BY.set(77)
    await target.apply(LANE, Desired(1, OLD))
    ORDERED_BY.reset(token)
    assert state(await ends(target, OLD), OLD) is RunState.READY
    (order,) = system.received
    stamp = order.headers["Slipway-Timestamp"]
    assert order.headers["Slipway-Signature"] == signature(SECRET, stamp, order.body)
    assert abs(time.time() - int(stamp)) < 60
    release = {"version": "1.0", "digest": "sha256:1.0", "commit": "c0ffee"}
    assert order.json == {
        "action": "apply",
        "service": "shop",
        "environment": "production",
        "generation": 1,
        "rollout": 77,
        "release": release,
        "stable": release,
        "candidate": None,
        "key": order.headers["Idempotency-Key"],
        "data": {"region": "north"},
        "callback": f"{system.slipway}/hooks/deploys/shop/production",
    }
    assert "answered 200: on it" in await said(target)


async def test_a_rollback_is_an_order_for_the_stable_release(system: System) -> None:
    target = system.target()
    for desired, release in (
        (Desired(1, OLD), OLD),
        (Desired(2, OLD, NEW, 100), NEW),
        (Desired(3, OLD), OLD),
    ):
        await target.apply(LANE, desired)
        await ends(target, release)
    assert [(o.json["action"], o.json["release"]["version"]) for o in system.received] == [
        ("apply", "1.0"),
        ("apply", "2.0"),
        ("rollback", "1.0"),
    ]
    assert len({order.headers["Idempotency-Key"] for order in system.received}) == 3


async def test_with_weights_orders_have_the_share(system: System) -> None:
    target = system.target(weights=True)
    await target.apply(LANE, Desired(1, OLD))
    await ends(target, OLD)
    await target.apply(LANE, Desired(2, OLD, NEW, 25))
    observed = await until(lambda: target.observe(LANE), lambda o: o.weight_of(NEW.digest))
    assert (observed.weight_of(NEW.digest), system.received[-1].json["weight"]) == (25, 25)


async def test_an_outage_is_tried_again_with_the_same_key(system: System) -> None:
    target = system.target()
    system.status = 503
    await target.apply(LANE, Desired(1, OLD))
    await system.order()
    assert state(await target.observe(LANE), OLD) is RunState.STARTING
    system.status = 200
    assert state(await ends(target, OLD), OLD) is RunState.READY
    assert len(system.received) > 1
    assert len({order.headers["Idempotency-Key"] for order in system.received}) == 1


async def test_a_system_that_is_away_is_tried_again(system: System) -> None:
    assert system.runner is not None
    port = system.runner.addresses[0][1]
    await system.runner.cleanup()
    target = system.target()
    await target.apply(LANE, Desired(1, OLD))
    app = web.Application()
    app.router.add_post("/deploy", system.deploy)
    await asyncio.sleep(0.5)
    system.runner = await serving(app, port)
    assert state(await ends(target, OLD), OLD) is RunState.READY
    assert "no answer" in await said(target)


@pytest.mark.parametrize("status", [302, 400, 401, 404, 409])
async def test_another_answer_is_a_refusal(system: System, status: int) -> None:
    system.status, system.answer = status, "not this one"
    target = system.target()
    await target.apply(LANE, Desired(1, OLD))
    found = (await ends(target, OLD)).of(OLD.digest)
    assert found is not None and found.state is RunState.CRASHED and len(system.received) == 1
    assert f"the apply webhook refused (exit code 78); last words: answered {status}" in found.detail
    with pytest.raises(TargetRefused, match="refused"):
        await target.apply(LANE, Desired(1, OLD))


# ---- callbacks ---------------------------------------------------------------------------------------------


async def accepted(system: System, desired: Desired | None = None, **more: Any) -> tuple[WebhookTarget, str]:
    """A target with an order that was accepted with 202, and the order's key."""
    system.status = 202
    target, count = system.target(**more), len(system.received)
    await target.apply(LANE, desired or Desired(1, OLD))
    return target, str((await system.order(count + 1)).json["key"])


async def test_a_callback_brings_the_outcome_and_words_on_the_way(system: System) -> None:
    target, key = await accepted(system)
    assert state(await target.observe(LANE), OLD) is RunState.STARTING
    assert (await system.call_back(key, "running", "building"))[0] == 200
    assert state(await target.observe(LANE), OLD) is RunState.STARTING
    assert (await system.call_back(key, "succeeded", "3 of 3 pods"))[0] == 200
    assert state(await ends(target, OLD), OLD) is RunState.READY
    text = await said(target)
    assert "building" in text and "succeeded: 3 of 3 pods" in text and SECRET not in text


async def test_a_failure_is_reported_with_its_words(system: System) -> None:
    target, key = await accepted(system)
    await system.call_back(key, "failed", "image not found")
    found = (await ends(target, OLD)).of(OLD.digest)
    assert found is not None and "last words: answered 202: on it failed: image not found" in found.detail


async def test_a_wrong_signature_counts_for_nothing(system: System) -> None:
    target, key = await accepted(system)
    assert (await system.call_back(key, "succeeded", secret="another-secret-of-someone-else"))[0] == 401
    assert (await system.call_back(key, "succeeded", sign=lambda *_: ""))[0] == 401
    assert (await system.call_back(key, "succeeded", sign=lambda *_: "v1=é"))[0] == 401
    over_another_time = signature(SECRET, "1", b"")
    assert (await system.call_back(key, "succeeded", sign=lambda *_: over_another_time))[0] == 401
    assert state(await target.observe(LANE), OLD) is RunState.STARTING


@pytest.mark.parametrize("off_s", [-301.0, 320.0])
async def test_an_old_callback_cannot_be_replayed(system: System, off_s: float) -> None:
    target, key = await accepted(system)
    status, text = await system.call_back(key, "succeeded", at=time.time() + off_s)
    assert status == 401 and "more than 300 s from now" in text
    assert state(await target.observe(LANE), OLD) is RunState.STARTING


async def test_a_repeated_callback_is_known_and_another_outcome_is_refused(system: System) -> None:
    target, key = await accepted(system)
    now = time.time()
    for _ in range(2):
        assert (await system.call_back(key, "running", "once only", at=now))[0] == 200
    assert (await system.call_back(key, "succeeded"))[0] == 200
    status, text = await system.call_back(key, "succeeded", "again")
    assert status == 200 and "Known already" in text
    assert (await system.call_back(key, "failed"))[0] == 409
    assert state(await ends(target, OLD), OLD) is RunState.READY
    assert (await said(target)).count("once only") == 1


async def test_a_callback_for_an_order_that_was_superseded_is_refused(system: System) -> None:
    target, former = await accepted(system)
    await target.apply(LANE, Desired(2, OLD, NEW, 100))
    newer = str((await system.order(2)).json["key"])
    status, text = await system.call_back(former, "succeeded")
    assert status == 409 and "superseded" in text
    await system.call_back(newer, "succeeded")
    assert state(await ends(target, NEW), NEW) is RunState.READY


async def test_a_callback_after_the_time_is_over_is_refused(system: System) -> None:
    target, key = await accepted(system, timeout="2s")
    found = (await ends(target, OLD)).of(OLD.digest)
    assert found is not None and "the apply webhook did not finish within 2 s" in found.detail
    assert (await system.call_back(key, "succeeded"))[0] == 409


async def test_a_callback_may_come_before_the_answer(system: System) -> None:
    target = system.target()

    async def early(request: web.Request) -> web.Response:
        order = Received(dict(request.headers), await request.read())
        assert (await system.call_back(order.json["key"], "succeeded", "quick"))[0] == 200
        return web.Response(status=202)

    app = web.Application()
    app.router.add_post("/deploy", early)
    runner = await serving(app)
    target = system.target(url=f"{at(runner)}/deploy")
    await target.apply(LANE, Desired(1, OLD))
    assert state(await ends(target, OLD), OLD) is RunState.READY
    await runner.cleanup()


async def test_what_is_no_callback_is_refused_in_words(system: System) -> None:
    _, key = await accepted(system)
    assert (await system.call_back(key, "done"))[0] == 422
    assert (await system.call_back(key, "succeeded", lane="shop/elsewhere"))[0] == 404
    assert (await system.call_back(key, "succeeded", "x" * 5000))[0] == 422


async def test_an_order_is_sent_again_with_its_key_when_its_sender_was_killed(system: System) -> None:
    target, key = await accepted(system)
    (job,) = (lanes_dir(system.folder) / "shop@production" / "jobs").iterdir()
    os.kill(json.loads((job / "begun").read_text())["pid"], signal.SIGKILL)
    await until(lambda: target.observe(LANE), lambda o: o.generation == 0)
    await target.apply(LANE, Desired(1, OLD))
    assert (await system.order(2)).json["key"] == key
    await system.call_back(key, "succeeded")
    assert state(await ends(target, OLD), OLD) is RunState.READY


# ---- observe -----------------------------------------------------------------------------------------------


async def test_what_runs_is_asked_by_a_signed_get(system: System) -> None:
    system.runs = "0.9\n"
    target = system.target(observe=f"{system.address}/current")
    (running,) = (await target.observe(LANE)).running
    assert (running.version, running.weight) == ("0.9", 100)
    (question,) = system.received
    stamp = question.headers["Slipway-Timestamp"]
    assert question.headers["Slipway-Signature"] == signature(SECRET, stamp, b"")
    assert (question.headers["Slipway-Service"], question.headers["Slipway-Environment"]) == (
        "shop",
        "production",
    )
    await target.close()


async def test_a_system_that_cannot_be_asked_is_an_unreachable_target(system: System) -> None:
    system.status = 503
    target = system.target(observe=f"{system.address}/current")
    with pytest.raises(Unreachable):
        await target.observe(LANE)
    await target.close()


async def test_neither_the_secret_nor_the_order_is_on_disk(system: System) -> None:
    target, key = await accepted(system)
    await system.call_back(key, "succeeded")
    await ends(target, OLD)
    kept = b"".join(path.read_bytes() for path in system.folder.rglob("*") if path.is_file())
    assert SECRET.encode() not in kept and b"north" not in kept
