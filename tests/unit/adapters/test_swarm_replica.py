"""When a replica of a swarm has not become ready in time."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bot.adapters.runtimes.swarm.replica import Replica, ReplicaSurroundings
from bot.adapters.runtimes.swarm.tasks import Task
from bot.domain.rollout.model import Lane, RunState
from tests.support.virtual_time import VirtualLoop

READY_S = 30.0
# What an engine may take for a start beside that.
START_S = 30.0


def around(*, health: object = None) -> Any:
    return SimpleNamespace(
        lane=Lane("web", "production"),
        release=SimpleNamespace(version="1.2.0"),
        spec=SimpleNamespace(
            ready_path="/healthz", health=health, ready=SimpleNamespace(timeout_s=READY_S, alive_s=1.0)
        ),
        restart=False,
        outages=0,
        changed=lambda: None,
        was_ready=lambda task: False,
    )


def in_state(state: str) -> Task:
    return Task("t", 1, state, "running", "", 0, "c", "", None, None, {})


async def _down_after(outage_at: float | None) -> float:
    """Seconds until a replica that runs and never answers is given up."""
    surroundings = around()
    replica = Replica(cast(ReplicaSurroundings, surroundings), 0)
    # It has no address yet, so no request is made.
    replica.see([in_state("running")])
    replica.start()
    clock = asyncio.get_running_loop().time
    while not replica.down:
        await asyncio.sleep(0.5)
        if outage_at is not None and clock() >= outage_at:
            surroundings.outages, outage_at = 1, None
    assert replica.state is RunState.CRASHED and replica.detail == "did not answer GET /healthz within 30 s"
    await replica.end()
    return clock()


@pytest.mark.parametrize(("outage_at", "seconds"), [(None, READY_S), (20.0, 20 + READY_S)])
def test_time_before_the_engine_came_back_does_not_count(outage_at: float | None, seconds: float) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(_down_after(outage_at)) == pytest.approx(seconds, abs=1.5)


async def _down(*, starts_for_s: float, health: object = None) -> tuple[float, str]:
    """Seconds until a replica is given up that its engine takes so long to start, and that never answers; and why."""
    replica = Replica(cast(ReplicaSurroundings, around(health=health)), 0)
    replica.see([in_state("starting")])
    replica.start()
    clock = asyncio.get_running_loop().time
    while not replica.down:
        await asyncio.sleep(0.5)
        if clock() >= starts_for_s:
            replica.see([in_state("running")])
    await replica.end()
    return clock(), replica.detail


@pytest.mark.parametrize(
    ("starts_for_s", "health", "seconds", "detail"),
    [
        (20.0, None, 20 + READY_S, "did not answer GET /healthz within 30 s"),
        (20.0, "a check", READY_S, "did not answer GET /healthz within 30 s"),
        (99.0, "a check", READY_S, "was not healthy within 30 s"),
        (
            99.0,
            None,
            READY_S + START_S,
            "did not start within 60 s, or the health check of its image did not pass",
        ),
    ],
)
def test_time_that_its_engine_takes_for_a_start_does_not_count(
    starts_for_s: float, health: object, seconds: float, detail: str
) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        took, why = runner.run(_down(starts_for_s=starts_for_s, health=health))
    assert took == pytest.approx(seconds, abs=1.5) and why == detail
