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


def around() -> Any:
    return SimpleNamespace(
        lane=Lane("web", "production"),
        release=SimpleNamespace(version="1.2.0"),
        spec=SimpleNamespace(
            ready_path="/healthz", health=None, ready=SimpleNamespace(timeout_s=READY_S, alive_s=1.0)
        ),
        restart=False,
        outages=0,
        changed=lambda: None,
        was_ready=lambda task: False,
    )


async def _down_after(outage_at: float | None) -> float:
    """Seconds until a replica that runs and never answers is given up."""
    surroundings = around()
    replica = Replica(cast(ReplicaSurroundings, surroundings), 0)
    # It has no address yet, so no request is made.
    replica.see([Task("t", 1, "running", "running", "", 0, "c", "", None, None, {})])
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
