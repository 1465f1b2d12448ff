"""What every `Runtime` promises, on each of them."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bot.domain.rollout.model import Lane, Release, RunState
from bot.ports.errors import TargetRefused
from tests.support.runtimes import (
    LANE,
    TOKEN,
    Behaviour,
    DockerKit,
    ProcessKit,
    RuntimeKit,
    RuntimeWorld,
    SwarmKit,
    answer,
    host_dies,
)
from tests.support.waiting import until

OTHER = Lane("web", "staging")

# A host that is killed closes nothing.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@dataclass
class RuntimeSubject(RuntimeWorld):
    """A runtime that is examined, and what it told of changes."""

    changed: list[Lane] = field(default_factory=list)

    def release(self, version: str, behaviour: Behaviour = "serves", **spec: object) -> Release:
        return self.kit.release(version, behaviour, **spec)

    async def gone(self, release: Release, lane: Lane = LANE) -> None:
        await until(lambda: self.seen(release, lane), lambda seen: seen is None)

    async def replaced(self) -> None:
        """The host is killed, and another one takes over."""
        await host_dies()
        self.runtime = self.kit.make()
        await self.runtime.start(self.changed.append)


@pytest.fixture(
    params=[
        "process",
        pytest.param("docker", marks=pytest.mark.real),
        pytest.param("swarm", marks=pytest.mark.real),
    ]
)
async def subject(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RuntimeSubject]:
    kit: RuntimeKit = ProcessKit(tmp_path)
    if request.param == "docker":
        kit = DockerKit(request.getfixturevalue("docker"), tmp_path)
    elif request.param == "swarm":
        kit = SwarmKit(request.getfixturevalue("swarm"), tmp_path)
    subject = RuntimeSubject(kit, kit.make())
    await subject.runtime.start(subject.changed.append)
    yield subject
    await subject.runtime.close()
    gc.collect()


async def test_nothing_runs_at_first(subject: RuntimeSubject) -> None:
    assert await subject.runtime.observe() == {}


async def test_release_becomes_ready_and_answers_where_it_says(subject: RuntimeSubject) -> None:
    release = subject.release("1.0")
    seen = await subject.ready(release)
    (instance,) = seen.instances
    assert (seen.version, instance.index, instance.detail, instance.restarts) == ("1.0", 0, "", 0)
    assert await answer(instance) == "1.0"
    assert LANE in subject.changed


async def test_running_it_again_and_again_changes_nothing(subject: RuntimeSubject) -> None:
    release = subject.release("1.0")
    first = await subject.ready(release)
    for _ in range(20):
        subject.runtime.run(LANE, release, restart=True)
        await asyncio.sleep(0.01)
    assert await subject.seen(release) == first


async def test_candidate_runs_beside_stable_and_lanes_beside_each_other(subject: RuntimeSubject) -> None:
    stable, candidate = subject.release("1.0"), subject.release("1.1")
    places = {
        (instance.host, instance.port)
        for release, lane in ((stable, LANE), (candidate, LANE), (stable, OTHER))
        for instance in (await subject.ready(release, lane)).instances
    }
    assert len(places) == 3
    observed = await subject.runtime.observe()
    assert {lane: set(releases) for lane, releases in observed.items()} == {
        LANE: {stable.digest, candidate.digest},
        OTHER: {stable.digest},
    }


async def test_all_instances_run_and_each_has_its_own_name_and_address(subject: RuntimeSubject) -> None:
    seen = await subject.ready(subject.release("1.0", instances=2))
    assert [instance.index for instance in seen.instances] == [0, 1]
    assert len({instance.name for instance in seen.instances}) == 2
    assert len({instance.port for instance in seen.instances}) == 2


async def test_release_that_exits_at_start_stays_crashed_and_says_why_without_secrets(
    subject: RuntimeSubject,
) -> None:
    release = subject.release("bad", "dies")
    subject.runtime.run(LANE, release, restart=False)
    seen = await subject.until(
        release, lambda seen: seen.state is RunState.CRASHED and seen.instances[0].detail
    )
    detail = seen.instances[0].detail
    assert "exited with code 3" in detail and "no database" in detail and TOKEN not in detail
    await asyncio.sleep(1)
    assert await subject.seen(release) == seen


async def test_crash_loop_is_never_ready_and_counts_its_restarts(subject: RuntimeSubject) -> None:
    release = subject.release("bad", "dies")
    subject.runtime.run(LANE, release, restart=True)
    seen = await subject.until(
        release, lambda seen: seen.instances[0].restarts >= 2 and seen.instances[0].detail
    )
    assert not seen.ready and "exited with code 3" in seen.instances[0].detail


async def test_release_that_does_not_get_ready_in_time_has_crashed(subject: RuntimeSubject) -> None:
    release = subject.release("slow", "never ready")
    subject.runtime.run(LANE, release, restart=False)
    seen = await subject.until(release, lambda seen: seen.state is RunState.CRASHED)
    assert "did not answer GET /healthz within 1 s" in seen.instances[0].detail


async def test_killed_instance_comes_back_under_another_name_where_restarts_are_on(
    subject: RuntimeSubject,
) -> None:
    release = subject.release("1.0")
    before = (await subject.ready(release, restart=True)).instances[0]
    await subject.kit.kill(before)
    seen = await subject.until(release, lambda seen: seen.ready and seen.instances[0].restarts)
    assert seen.instances[0].name != before.name
    assert await answer(seen.instances[0]) == "1.0"


async def test_killed_instance_stays_down_where_restarts_are_off(subject: RuntimeSubject) -> None:
    release = subject.release("1.0")
    await subject.kit.kill((await subject.ready(release)).instances[0])
    seen = await subject.until(
        release, lambda seen: seen.state is RunState.CRASHED and seen.instances[0].detail
    )
    assert not seen.ready
    subject.runtime.run(LANE, release, restart=True)
    await subject.until(release, lambda seen: seen.state is RunState.READY)


async def test_drained_release_is_gone_and_its_address_refuses(subject: RuntimeSubject) -> None:
    release = subject.release("1.0", drain_s=60.0)
    instance = (await subject.ready(release)).instances[0]
    subject.runtime.stop(LANE, release.digest, drained=True)
    await subject.gone(release)
    with pytest.raises(OSError):
        await answer(instance)


async def test_undrained_release_serves_while_it_drains_and_can_be_taken_back(
    subject: RuntimeSubject,
) -> None:
    release = subject.release("1.0", drain_s=60.0)
    before = await subject.ready(release)
    subject.runtime.stop(LANE, release.digest, drained=False)
    seen = await subject.until(release, lambda seen: seen.stopping)
    assert seen.state is RunState.DRAINING and await answer(seen.instances[0]) == "1.0"
    subject.runtime.run(LANE, release, restart=True)
    assert await subject.seen(release) == before


async def test_drain_ends_by_itself(subject: RuntimeSubject) -> None:
    release = subject.release("1.0")
    await subject.ready(release)
    subject.runtime.stop(LANE, release.digest, drained=False)
    await subject.gone(release)


async def test_release_that_ignores_its_signal_is_killed(subject: RuntimeSubject) -> None:
    release = subject.release("1.0", "stubborn", stop_s=3.0)
    instance = (await subject.ready(release)).instances[0]
    seen = None
    for _ in range(3):  # as the host does at every look
        subject.runtime.stop(LANE, release.digest, drained=True)
        seen = seen or await subject.seen(release)
        await asyncio.sleep(0.1)
    assert seen is not None and seen.stopping and seen.state is not RunState.READY
    await subject.gone(release)
    with pytest.raises(OSError):
        await answer(instance, "/healthz")


async def test_release_that_was_stopped_runs_again_when_it_is_asked_for(subject: RuntimeSubject) -> None:
    release = subject.release("1.0")
    before = await subject.ready(release)
    subject.runtime.stop(LANE, release.digest, drained=True)
    await subject.gone(release)
    after = await subject.ready(release)
    assert after.instances[0].name != before.instances[0].name


async def test_stopping_what_is_not_there_is_no_error(subject: RuntimeSubject) -> None:
    subject.runtime.stop(LANE, "sha256:missing", drained=False)
    assert await subject.runtime.observe() == {}


async def test_next_host_takes_over_what_runs_and_its_users_notice_nothing(subject: RuntimeSubject) -> None:
    release = subject.release("1.0", instances=2)
    before = await subject.ready(release)
    await subject.replaced()
    subject.runtime.run(LANE, release, restart=True)
    assert await subject.until(release, lambda seen: seen.state is RunState.READY) == before
    await asyncio.sleep(0.5)
    assert await subject.seen(release) == before
    assert {await answer(instance) for instance in before.instances} == {"1.0"}


async def test_next_host_can_stop_what_the_former_one_ran(subject: RuntimeSubject) -> None:
    release = subject.release("1.0")
    await subject.ready(release)
    await subject.replaced()
    subject.runtime.stop(LANE, release.digest, drained=True)
    await subject.gone(release)


async def test_next_host_ends_a_start_that_the_former_one_began(subject: RuntimeSubject) -> None:
    release = subject.release("1.0", instances=2)
    subject.runtime.run(LANE, release, restart=True)
    await asyncio.sleep(0.15)
    await subject.replaced()
    seen = await subject.ready(release)
    assert len(seen.instances) == 2 and {await answer(each) for each in seen.instances} == {"1.0"}


async def test_closing_leaves_nothing_of_this_host_and_everything_of_another(subject: RuntimeSubject) -> None:
    mine, theirs = subject.release("1.0"), subject.release("2.0")
    other = RuntimeSubject(subject.kit, subject.kit.make("two"))
    await other.runtime.start(other.changed.append)
    await subject.ready(mine)
    kept = await other.ready(theirs)
    assert set(await subject.runtime.observe()) == {LANE}
    await subject.runtime.close()
    assert await other.seen(theirs) == kept
    assert await answer(kept.instances[0]) == "2.0"
    subject.runtime = other.runtime


def test_release_that_cannot_run_is_refused_with_every_reason(subject: RuntimeSubject) -> None:
    with pytest.raises(TargetRefused, match=r"^web 1\.0 cannot run ") as refused:
        subject.runtime.check(subject.release("1.0", instances=0, stop_s=-1), exclusive=False)
    assert "instances" in str(refused.value) and "stop_s" in str(refused.value)
    with pytest.raises(TargetRefused, match=r"web is exclusive, so 1\.0 cannot have 2 instances"):
        subject.runtime.check(subject.release("1.0", instances=2), exclusive=True)
    subject.runtime.check(subject.release("1.0"), exclusive=True)
