"""The command target: what its commands are told, what is known of them, and what happens when they fail or hang."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.adapters.commands.jobs import Job
from bot.adapters.lane_files import write_atomically
from bot.adapters.targets.command.settings import CommandTargetSettings
from bot.adapters.targets.command.target import CommandTarget
from bot.adapters.targets.context import TargetContext
from bot.adapters.targets.jobs import lane as lane_module
from bot.adapters.targets.jobs.settings import LaneAddressSettings
from bot.adapters.targets.jobs.target import lanes_dir
from bot.domain.config import ServedLane
from bot.domain.rollout.model import Desired, Lane, Observed, Release, RunState
from bot.ports.data_plane.targets import ORDERED_BY
from bot.ports.errors import StaleGeneration, TargetRefused, Unreachable
from tests.support.waiting import until

LANE = Lane("herald", "production")
OLD, NEW = (
    Release("herald", version, f"sha256:{version}", "c0ffee", {"env": {"REGION": "north-{version}"}})
    for version in ("1.0", "2.0")
)
# Writes down what it is told, and does what a file beside it says for this version.
DEPLOY = """#!/bin/sh
env | grep -E '^(SLIPWAY_|REGION)' | grep -v SLIPWAY_JOB | sort > {folder}/told.$SLIPWAY_ACTION
echo "$SLIPWAY_ACTION $SLIPWAY_VERSION" >> {folder}/log
if test -e {folder}/do-$SLIPWAY_VERSION; then . {folder}/do-$SLIPWAY_VERSION; fi
echo "$SLIPWAY_VERSION" > {folder}/runs
"""


@dataclass
class Site:
    """A machine to which a script deploys: which version runs there is in a file."""

    folder: Path
    settings: dict[str, Any]
    router: LaneAddressSettings | None = None

    def target(self, **more: Any) -> CommandTarget:
        settings = CommandTargetSettings.model_validate({**self.settings, **more})
        lanes = {LANE: ServedLane(not settings.weights, self.router)}
        return CommandTarget(settings, lanes, TargetContext(self.folder / "data"))

    def does(self, version: str, text: str) -> None:
        (self.folder / f"do-{version}").write_text(text)

    @property
    def log(self) -> list[str]:
        path = self.folder / "log"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def runs(self) -> str:
        path = self.folder / "runs"
        return path.read_text().strip() if path.exists() else ""

    def told(self, action: str) -> dict[str, str]:
        lines = (self.folder / f"told.{action}").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    @property
    def jobs(self) -> list[Job]:
        folder = lanes_dir(self.folder / "data") / "herald@production" / "jobs"
        return [Job(path) for path in sorted(folder.iterdir(), key=lambda path: int(path.name.split("-")[0]))]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    script = tmp_path / "deploy"
    script.write_text(DEPLOY.format(folder=tmp_path))
    script.chmod(0o755)
    settings = {"kind": "command", "apply": [str(script)], "grace": "300ms", "timeout": "20s"}
    return Site(tmp_path, settings)


def state(observed: Observed, release: Release) -> RunState | None:
    found = observed.of(release.digest)
    return found.state if found else None


async def reach(target: CommandTarget, desired: Desired) -> Observed:
    """Apply, and wait until the command has ended, well or badly."""
    await target.apply(LANE, desired)
    brings = desired.candidate if desired.candidate and desired.weight else desired.stable
    assert brings is not None

    def over(observed: Observed) -> bool:
        return state(observed, brings) in (RunState.READY, RunState.CRASHED)

    return await until(lambda: target.observe(LANE), over)


async def test_the_command_is_told_everything_and_the_release_serves_when_it_is_done(site: Site) -> None:
    target = site.target()
    await reach(target, Desired(1, OLD))
    token = ORDERED_BY.set(77)
    observed = await reach(target, Desired(2, OLD, NEW, 100))
    ORDERED_BY.reset(token)

    assert (observed.generation, observed.weight_of(NEW.digest), site.runs) == (2, 100, "2.0")
    assert state(observed, OLD) is RunState.STOPPED
    assert site.told("apply") == {
        "REGION": "north-2.0",
        "SLIPWAY_ACTION": "apply",
        "SLIPWAY_CANDIDATE": "2.0",
        "SLIPWAY_CANDIDATE_DIGEST": "sha256:2.0",
        "SLIPWAY_COMMIT": "c0ffee",
        "SLIPWAY_DIGEST": "sha256:2.0",
        "SLIPWAY_ENVIRONMENT": "production",
        "SLIPWAY_GENERATION": "2",
        "SLIPWAY_ROLLOUT": "77",
        "SLIPWAY_SERVICE": "herald",
        "SLIPWAY_STABLE": "1.0",
        "SLIPWAY_STABLE_DIGEST": "sha256:1.0",
        "SLIPWAY_VERSION": "2.0",
    }


async def test_slipways_own_secrets_do_not_reach_the_command(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLIPWAY_DISCORD_TOKEN", "of-the-bot")
    site.does("1.0", f"env > {site.folder}/all")
    await reach(site.target(), Desired(1, OLD))
    assert "of-the-bot" not in (site.folder / "all").read_text()


async def test_arguments_have_what_stands_in_braces(site: Site) -> None:
    show = ["/bin/sh", "-c", 'echo "$0" "$1"', "{service}@{version}", "{unknown} {environment}"]
    target = site.target(apply=show)
    await reach(target, Desired(1, OLD))
    assert site.jobs[0].printed(0, 100) == b"herald@1.0 {unknown} production\n"


async def test_an_order_that_changes_nothing_runs_nothing(site: Site) -> None:
    target = site.target()
    await reach(target, Desired(1, OLD))
    await reach(target, Desired(2, OLD, NEW, 0))
    await reach(target, Desired(3, OLD, NEW, 100))
    await reach(target, Desired(4, NEW, warm=(OLD,)))
    assert site.log == ["apply 1.0", "apply 2.0"]


async def test_a_rollback_runs_the_command_for_the_stable_release_as_rollback(site: Site) -> None:
    target = site.target()
    await reach(target, Desired(1, OLD))
    await reach(target, Desired(2, OLD, NEW, 100))
    observed = await reach(target, Desired(3, OLD))
    assert site.log[-1] == "rollback 1.0" and site.runs == "1.0"
    assert observed.weight_of(OLD.digest) == 100 and observed.of(NEW.digest) is None


async def test_rollback_may_be_a_command_of_its_own(site: Site) -> None:
    target = site.target(rollback=["/bin/sh", "-c", f"echo back to {{version}} >> {site.folder}/log"])
    await reach(target, Desired(1, OLD))
    await reach(target, Desired(2, OLD, NEW, 100))
    await reach(target, Desired(3, OLD))
    assert site.log[-1] == "back to 1.0"


async def test_a_failure_says_how_and_stable_is_brought_back_with_a_command(site: Site) -> None:
    target = site.target()
    await reach(target, Desired(1, OLD))
    site.does("2.0", "echo migrating; echo 'no such table'; exit 3")
    observed = await reach(target, Desired(2, OLD, NEW, 100))
    found = observed.of(NEW.digest)
    assert found is not None and (found.state, found.weight) == (RunState.CRASHED, 0)
    assert found.detail == "the apply command exited with code 3; last words: migrating no such table"
    with pytest.raises(TargetRefused, match="exited with code 3"):
        await target.apply(LANE, Desired(2, OLD, NEW, 100))
    await reach(target, Desired(3, OLD))
    assert site.log == ["apply 1.0", "apply 2.0", "rollback 1.0"]


async def test_exit_code_78_is_a_refusal(site: Site) -> None:
    site.does("1.0", "exit 78")
    found = (await reach(site.target(), Desired(1, OLD))).of(OLD.digest)
    assert found is not None and found.detail == "the apply command refused (exit code 78)"


async def test_exit_code_75_is_tried_again(site: Site) -> None:
    site.does("1.0", f"test $(wc -l < {site.folder}/log) -gt 1 || exit 75")
    observed = await reach(site.target(), Desired(1, OLD))
    assert state(observed, OLD) is RunState.READY and site.log == ["apply 1.0", "apply 1.0"]


async def test_a_failed_rollback_is_a_rollback_again_under_the_next_generation(site: Site) -> None:
    target = site.target()
    await reach(target, Desired(1, OLD))
    await reach(target, Desired(2, OLD, NEW, 100))
    site.does("1.0", "exit 1")
    assert state(await reach(target, Desired(3, OLD)), OLD) is RunState.CRASHED
    site.does("1.0", "true")
    assert state(await reach(target, Desired(4, OLD)), OLD) is RunState.READY
    assert site.log[-2:] == ["rollback 1.0", "rollback 1.0"]


async def test_a_running_command_is_ended_by_a_newer_order_and_older_ones_are_refused(site: Site) -> None:
    target = site.target()
    await reach(target, Desired(1, OLD))
    site.does("2.0", "trap '' TERM; echo up; while :; do sleep 0.05; done")
    await target.apply(LANE, Desired(2, OLD, NEW, 100))
    job = site.jobs[-1]

    async def up() -> bool:
        return job.printed(0, 10) == b"up\n"

    await until(up)
    assert state(await target.observe(LANE), NEW) is RunState.STARTING
    observed = await reach(target, Desired(3, OLD))
    assert observed.weight_of(OLD.digest) == 100 and site.runs == "1.0"
    assert job.end is not None and job.end.ended == "stopped"
    with pytest.raises(StaleGeneration):
        await target.apply(LANE, Desired(2, OLD, NEW, 100))


async def test_what_is_desired_is_not_reported_before_the_command_is_done(site: Site) -> None:
    target = site.target()
    await reach(target, Desired(1, OLD))
    await reach(target, Desired(2, OLD, NEW, 100))
    site.does("1.0", f"until test -e {site.folder}/go; do sleep 0.02; done")
    await target.apply(LANE, Desired(3, OLD))
    observed = await target.observe(LANE)
    assert state(observed, OLD) is RunState.STARTING
    assert observed.weight_of(NEW.digest) == 100
    (site.folder / "go").touch()
    observed = await until(lambda: target.observe(LANE), lambda o: o.weight_of(OLD.digest))
    assert observed.of(NEW.digest) is None


async def test_another_process_finds_the_command_that_a_killed_one_began(site: Site) -> None:
    site.does("1.0", f"until test -e {site.folder}/go; do sleep 0.02; done")
    program = f"""
import asyncio, os, signal
from pathlib import Path
from bot.adapters.targets.command.settings import CommandTargetSettings
from bot.adapters.targets.command.target import CommandTarget
from bot.adapters.targets.context import TargetContext
from bot.domain.rollout.model import Desired, Lane, Release
settings = CommandTargetSettings.model_validate({site.settings!r})
target = CommandTarget(settings, {{}}, TargetContext(Path({str(site.folder / "data")!r})))
asyncio.run(target.apply(Lane("herald", "production"), Desired(1, Release("herald", "1.0", "sha256:1.0", "c0ffee"))))
os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -signal.SIGKILL
    target = site.target()
    assert state(await target.observe(LANE), OLD) is RunState.STARTING
    await target.apply(LANE, Desired(1, OLD))
    (site.folder / "go").touch()
    observed = await until(lambda: target.observe(LANE), lambda o: o.weight_of(OLD.digest))
    assert state(observed, OLD) is RunState.READY and site.log == ["apply 1.0"]


async def test_a_command_lost_with_its_supervisor_is_run_again_when_the_order_is_repeated(site: Site) -> None:
    target = site.target()
    site.does("1.0", f"test -e {site.folder}/second || {{ touch {site.folder}/second; exec sleep 300; }}")
    await target.apply(LANE, Desired(1, OLD))

    async def begun() -> bool:
        return (site.folder / "second").exists()

    await until(begun)
    supervisor = json.loads((site.jobs[0].folder / "begun").read_text())["pid"]
    os.kill(supervisor, signal.SIGKILL)
    observed = await until(lambda: target.observe(LANE), lambda o: o.generation == 0)
    assert state(observed, OLD) is RunState.STARTING
    assert state(await reach(target, Desired(1, OLD)), OLD) is RunState.READY
    assert site.log == ["apply 1.0", "apply 1.0"]


@pytest.mark.parametrize("dies_at", ["newest", "start"])
async def test_an_order_of_which_the_writer_died_is_carried_out_and_ends_the_one_before_it(
    site: Site, monkeypatch: pytest.MonkeyPatch, dies_at: str
) -> None:
    class Died(BaseException):
        """Nothing after it happens."""

    def written(path: Path, content: bytes) -> None:
        if path.name == dies_at:
            raise Died
        write_atomically(path, content)

    async def started(*_: object, **more: object) -> None:
        raise Died

    site.does(
        "1.0", f"touch {site.folder}/begun; while :; do echo 1.0 >> {site.folder}/runs; sleep 0.01; done"
    )
    target = site.target()
    await target.apply(LANE, Desired(1, OLD))

    async def begun() -> bool:
        return (site.folder / "begun").exists()

    await until(begun)
    with monkeypatch.context() as patch:
        patch.setattr(lane_module, "write_atomically", written)
        if dies_at == "start":
            patch.setattr(Job, "start", started)
        with pytest.raises(Died):
            await target.apply(LANE, Desired(2, OLD, NEW, 100))
    observed = await reach(site.target(), Desired(2, OLD, NEW, 100))
    assert state(observed, NEW) is RunState.READY and site.runs == "2.0"
    assert site.log == ["apply 1.0", "apply 2.0"]


async def test_an_order_that_cannot_be_recorded_is_tried_again_and_runs_nothing_before(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    target = site.target()
    with monkeypatch.context() as patch:
        patch.setattr(lane_module, "write_atomically", full)
        with pytest.raises(Unreachable, match="cannot be recorded: No space left on device"):
            await target.apply(LANE, Desired(1, OLD))
        assert await target.observe(LANE) == Observed(0) and site.log == []
    assert state(await reach(target, Desired(1, OLD)), OLD) is RunState.READY


async def test_without_weights_a_share_is_refused_and_with_them_the_command_gets_it(site: Site) -> None:
    with pytest.raises(TargetRefused, match="no weights but 0 and 100"):
        await site.target().apply(LANE, Desired(1, OLD, NEW, 5))
    target = site.target(weights=True)
    await reach(target, Desired(1, OLD))
    observed = await reach(target, Desired(2, OLD, NEW, 5))
    assert (observed.weight_of(OLD.digest), observed.weight_of(NEW.digest)) == (95, 5)
    assert site.told("apply")["SLIPWAY_WEIGHT"] == "5"


async def test_with_weights_a_candidate_that_took_over_is_told_and_a_failure_then_moves_no_traffic(
    site: Site,
) -> None:
    target = site.target(weights=True)
    await reach(target, Desired(1, OLD))
    await reach(target, Desired(2, OLD, NEW, 100))
    site.does("2.0", "exit 1")
    await target.apply(LANE, Desired(3, NEW, warm=(OLD,)))

    async def told() -> bool:
        return len(site.log) == 3

    await until(told)
    assert site.told("apply")["SLIPWAY_STABLE"] == "2.0"
    assert state(await target.observe(LANE), NEW) is RunState.READY


async def test_addresses_are_those_of_the_catalog(site: Site) -> None:
    site.router = LaneAddressSettings(address="http://shop", candidate="http://canary")
    target = site.target(weights=True)
    await reach(target, Desired(1, OLD))
    await target.apply(LANE, Desired(2, OLD, NEW, 0))
    observed = await until(lambda: target.observe(LANE), lambda o: state(o, NEW) is RunState.READY)
    assert [running.address for running in observed.running] == ["http://shop", "http://canary"]
    assert await target.router_address(LANE) == "http://shop"
    assert await target.addresses(LANE, NEW.digest) == {"lane": "http://canary"}


# ---- observe -----------------------------------------------------------------------------------------------


@contextmanager
def observing(site: Site, **more: Any) -> Iterator[CommandTarget]:
    cat = ["/bin/sh", "-c", f"cat {site.folder}/runs 2>/dev/null || true"]
    yield site.target(**{"observe": cat, "observe_every": "10ms", **more})


async def test_what_runs_is_what_the_observe_command_prints(site: Site) -> None:
    with observing(site) as target:
        assert await target.observe(LANE) == Observed(0)
        await reach(target, Desired(1, OLD))
        (site.folder / "runs").write_text("2.0 40%\n1.0 60%\n")
        observed = await until(lambda: target.observe(LANE), lambda o: o.weight_of("version:2.0"))
        assert observed.weight_of(OLD.digest) == 60
        await target.close()


async def test_a_release_serves_only_when_the_observe_command_says_so(site: Site) -> None:
    with observing(site) as target:
        site.does("1.0", "exit 0")
        await target.apply(LANE, Desired(1, OLD))
        observed = await until(lambda: target.observe(LANE), lambda o: o.running[0].detail)
        assert state(observed, OLD) is RunState.STARTING
        (site.folder / "runs").write_text("1.0\n")
        await until(lambda: target.observe(LANE), lambda o: state(o, OLD) is RunState.READY)
        await target.close()


async def test_what_was_changed_by_hand_is_brought_back_by_the_next_order(site: Site) -> None:
    with observing(site) as target:
        await reach(target, Desired(1, OLD))
        (site.folder / "runs").write_text("0.9\n")
        await until(lambda: target.observe(LANE), lambda o: o.weight_of("version:0.9"))
        await reach(target, Desired(2, OLD))
        assert (site.runs, site.log) == ("1.0", ["apply 1.0", "apply 1.0"])
        await reach(target, Desired(3, OLD))
        assert len(site.log) == 2
        await target.close()


async def test_what_ran_before_slipway_is_found(site: Site) -> None:
    (site.folder / "runs").write_text("0.9\n")
    with observing(site) as target:
        (running,) = (await target.observe(LANE)).running
        assert (running.digest, running.version, running.weight) == ("version:0.9", "0.9", 100)
        await target.close()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("echo down; exit 1", "exited with code 1: down"),
        ("exit 75", "is not available now"),
        ("echo it runs version 3", "should print a version a line, but printed: it runs version 3"),
        ("sleep 60", "did not finish within 0.3 s"),
    ],
)
async def test_an_observe_command_that_fails_is_an_unreachable_target(
    site: Site, text: str, said: str
) -> None:
    more = {"observe_timeout": "300ms"} if text.startswith("sleep") else {}
    with observing(site, observe=["/bin/sh", "-c", text], **more) as target:
        with pytest.raises(Unreachable, match=said):
            await target.observe(LANE)
        await target.close()
