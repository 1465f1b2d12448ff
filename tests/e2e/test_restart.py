"""The bot is killed, or told to stop, while rollouts go on: what was begun ends right, and users notice nothing."""

from __future__ import annotations

import contextlib
import json
import random
import signal
from typing import Any

import pytest

from bot.domain.traces.ids import trace_id_of
from demo.children import free_port
from demo.stories.stage import Json, StoryError
from tests.support.e2e.acts import CALLBACKS, fault, part
from tests.support.e2e.heard import said_once
from tests.support.e2e.stack import Stack, lanes, marks
from tests.support.otlp import Collector, collector, plain

pytestmark = [*marks("restart"), pytest.mark.real]
LANES = lanes("checkout/endurance", "search/endurance", "mail/production")
KILLS = 5
OTLP_PORT = free_port()
ENVIRONMENT = {
    "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{OTLP_PORT}",
    "SLIPWAY_VAR_SOAK": "20s",  # so that it is not over before the bot is stopped
}


async def test_sigterm_in_a_soak_stops_cleanly_and_the_next_bot_goes_on(stack: Stack) -> None:
    since = await stack.cursor("checkout", "endurance")
    async with collector(OTLP_PORT) as traces:
        id_ = await stack.deploy("checkout", "1.6.0", "endurance")
        await stack.phase(id_, "soaking")
        await part_of_trace(stack, traces, "shift 40%")
        assert await stack.demo.end_bot(signal.SIGTERM) == 0
        assert (await stack.rollout(id_))["phase"] == "soaking"
        await stack.demo.start_bot()
        row = await stack.phase(id_, "succeeded")
        await one_trace(stack, row, traces)
    await stack.served_by("checkout", "endurance", "1.6.0")
    assert await stack.foreign_errors("checkout", "endurance", since) == []


async def test_killed_at_random_times_in_a_soak_the_rollout_ends_as_if_nothing_had_been(stack: Stack) -> None:
    rng = random.Random(20260701)
    since = await stack.cursor("search", "endurance")
    id_ = await stack.deploy("search", "1.6.0", "endurance")
    await stack.phase(id_, "soaking")
    for _ in range(KILLS):
        await stack.sleep(rng.uniform(0.0, 1.5))
        await stack.kill_bot()
        await stack.bot_back()
    await stack.phase(id_, "succeeded")
    await said_once(stack, id_)
    await stack.served_by("search", "endurance", "1.6.0")
    assert stack.starts("search", "endurance", "1.6.0") == 1
    assert await stack.foreign_errors("search", "endurance", since) == []


async def test_a_press_that_was_committed_counts_though_the_bot_died_before_it_answered(stack: Stack) -> None:
    id_ = await stack.deploy("mail", "1.6.0", "production")
    await stack.phase(id_, "gated")
    card = await stack.button(id_, "Approve")
    # Longer than Discord waits: the bot has not answered, however long it takes to see the commit.
    await fault(stack, "slow", method="POST", route=CALLBACKS, delay_ms=20_000)
    press = {"user": "lead", "message": card["id"], "button": "Approve"}
    begun = await stack.stage.call("POST", "presses", press)

    async def committed() -> bool | None:
        return (
            True
            if await stack.rows("SELECT 1 FROM audit WHERE rollout_id = $1 AND what = 'approved'", id_)
            else None
        )

    await stack.until("the approval to be committed", committed)
    await stack.kill_bot()
    await unanswered(stack, begun["interaction"])
    await stack.bot_back()
    await stack.phase(id_, "succeeded")
    approvals = [a for grant in part(await stack.rollout(id_), "state")["grants"] for a in grant["approvals"]]
    assert [a["actor_name"] for a in approvals] == ["Lead"]


async def test_a_press_while_the_bot_is_down_fails_visibly_and_works_afterwards(stack: Stack) -> None:
    id_ = await stack.deploy("mail", "1.6.1", "production")
    await stack.phase(id_, "gated")
    card = await stack.button(id_, "Approve")
    await stack.demo.end_bot(signal.SIGKILL)
    press = {"user": "lead", "message": card["id"], "button": "Approve"}
    begun = await stack.stage.call("POST", "presses", press)
    await unanswered(stack, begun["interaction"])
    assert (await stack.rollout(id_))["phase"] == "gated"
    await stack.demo.start_bot()
    await stack.ready()
    await stack.press("lead", id_, "Approve")
    await stack.phase(id_, "succeeded")


async def test_a_rollout_that_an_older_version_stored_is_finished(stack: Stack) -> None:
    id_ = await stack.deploy("checkout", "1.6.1", "endurance")
    await stack.phase(id_, "soaking")
    await stack.demo.end_bot(signal.SIGKILL)
    charter = part(await stack.rollout(id_), "charter")
    charter["plan"] = as_version_0(charter["plan"])
    await stack.rows("UPDATE rollouts SET charter = $2 WHERE id = $1", id_, json.dumps(charter))
    await stack.demo.start_bot()
    row = await stack.phase(id_, "succeeded")
    assert part(row, "charter")["plan"]["steps"] == charter["plan"]["steps"]
    await stack.served_by("checkout", "endurance", "1.6.1")


async def part_of_trace(stack: Stack, traces: Collector, name: str) -> Any:
    """Waits until a span has been sent; a bot that is killed within a second of a span's end takes it along."""

    async def sent() -> Any:
        return next((span for span in traces.spans if span.name == name), None)

    return await stack.until(f"the span {name!r}", sent)


async def one_trace(stack: Stack, row: Any, traces: Collector) -> None:
    """Waits for the rollout's own span: whichever process made them, each step is there once, in one trace."""
    own = await part_of_trace(stack, traces, f"RUN {row['service']}/{row['environment']}")
    assert own.trace_id.hex() == trace_id_of((row["id"], row["created_at"]))
    spans = [span for span in traces.spans if span.trace_id == own.trace_id]
    assert len({span.span_id for span in spans}) == len(spans)
    steps = [span for span in spans if span.parent_span_id == own.span_id]
    assert sorted(span.name for span in steps) == [
        "observe 1 s", "shift 100%", "shift 40%", "soak 20 s", "take over", "verify"
    ]  # fmt: skip
    soak = next(span for span in steps if span.name == "soak 20 s")
    assert {plain(event.attributes)["slipway.verdict"] for event in soak.events} == {"PASS"}


async def unanswered(stack: Stack, interaction: str) -> None:
    """Waits until the person has been told that the bot did not answer."""
    with contextlib.suppress(StoryError):
        found = await stack.stage.answer(interaction)
        raise AssertionError(f"answered: {found}")


def as_version_0(plan: Json) -> Json:
    """The plan as the version before wrote it: a step is its one key."""
    main = {"shift": "weight", "soak": "duration_s", "observe": "duration_s"}
    steps = []
    for step in plan["steps"]:
        kind, rest = step["kind"], {k: v for k, v in step.items() if k != "kind"}
        steps.append({kind: rest[main[kind]] if kind in main else rest})
    return {"name": plan["name"], "steps": steps}
