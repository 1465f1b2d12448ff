"""A stack in which every effect is a death (`tests.fakes.crashing_bot`), and what must hold of a rollout in it.

At the end the rollout went right, each message was posted once, each process was started once, and users noticed
nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from demo.lanes import DemoLane
from demo.stories.stage import StoryError
from tests.support.e2e.stack import Stack, lanes, opened
from tests.support.postgres import PostgresServer

# What the audit log has when the first order goes out.
BEFORE_TRAFFIC = ["began", "verifying", "checking", "verified", "gate_opened", "approved"]
# The audit log of a rollout that nothing disturbs.
WHOLE = [
    *(*BEFORE_TRAFFIC, "shifting", "shifted", "soaking", "judged_pass"),
    *("shifting", "shifted", "observing", "judged_pass", "taking_over", "succeeded"),
]
# Effects of a rollout on a runtime behind a router.
HOSTED = frozenset({"set_desired", "run_checks", "log_line", "notify"})
SERVED = lanes("checkout/production", rate=80)
MATRIX_S = 600.0


@asynccontextmanager
async def crashing(
    postgres: PostgresServer,
    points: Path,
    environment: Mapping[str, str] | None = None,
    served: Sequence[DemoLane] = SERVED,
    **more: Any,
) -> AsyncIterator[Stack]:
    """The stack; `more` is for `opened`."""
    name = await postgres.fresh()
    bot = ("-m", "tests.fakes.crashing_bot")
    environment = {**(environment or {}), "CRASH_POINTS": str(points)}
    async with opened(served, postgres.dsn(name), bot=bot, environment=environment, **more) as stack:
        yield stack
    await postgres.drop(name)


async def insist(ask: Callable[[], Awaitable[object]], done: Callable[[], Awaitable[bool]]) -> None:
    """What people do when a bot does not answer: ask again, until it is so."""
    for _ in range(60):
        with contextlib.suppress(StoryError):
            await ask()
        if await done():
            return
        await asyncio.sleep(0.3)
    raise AssertionError("asked sixty times in vain")


async def deployed(stack: Stack, version: str, service: str = "checkout") -> int:
    return await new(stack, service, lambda: stack.deploy(service, version, "production"))


async def new(stack: Stack, service: str, ask: Callable[[], Awaitable[object]]) -> int:
    """The rollout in production that people get by asking for it."""
    before = await stack.newest(service, "production")

    async def begun() -> bool:
        return await stack.newest(service, "production") > before

    await insist(ask, begun)
    return await stack.newest(service, "production")


async def approved(stack: Stack, id_: int) -> None:
    async def passed() -> bool:
        return bool((await stack.rollout(id_))["phase"] not in ("verifying", "gated"))

    async def press() -> None:
        card = await stack.card(id_)
        await stack.stage.press("lead", card["id"], "Approve")

    await stack.phase(id_, "gated", timeout_s=MATRIX_S)
    await insist(press, passed)


async def every_effect_died_twice(
    stack: Stack, id_: int, points: Path, kinds: frozenset[str] = HOSTED
) -> None:
    """Each effect of the rollout was interrupted before and after. Rows of redraws are gone when they are done.

    kinds: of the effects that it had.
    """
    died = points.read_text().splitlines()
    assert [point for point, n in Counter(died).items() if n > 1] == []
    effects = await stack.effects(id_)
    given_up = [(e["key"], e["last_error"]) for e in effects if e["state"] not in ("done", "superseded")]
    assert given_up == []
    done = {f"{e['kind']}:{e['key']}" for e in effects if e["state"] == "done"}
    before, after = (
        {p.partition(" ")[2] for p in died if p.startswith(when)} for when in ("before", "after")
    )
    assert done - before == set()
    assert done - after == set()
    drawn = {what for what in before if what.startswith("draw_card:")}
    assert drawn - after == set()
    assert {what.partition(":")[0] for what in done} == kinds
    assert drawn
    print(f"{len(done)} effects and {len(drawn)} redraws, {len(died)} kills")


async def said_once(stack: Stack, id_: int) -> None:
    """One card, each line of the log once, each notice once: what is recorded is what was posted."""
    effects = await stack.effects(id_)
    lines = [m["text"] for m in await stack.thread(id_) if m["author"] == "slipway" and m["type"] == 0]
    logged = [json.loads(e["payload"])["text"] for e in effects if e["kind"] == "log_line"]
    assert [line.partition(" ")[2] for line in lines] == logged
    told = [json.loads(e["payload"])["what"] for e in effects if e["kind"] == "notify"]
    posted = [
        m
        for channel in ("deploys", "alerts")
        for m in await stack.stage.messages(channel)
        if m["author"] == "slipway" and not m["interaction"]
    ]
    cards = [m for m in posted if not m["content"]]
    assert [m["id"] for m in cards] == [(await stack.card(id_))["id"]]
    spoken = Counter((m["channel"], m["content"]) for m in posted if m["content"])
    assert set(spoken.values()) == {1}
    alarms = sum(what in ("rolled_back", "halted") for what in told)
    assert Counter(m["channel"] for m in posted if m["content"]) == Counter(deploys=len(told), alerts=alarms)


async def ended(stack: Stack, id_: int, how: str, points: Path) -> list[str]:
    """The rollout is over and everything about it is right; returns what the audit log says happened."""
    await stack.phase(id_, how, timeout_s=MATRIX_S)
    await stack.settled(id_, MATRIX_S)
    await every_effect_died_twice(stack, id_, points)
    await said_once(stack, id_)
    for version in ("1.4.0", (await stack.rollout(id_))["to_version"]):
        assert stack.starts("checkout", "production", version) == 1
    return [line["what"] for line in await stack.audit(id_)]
