"""The host's routing: addresses, settings, counts, and what it tells Prometheus."""

from __future__ import annotations

import asyncio
import socket
from collections import Counter

import pytest

from bot.adapters.metrics.router import RouterMetrics
from bot.adapters.targets.hosted.host.host import Host
from bot.adapters.targets.hosted.settings import HostedLaneSettings
from bot.adapters.targets.hosted.target import HostedTarget
from bot.domain.judge.evidence.ticks import CounterReading
from bot.domain.rollout.model import Desired, Lane
from bot.ports.errors import TargetRefused
from tests.support.host import LANE, Users, process_target, release, settled
from tests.support.waiting import until

pytestmark = pytest.mark.real

ONE, TWO = release("1"), release("2")


async def reading(target: HostedTarget, digest: str) -> CounterReading:
    """The one reading of a release, once all its requests are counted."""
    (sample,) = await RouterMetrics(target).sample(LANE, [digest])
    assert sample.error is None
    (found,) = sample.readings
    return found


async def judged_by(target: HostedTarget, limit_s: float) -> None:
    await target.configure({LANE: HostedLaneSettings(listen_port=0, latency_limits_s=(limit_s,))})


async def test_weight_zero_holds_for_the_very_next_request(target: HostedTarget, users: Users) -> None:
    await target.apply(LANE, Desired(1, ONE, TWO, 50))
    await settled(target, {"1": 50, "2": 50})
    await users.ask(10)
    users.got.clear()

    await target.apply(LANE, Desired(2, ONE, TWO, 0))
    await users.ask(50)

    assert users.got == {"1": 50}


async def test_metrics_page_has_a_line_for_each_release_and_outcome(
    target: HostedTarget, users: Users
) -> None:
    await target.apply(LANE, Desired(1, ONE))
    await settled(target, {"1": 100})
    await users.ask(3)
    await users.ask(1, "/500")
    host, port = (await target.describe())["metrics"]

    async def page() -> str:
        async with users.session.get(f"http://{host}:{port}/metrics") as answer:
            return await answer.text()

    def requests(text: str) -> float:
        samples = [line.rsplit(" ", 1) for line in _samples(text) if "requests_total" in line]
        return sum(float(number) for _, number in samples)

    # A request is counted just after its client has the response, in several counters one after the other.
    await until(page, lambda text: requests(text) == 4)
    text = await page()
    async with users.session.get(f"http://{host}:{port}/else") as elsewhere:
        assert elsewhere.status == 404

    labels = 'environment="production",outcome="{}",service="checkout",version="1"'
    lines = {"".join(line.split("{")[0]): line for line in text.splitlines()}
    assert "slipway_router_request_duration_seconds_bucket" in lines
    samples = Counter({line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in _samples(text)})
    named = {
        frozenset(name.rstrip("}").split("{")[1].split(",")): n
        for name, n in samples.items()
        if "requests_total" in name
    }
    assert named[frozenset(labels.format("ok").split(","))] == 3
    assert named[frozenset(labels.format("error").split(","))] == 1


def _samples(text: str) -> list[str]:
    return [line for line in text.splitlines() if line and not line.startswith("#")]


async def test_address_that_is_taken_is_refused_with_a_sentence(target: HostedTarget) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(TargetRefused, match="cannot listen"):
            await target.configure({LANE: HostedLaneSettings(listen_port=port)})


async def test_lane_that_cannot_listen_does_not_keep_the_others_from_work(
    host: Host, target: HostedTarget
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        other = Lane("other", "production")
        port = taken.getsockname()[1]
        both = process_target(
            host.data_dir,
            {other: HostedLaneSettings(listen_port=port), LANE: HostedLaneSettings(listen_port=0)},
            start_host=False,
        )
        await both.apply(LANE, Desired(1, ONE))
        await settled(both, {"1": 100})
        with pytest.raises(TargetRefused, match="cannot listen"):
            await both.apply(other, Desired(1, ONE))


async def test_settings_that_keep_the_address_interrupt_no_request(
    target: HostedTarget, users: Users
) -> None:
    await target.apply(LANE, Desired(1, ONE))
    await settled(target, {"1": 100})
    slow = asyncio.create_task(users.ask(1, "/slow?s=1.5"))
    await asyncio.sleep(0.1)
    await target.configure({LANE: HostedLaneSettings(listen_port=0, sticky_header="X-User")})
    await slow
    assert users.got == {"1": 1}
