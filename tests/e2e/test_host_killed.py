"""What runs the releases is killed: the process host, a release of its, both at once. Users are served on."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from typing import Any

import pytest

from tests.support.e2e.acts import audited
from tests.support.e2e.heard import said_once
from tests.support.e2e.stack import Stack, lanes, marks

pytestmark = [*marks("host"), pytest.mark.real]
LANES = lanes("checkout/endurance", "search/endurance", "mail/endurance")


async def test_the_host_killed_in_a_soak_comes_back_with_the_same_releases(stack: Stack) -> None:
    since = await stack.cursor("checkout", "endurance")
    id_ = await stack.deploy("checkout", "1.6.0", "endurance")
    await stack.phase(id_, "soaking")
    were = [stack.release_pids("checkout", "endurance", v) for v in ("1.4.0", "1.6.0")]
    await stack.kill_host()
    row = await stack.phase(id_, "succeeded", "rolled_back")
    back = "1.6.0" if row["phase"] == "succeeded" else "1.4.0"
    await stack.served_by("checkout", "endurance", back)
    assert row["phase"] == "succeeded", row["outcome"]
    assert [stack.starts("checkout", "endurance", v) for v in ("1.4.0", "1.6.0")] == [1, 1]
    assert stack.release_pids("checkout", "endurance", "1.6.0") == were[1]
    # The router is a program of its own, which the host finds again.
    assert await stack.foreign_errors("checkout", "endurance", since) == []


async def test_host_and_watchdog_killed_the_bot_brings_stable_back(stack: Stack) -> None:
    was = stack.host_pids()
    for name in ("watchdog", "host"):
        os.kill(was[name], signal.SIGKILL)

    async def another() -> bool | None:
        with contextlib.suppress(OSError, ValueError):  # it is written while it is read
            return True if stack.host_pids()["host"] != was["host"] else None
        return None

    await stack.until("another host", another)
    for lane in LANES:
        await stack.until(f"{lane.service} to be served", lambda lane=lane: served(stack, lane.service))
    await stack.bot_back()


async def served(stack: Stack, service: str) -> bool | None:
    """Whether all recent answers came from a release."""
    shares = (await stack.stage.users(service, "endurance"))["shares"]
    return True if shares and "none" not in shares else None


async def test_a_candidate_that_dies_in_a_soak_is_rolled_back_and_only_its_own_users_see_it(
    stack: Stack,
) -> None:
    since = await stack.cursor("search", "endurance")
    before = await stack.stage.last_message("alerts")
    id_ = await stack.deploy("search", "1.6.0", "endurance")
    await stack.phase(id_, "soaking")
    (pid,) = stack.release_pids("search", "endurance", "1.6.0")
    killed = time.time()
    os.kill(pid, signal.SIGKILL)
    row = await stack.phase(id_, "rolled_back")
    over = time.time()
    await stack.served_by("search", "endurance", "1.4.0")
    # Whichever is seen first: its death, or the requests that failed with it.
    assert re.search(r"1\.6\.0 crashed|requests failed", row["outcome"]), row["outcome"]
    alert = await stack.stage.message("alerts", "search", "1.6.0", after=before)
    assert alert["notified"] == ["oncall"]
    # The router answers for it until its share is stable's.
    assert_only_of_requests(killed, over, await stack.foreign_errors("search", "endurance", since))
    assert stack.starts("search", "endurance", "1.6.0") == 1
    assert (await audited(stack, id_))["rolled_back"] == 1
    await said_once(stack, id_)


async def test_a_stable_that_dies_in_a_soak_is_started_again_and_the_rollout_goes_on(stack: Stack) -> None:
    since = await stack.cursor("mail", "endurance")
    id_ = await stack.deploy("mail", "1.6.0", "endurance")
    await stack.phase(id_, "soaking")
    (pid,) = stack.release_pids("mail", "endurance", "1.4.0")
    killed = time.time()
    os.kill(pid, signal.SIGKILL)
    await stack.phase(id_, "succeeded")
    await stack.served_by("mail", "endurance", "1.6.0")
    # Until another process was ready, on a machine that may be busy.
    assert_only_of_requests(killed, killed + 60, await stack.foreign_errors("mail", "endurance", since))


def assert_only_of_requests(since: float, to: float, errors: list[dict[str, Any]]) -> None:
    """Every error ended after `since` and is of a request that began before `to`."""
    assert all(since - 1 <= e["at"] and e["at"] - e["ms"] / 1000 <= to for e in errors), errors


async def test_after_a_reboot_in_a_soak_stable_serves_and_the_rollout_is_ended_right(stack: Stack) -> None:
    stable = (await stack.stage.users("search", "endurance"))["shares"]
    assert list(stable) == ["1.4.0"]
    id_ = await stack.deploy("search", "1.6.1", "endurance")
    await stack.phase(id_, "soaking")
    await everything_killed(stack)
    await stack.demo.start_bot()
    await stack.phase(id_, "rolled_back")
    await stack.served_by("search", "endurance", "1.4.0")
    assert stack.starts("search", "endurance", "1.6.1") == 1
    await said_once(stack, id_)


async def everything_killed(stack: Stack) -> None:
    """The bot, the host, its watchdog and all releases at once: PostgreSQL and Discord are elsewhere."""
    pids = stack.host_pids()
    releases = [
        pid
        for lane in LANES
        for version in ("1.4.0", "1.6.0", "1.6.1")
        for pid in stack.release_pids(lane.service, lane.environment, version)
    ]
    await stack.demo.end_bot(signal.SIGKILL)
    for pid in (pids["watchdog"], pids["host"], *releases):
        with contextlib.suppress(ProcessLookupError):  # a warm release may have been stopped since
            os.kill(pid, signal.SIGKILL)
