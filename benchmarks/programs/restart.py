"""`kill -9` of the bot in a soak: time until it judges again, and until it answers a press again.

All parts are real: the bot as a process that a supervisor restarts at once, releases under traffic, Discord on
loopback, PostgreSQL. A press is tried three times a second, as an impatient person would.
"""

from __future__ import annotations

import asyncio
import sys
import time
from statistics import median

from benchmarks.report import Row, show
from demo.stories.stage import StoryError
from tests.support.e2e.stack import Stack, lanes, opened
from tests.support.postgres import postgres_server

SERVED = lanes("checkout/endurance")
GOAL_S, PROMISED_S = 3.0, 10.0
PRESS_EVERY_S = 0.3


async def killed(stack: Stack, rollout: int) -> tuple[float, float, float]:
    """Seconds from the kill to the judge's first tick, to the first answered press, and to both."""
    card = await stack.card(rollout)
    began = time.time()
    await stack.kill_bot()
    judged = asyncio.create_task(_judged(stack, rollout, began))
    pressed = asyncio.create_task(_answered(stack, card["id"], began))
    both = await asyncio.gather(judged, pressed)
    return both[0], both[1], max(both)


async def _judged(stack: Stack, rollout: int, began: float) -> float:
    async def look() -> float | None:
        newer = "SELECT min(at) AS at FROM samples WHERE rollout_id = $1 AND at > to_timestamp($2)"
        found = await stack.one(newer, rollout, began)
        return found["at"].timestamp() - began if found and found["at"] else None

    return await stack.until("the judge to measure again", look)


async def _answered(stack: Stack, message: str, began: float) -> float:
    """Seconds until the first of many presses is answered; one that the dead bot never got takes 3 s to fail."""

    async def press() -> float:
        body = {"user": "lead", "message": message, "button": "Extend"}
        begun = await stack.stage.call("POST", "presses", body)
        found = await stack.stage.call("GET", f"interactions/{begun['interaction']}", wait=4)
        if found["state"] != "answered":
            raise StoryError(f"no answer: {found['reason']}")
        return time.time() - began

    presses: set[asyncio.Task[float]] = set()
    while time.time() - began < 60:
        presses.add(asyncio.create_task(press()))
        await asyncio.wait(presses, timeout=PRESS_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
        for done in [task for task in presses if task.done()]:
            presses.discard(done)
            if done.exception() is None:
                await asyncio.gather(*presses, return_exceptions=True)
                return done.result()
    raise StoryError("no press was answered for a minute")


async def measure(dsn: str, times: int) -> list[tuple[float, float, float]]:
    async with opened(SERVED, dsn) as stack:
        rollout = await stack.deploy("checkout", "1.6.0", "endurance")
        await stack.phase(rollout, "soaking")
        await stack.press("lead", rollout, "Pause")  # it soaks for as long as this takes
        await stack.button(rollout, "Resume")
        found = []
        for _ in range(times):
            found.append(await killed(stack, rollout))
            await asyncio.sleep(1.0)
        return found


def run(quick: bool = False) -> list[Row]:
    with postgres_server(durable=True) as server:
        dsn = server.dsn(asyncio.run(server.fresh()))
        found = asyncio.run(measure(dsn, 3 if quick else 12))
    rows = []
    for what, seconds in zip(
        ("judges again", "answers a press", "acts again"), zip(*found, strict=True), strict=True
    ):
        slowest = max(seconds)
        rows.append(Row(f"kill -9 → bot {what}, median", median(seconds), "s"))
        rows.append(
            Row(
                f"kill -9 → bot {what}, slowest of {len(seconds)}",
                slowest,
                "s",
                "usual promise",
                PROMISED_S,
                slowest / PROMISED_S,
                f"< {GOAL_S:g} s",
                slowest < GOAL_S,
            )
        )
    return rows


if __name__ == "__main__":
    show(run("--quick" in sys.argv), "Restart")
