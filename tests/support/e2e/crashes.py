"""A stack in which every effect is a death (`tests.fakes.crashing_bot`), and what must hold of a rollout in it.

At the end the rollout went right, each message was posted once, each process was started once, and users noticed
nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from demo.stories.stage import StoryError
from tests.support.e2e.stack import Stack, lanes, opened
from tests.support.postgres import PostgresServer

# What the audit log has when the first order goes out.
BEFORE_TRAFFIC = ["began", "verifying", "checking", "verified", "gate_opened", "approved"]
SERVED = lanes("checkout/production", rate=80)
MATRIX_S = 600.0


@asynccontextmanager
async def crashing(postgres: PostgresServer, points: Path) -> AsyncIterator[Stack]:
    name = await postgres.fresh()
    bot = ("-m", "tests.fakes.crashing_bot")
    async with opened(
        SERVED, postgres.dsn(name), bot=bot, environment={"CRASH_POINTS": str(points)}
    ) as stack:
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


async def deployed(stack: Stack, version: str) -> int:
    async def begun() -> bool:
        return await stack.newest("checkout", "production") > 0

    await insist(lambda: stack.deploy("checkout", version, "production"), begun)
    return await stack.newest("checkout", "production")


async def approved(stack: Stack, id_: int) -> None:
    async def passed() -> bool:
        return bool((await stack.rollout(id_))["phase"] not in ("verifying", "gated"))

    async def press() -> None:
        card = await stack.card(id_)
        await stack.stage.press("lead", card["id"], "Approve")

    await stack.phase(id_, "gated", timeout_s=MATRIX_S)
    await insist(press, passed)


async def every_effect_died_twice(stack: Stack, id_: int, points: Path) -> None:
    """Each effect of the rollout was interrupted before and after. Rows of redraws are gone when they are done."""
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
    assert {what.partition(":")[0] for what in done} == {"set_desired", "run_checks", "log_line", "notify"}
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
