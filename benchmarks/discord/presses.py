"""Presses compared with a bare discord.py bot, on the same sandbox, in the same run, in turns.

A press is measured from when the sandbox sends it on the gateway to when it has the bot's callback. Slipway's are
approvals and their withdrawal at gates: each is a committed transition before it is answered. The bare bot's are on a
copy of a card, so that both bots get the same payload. Processor time depends least on what else the machine does.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator, Sequence
from itertools import count, islice
from math import inf

import psutil
from discord_sandbox.discord.state.ids import named_id

from benchmarks.discord.bare_bot import PREFIX
from benchmarks.engine.scene import ASKERS, CROWD, Json, Scene, Waiting, person, scene
from benchmarks.report import Row, show

AT_ONCE = 2000
ROLLOUTS = 125  # for each crowd, so that each gets 16 approvals: below the gate's quorum of 20
BLOCK = 50  # presses of one bot in a row before the other's turn
_PAUSE_S = 0.008  # the sandbox has no other request during a press
_LIMIT_S = 3.0  # Discord's own, for the first answer

Press = Json  # the body of one press


def bare_presses(waiting: Waiting, message: str) -> Iterator[Press]:
    custom_id = waiting.custom_id("approve", PREFIX)
    for number in count():
        yield {"user": _id(_others(number)), "message": message, "custom_id": custom_id}


def turning_presses(waiting: Sequence[Waiting], message: str) -> Iterator[Press]:
    """Presses of people who approve in turn and revoke again: each is a transition, and none reaches the quorum."""
    for number in count():
        rollout = waiting[number % len(waiting)]
        for action in ("approve", "revoke"):
            yield {
                "user": _id(_others(number)),
                "message": message,
                "custom_id": rollout.custom_id(action),
            }


def crowd_presses(waiting: Sequence[Waiting], message: str) -> Iterator[Press]:
    """Presses of a crowd that approves every rollout."""
    for number in count():
        rollout = waiting[number % len(waiting)]
        who = _others(number + number // len(waiting))
        yield {"user": _id(who), "message": message, "custom_id": rollout.custom_id("approve")}


def _others(number: int) -> int:
    """Member of the crowd by number, without the requesters, who may not approve."""
    return ASKERS + number % (CROWD - ASKERS)


def _id(number: int) -> str:
    return named_id("user", person(number))


async def one_by_one(here: Scene, presses: Iterator[Press], times: int) -> list[Json]:
    """Interactions of presses, each sent when the one before was answered."""
    found = []
    for press in islice(presses, times):
        begun = await here.stage.call("POST", "presses", press)
        await asyncio.sleep(_PAUSE_S)
        found.append(await here.stage.call("GET", f"interactions/{begun['interaction']}", wait=4))
    return found


async def together(here: Scene, presses: Iterator[Press], times: int) -> list[Json]:
    """Interactions of presses sent at the same time."""
    begun = await here.stage.call("POST", "presses", {"presses": list(islice(presses, times))})
    await asyncio.sleep(_LIMIT_S + 1.0)  # without any request meanwhile
    ids = begun["interactions"]
    return [await here.stage.call("GET", f"interactions/{each}", wait=20) for each in ids]


def acknowledged(found: Sequence[Json]) -> list[float]:
    """Milliseconds from press to callback, sorted; infinite for presses without one in time."""
    return sorted(inf if one["ack_ms"] is None else float(one["ack_ms"]) for one in found)


def at(values: Sequence[float], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))]


def recorded(found: Sequence[Json]) -> int:
    """Number of presses that were answered after Slipway had recorded them."""
    return sum("\u2705" in (one["message"] or {}).get("text", "") for one in found)


def sequential_rows(bare: Sequence[Json], ours: Sequence[Json]) -> list[Row]:
    quick, slow = acknowledged(bare), acknowledged(ours)
    rows = []
    for name, share, most in (("p50", 0.5, 2.0), ("p99", 0.99, 2.5)):
        ratio = at(slow, share) / at(quick, share)
        rows.append(
            Row(
                f"button press -> callback, {name}, one by one",
                at(slow, share),
                "ms",
                "bare bot",
                at(quick, share),
                ratio,
                f"<= {most:g}x",
                ratio <= most,
            )
        )
    return [*rows, Row("  of them recorded before the answer", recorded(ours) / len(ours) * 100, "%")]


def rate(found: Sequence[Json]) -> float:
    """Presses per second, from the time of all presses to the last final answer (not the deferral)."""
    ended = [float(one["answered_ms"]) for one in found if one["state"] == "answered"]
    return len(ended) / max(ended) * 1e3 if ended else 0.0


def _times(what: str, share: float, ours: Sequence[Json], bare: Sequence[Json]) -> Row:
    mine, theirs = (at(acknowledged(each), share) / 1e3 for each in (ours, bare))
    return Row(what, mine, "s", "bare bot", theirs, mine / theirs if theirs < inf else None)


def crowd_rows(bare: Sequence[Json], ours: Sequence[Json]) -> list[Row]:
    share = rate(ours) / rate(bare) if rate(bare) else inf
    late = sum(one["ack_ms"] is None or one["ack_ms"] > _LIMIT_S * 1e3 for one in ours)
    what = f"{len(ours):,} presses at once"
    deferred = sum(one["callback"] == 5 for one in ours) / len(ours) * 100
    bare_late = sum(one["ack_ms"] is None for one in bare)
    return [
        Row(f"{what}, rate", rate(ours), "/s", "bare bot", rate(bare), share, ">= 0.5x", share >= 0.5),
        Row(f"{what}, over {_LIMIT_S:g} s", late, "", "bare bot", bare_late, goal="none", ok=late == 0),
        _times("  half of the callbacks within", 0.5, ours, bare),
        _times("  all of the callbacks within", 1.0, ours, bare),
        Row("  recorded", recorded(ours) / len(ours) * 100, "%"),
        Row("  deferred first", deferred, "%", goal="< 10%", ok=deferred < 10),
    ]


async def measure(times: int, crowds: int) -> list[Row]:
    services = [f"service-{number:04}" for number in range(ROLLOUTS * crowds)]
    async with scene(services) as here:
        waiting = await here.ask_for(services)
        card = await here.card()
        turning, bare = turning_presses(waiting, card), bare_presses(waiting[0], await here.bare_card(card))
        rows = await in_turns(here, (bare, turning), times)
        runs = []
        for first in range(0, len(waiting), ROLLOUTS):
            crowd = crowd_presses(waiting[first : first + ROLLOUTS], card)
            runs.append((await at_once(here, bare, here.bare), await at_once(here, crowd, here.slipway)))
    # Other load on this machine can only slow a run down, so the best run of each bot says most.
    theirs, ours = (max((found for found, _ in each), key=rate) for each in zip(*runs, strict=True))
    cheap, own = (min(spent for _, spent in each) for each in zip(*runs, strict=True))
    return [*rows, *crowd_rows(theirs, ours), cost_row(cheap, own)]


def cost_row(bare: float, ours: float) -> Row:
    return Row("  processor time of the bot for each", ours, "ms", "bare bot", bare, ours / bare)


async def at_once(here: Scene, presses: Iterator[Press], bot: psutil.Process) -> tuple[list[Json], float]:
    """A crowd's presses, and the processor milliseconds that the bot spent on each, with everything that follows."""
    before = spent([bot])
    found = await together(here, presses, AT_ONCE)
    return found, (spent([bot]) - before) / AT_ONCE


def spent(processes: Sequence[psutil.Process]) -> float:
    """Processor time of processes so far, in milliseconds."""
    times = [process.cpu_times() for process in processes if process.is_running()]
    return sum(each.user + each.system for each in times) * 1e3


async def in_turns(here: Scene, bots: tuple[Iterator[Press], Iterator[Press]], times: int) -> list[Row]:
    """Presses of each bot, one by one, in alternating blocks."""
    for bot in bots:
        await one_by_one(here, bot, BLOCK)  # fills connections and caches, which is needed once
    groups = ([here.bare], [here.slipway], here.postgres())
    found: tuple[list[Json], list[Json]] = ([], [])
    costs = [0.0, 0.0, 0.0]
    for _ in range(times // BLOCK):
        for turn, bot in enumerate(bots):
            # PostgreSQL belongs to Slipway's turns.
            measured = (0,) if turn == 0 else (1, 2)
            before = {group: spent(groups[group]) for group in measured}
            found[turn].extend(await one_by_one(here, bot, BLOCK))
            for group in measured:
                costs[group] += spent(groups[group]) - before[group]
    bare, ours, postgres = (cost / len(found[0]) for cost in costs)
    server = Row("  the same of its PostgreSQL", postgres, "ms")
    return [*sequential_rows(*found), cost_row(bare, ours), server]


def run(quick: bool = False) -> list[Row]:
    return asyncio.run(measure(200, 1) if quick else measure(1000, 3))


if __name__ == "__main__":
    show(run("--quick" in sys.argv), "Presses")
