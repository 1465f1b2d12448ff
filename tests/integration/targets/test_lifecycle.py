"""Releases as processes: started, watched, replaced, drained and stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from bot.adapters.metrics.router import RouterMetrics
from bot.adapters.targets.hosted.host.host import Host
from bot.adapters.targets.hosted.settings import HostedLaneSettings
from bot.adapters.targets.hosted.target import HostedTarget
from bot.domain.rollout.model import Desired, Observed, Release, RunState
from bot.ports.errors import TargetRefused
from tests.support.host import EXCLUSIVE, LANE, Users, gone, release, settled
from tests.support.waiting import until

pytestmark = pytest.mark.real

ONE, TWO = release("1"), release("2")


async def pid_of(users: Users, version: str) -> int:
    while True:
        async with users.session.get(users.address + "/") as answer:
            said = await answer.json()
        if said["version"] == version:
            return int(said["pid"])


def of(observed: Observed, found: Release) -> RunState | None:
    running = observed.of(found.digest)
    return running.state if running else None


async def test_candidate_that_is_killed_leaves_its_share_to_stable(
    target: HostedTarget, users: Users
) -> None:
    await target.apply(LANE, Desired(1, ONE, TWO, 50))
    await settled(target, {"1": 50, "2": 50})
    victim = await pid_of(users, "2")
    stop = asyncio.Event()
    crowd = [asyncio.create_task(users.ask_until(stop)) for _ in range(4)]
    await until(lambda: _say(users.got["2"]), lambda n: n > 20)

    os.kill(victim, signal.SIGKILL)
    observed = await until(lambda: target.observe(LANE), lambda o: of(o, TWO) is RunState.CRASHED)
    users.got.clear()
    await until(lambda: _say(users.got["1"]), lambda n: n > 50)
    stop.set()
    await asyncio.gather(*crowd)

    found = observed.of(TWO.digest)
    assert found is not None and "SIGKILL" in found.detail and found.weight == 0 and found.restarts == 0
    assert observed.weight_of(ONE.digest) == 100
    # Each of the four may have had one request on its way when its share went to stable.
    assert users.got.total() - users.got["1"] <= 4, users.got
    assert of(await target.observe(LANE), TWO) is RunState.CRASHED  # and no one started it again


LEAKS = """
import base64, json, os, sys
from urllib.parse import quote
env = os.environ
print("stripe refused", env["STRIPE_KEY"], file=sys.stderr)
print("DSN postgres://shop:" + quote(env["DB_PASS"]) + "@db/shop twice", quote(quote(env["DB_PASS"])), file=sys.stderr)
print(json.dumps({"signed": env["SIGNING_KEY"], "hex": env["SIGNING_KEY"].encode().hex()}), file=sys.stderr)
basic = base64.b64encode(("shop:" + env["FROM_FILE"]).encode()).decode()
print("header", basic, "region", env["REGION"], "argument", sys.argv[1], file=sys.stderr)
sys.exit("found " + "AKIA" + "QYLPMN5HHHFPZAM2 in colour " + env["COLOUR"])
"""
ENV = {
    "STRIPE_KEY": "rk-0123456789",
    "DB_PASS": "p@ss/w0rd",
    "SIGNING_KEY": 'quoted "key"',
    "REGION": "moon-base-1",
    "COLOUR": "green",
}


async def test_last_words_of_a_crashed_candidate_are_told_without_its_secrets(
    target: HostedTarget, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "shop.env").write_text("FROM_FILE=only-in-a-file\n")
    spec = {
        "command": [sys.executable, "-c", LEAKS, "given-on-the-line"],
        "env": ENV,
        "env_file": str(tmp_path / "shop.env"),
        "secrets": {"env.REGION": ["moon-base-1"], "command": ["given-on-the-line"]},
    }
    bad = Release("checkout", "2", "sha256:2", spec=spec)
    await target.apply(LANE, Desired(1, ONE, bad))
    observed = await until(lambda: target.observe(LANE), lambda o: of(o, bad) is RunState.CRASHED)

    found = observed.of(bad.digest)
    assert found is not None
    assert found.detail == (
        "2.0 exited with code 1; last words: stripe refused *** | DSN postgres://shop:***@db/shop twice *** | "
        '{"signed": "***", "hex": "***"} | header c2hvcD*** region *** argument *** | found *** in colour green'
    )
    # Nor does the host tell its own log.
    assert "last words: stripe refused ***" in caplog.text
    for secret in (*ENV.values(), "only-in-a-file", "given-on-the-line"):
        assert secret == "green" or secret not in caplog.text


async def test_command_that_does_not_exist_is_a_crash_with_a_reason(target: HostedTarget) -> None:
    bad = Release("checkout", "2", "sha256:2", spec={"command": ["/no/such/program"]})
    await target.apply(LANE, Desired(1, ONE, bad))
    observed = await until(lambda: target.observe(LANE), lambda o: of(o, bad) is RunState.CRASHED)
    found = observed.of(bad.digest)
    assert found is not None and "No such file" in found.detail


async def test_candidate_that_never_gets_ready_is_stopped_and_reported(target: HostedTarget) -> None:
    bad = release("2", "--never-ready", ready={"timeout_s": 0.6})
    await target.apply(LANE, Desired(1, ONE, bad, 50))
    observed = await until(lambda: target.observe(LANE), lambda o: of(o, bad) is RunState.CRASHED)
    found = observed.of(bad.digest)
    assert found is not None and "did not answer GET /healthz within 0.6 s" in found.detail
    assert observed.weight_of(bad.digest) == 0


async def test_stable_that_dies_is_started_again_and_serves(target: HostedTarget, users: Users) -> None:
    await target.apply(LANE, Desired(1, ONE))
    await settled(target, {"1": 100})
    victim = await pid_of(users, "1")

    os.kill(victim, signal.SIGKILL)
    found = await until(
        lambda: target.observe(LANE), lambda o: (r := o.of(ONE.digest)) and r.restarts and r.weight
    )
    await users.ask(5)

    assert users.got == {"1": 5}
    assert found.running[0].restarts == 1
    assert await pid_of(users, "1") != victim


async def test_dead_stable_does_not_give_its_share_to_the_candidate(
    target: HostedTarget, users: Users, tmp_path: Path
) -> None:
    alive = tmp_path / "alive"
    alive.touch()
    fragile = release("1", "--die-unless", str(alive))
    await target.apply(LANE, Desired(1, fragile, TWO, 5))
    await settled(target, {"1": 95, "2": 5})
    alive.unlink()

    os.kill(await pid_of(users, "1"), signal.SIGKILL)
    observed = await until(lambda: target.observe(LANE), lambda o: of(o, fragile) is RunState.CRASHED)

    assert observed.weight_of(TWO.digest) == 5 and observed.weight_of(fragile.digest) == 0


async def test_release_that_loses_all_traffic_finishes_what_it_began(
    target: HostedTarget, users: Users, tmp_path: Path
) -> None:
    over = tmp_path / "over"
    await target.apply(LANE, Desired(1, ONE, TWO, 100))
    await settled(target, {"2": 100})
    slow = asyncio.create_task(users.ask(3, f"/held?until={over}"))
    await until(lambda: _in_flight(target, TWO.digest), lambda n: n == 1)

    await target.apply(LANE, Desired(2, ONE))
    await until(lambda: target.observe(LANE), lambda o: of(o, TWO) is RunState.DRAINING)
    over.touch()
    await until(lambda: target.observe(LANE), lambda o: of(o, TWO) is None)
    await slow

    assert users.got == {"2": 1, "1": 2}


async def test_drain_ends_after_its_time(target: HostedTarget, users: Users) -> None:
    short = release("2", drain_s=0.3, stop_s=0.3)
    await target.apply(LANE, Desired(1, ONE, short, 100))
    await settled(target, {"2": 100})
    hanging = asyncio.create_task(users.ask(1, "/hang"))
    await until(lambda: _in_flight(target, short.digest), lambda n: n == 1)

    await target.apply(LANE, Desired(2, ONE))
    await until(lambda: target.observe(LANE), lambda o: of(o, short) is None)
    hanging.cancel()


async def test_draining_release_that_is_wanted_again_goes_on(
    target: HostedTarget, users: Users, tmp_path: Path
) -> None:
    over = tmp_path / "over"
    await target.apply(LANE, Desired(1, ONE, TWO, 100))
    await settled(target, {"2": 100})
    pid = await pid_of(users, "2")
    slow = asyncio.create_task(users.ask(1, f"/held?until={over}"))
    await until(lambda: _in_flight(target, TWO.digest), lambda n: n == 1)
    await target.apply(LANE, Desired(2, ONE))

    await target.apply(LANE, Desired(3, ONE, TWO, 100))
    await settled(target, {"2": 100})
    over.touch()
    await slow

    assert await pid_of(users, "2") == pid


async def test_cold_rollback_keeps_the_old_one_serving_until_the_former_is_ready(
    target: HostedTarget, users: Users
) -> None:
    late = release("1", "--ready-after", "0.5")
    await target.apply(LANE, Desired(1, TWO))
    await settled(target, {"2": 100})
    stop = asyncio.Event()
    crowd = asyncio.create_task(users.ask_until(stop))

    await target.apply(LANE, Desired(2, late))
    await settled(target, {"1": 100})
    stop.set()
    await crowd

    assert set(users.got) <= {"1", "2"}, users.got


async def test_every_instance_serves_and_the_others_go_on_when_one_dies(
    target: HostedTarget, users: Users
) -> None:
    three = release("1", instances=3)
    await target.apply(LANE, Desired(1, three))
    await settled(target, {"1": 100})

    async def pids() -> set[int]:
        answers = await asyncio.gather(*(users.session.get(users.address + "/") for _ in range(30)))
        return {(await answer.json())["pid"] for answer in answers}

    before = await pids()
    assert len(before) == 3
    victim = before.pop()
    os.kill(victim, signal.SIGKILL)
    await until(lambda: gone(victim))
    users.got.clear()
    await users.ask(30)
    assert users.got == {"1": 30}
    await until(lambda: target.observe(LANE), lambda o: o.running[0].restarts == 1)
    (sample,) = await RouterMetrics(target).sample(LANE, [three.digest])
    assert [r.instance for r in sample.readings] == ["router"]


async def test_whole_process_group_goes_also_when_a_child_ignores_the_signal(
    target: HostedTarget, users: Users
) -> None:
    parent = release("2", "--child", stop_s=0.5)
    await target.apply(LANE, Desired(1, ONE, parent, 50))
    await settled(target, {"1": 50, "2": 50})
    (child,) = psutil.Process(await pid_of(users, "2")).children()

    await target.apply(LANE, Desired(2, ONE))
    await until(lambda: target.observe(LANE), lambda o: of(o, parent) is None)

    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


async def test_release_that_ignores_the_stop_signal_is_killed(target: HostedTarget, users: Users) -> None:
    stubborn = release("2", "--ignore-term", stop_s=0.3)
    await target.apply(LANE, Desired(1, ONE, stubborn, 50))
    await settled(target, {"1": 50, "2": 50})
    pid = await pid_of(users, "2")
    await target.apply(LANE, Desired(2, ONE))
    await until(lambda: target.observe(LANE), lambda o: of(o, stubborn) is None)
    assert not psutil.pid_exists(pid)


async def test_release_inherits_no_secrets_of_ours(
    target: HostedTarget, users: Users, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DISCORD_TOKEN", "do-not-tell")
    await target.apply(LANE, Desired(1, release("1", env={"MINE": "{environment}/{instance}"})))
    await settled(target, {"1": 100})
    environment = psutil.Process(await pid_of(users, "1")).environ()
    assert "DISCORD_TOKEN" not in environment
    assert environment["MINE"] == "production/0" and environment["PORT"].isdigit()


async def test_spec_with_mistakes_is_refused_with_all_of_them_and_no_values(target: HostedTarget) -> None:
    bad = Release(
        "checkout",
        "9",
        "sha256:9",
        spec={"command": ["x"], "cwd": "here", "env": {"A": 5}, "colour": "s3cret"},
    )
    with pytest.raises(TargetRefused) as refused:
        await target.apply(LANE, Desired(1, bad))
    sentence = str(refused.value)
    assert all(key in sentence for key in ("cwd", "env.A", "colour")) and "s3cret" not in sentence


class TestExclusive:
    @pytest.fixture
    def settings(self) -> HostedLaneSettings:
        return EXCLUSIVE

    async def test_two_releases_never_run_at_once(
        self, target: HostedTarget, users: Users, tmp_path: Path
    ) -> None:
        lock, journal = tmp_path / "lock", tmp_path / "journal"
        alone = ("--only-one", str(lock), "--journal", str(journal))
        old, new = release("1", *alone), release("2", *alone)
        await target.apply(LANE, Desired(1, old))
        await settled(target, {"1": 100})
        stop = asyncio.Event()
        crowd = asyncio.create_task(users.ask_until(stop))

        for generation, weight in enumerate((100, 0, 100, 0), start=2):
            await target.apply(LANE, Desired(generation, old, new, weight))
            await settled(target, {"1": 100 - weight, "2": weight})
        # And in a hurry, without waiting for one to be done.
        for generation, weight in enumerate((100, 0, 100), start=6):
            await target.apply(LANE, Desired(generation, old, new, weight))
            await asyncio.sleep(0.05)
        await settled(target, {"2": 100})
        stop.set()
        await crowd

        assert not lock.with_suffix(".violated").exists()
        starts = [line.split()[0] for line in journal.read_text().splitlines()]
        assert "start start" not in " ".join(starts)
        assert set(users.got) <= {"1", "2", "503"}, users.got  # nothing serves between two releases

    async def test_more_than_one_instance_is_refused(self, target: HostedTarget) -> None:
        with pytest.raises(TargetRefused, match="exclusive"):
            await target.apply(LANE, Desired(1, release("1", instances=2)))


async def test_release_without_anything_to_ask_is_ready_when_it_has_lived(
    host: Host, target: HostedTarget
) -> None:
    consumer = Release(
        "queue",
        "1",
        "sha256:q",
        spec={"command": ["sleep", "600"], "ready": {"path": None, "alive_s": 0.2}},
    )
    await target.apply(LANE, Desired(1, consumer))
    observed = await until(lambda: target.observe(LANE), lambda o: of(o, consumer) is RunState.READY)
    assert observed.running[0].address is None


async def _say(number: int) -> int:
    return number


async def _in_flight(target: HostedTarget, digest: str) -> int:
    counts = (await target.counts(LANE))["releases"].get(digest)
    return int(counts["in_flight"]) if counts else 0
