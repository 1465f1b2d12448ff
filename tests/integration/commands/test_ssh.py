"""Commands on another machine: OpenSSH's own client and server, on loopback."""

from __future__ import annotations

import os
import shlex
import time
from pathlib import Path
from typing import Any

import pytest

from bot.adapters.commands.brief import output_of
from bot.adapters.commands.jobs import Command, Job, JobEnd, JobState
from bot.adapters.commands.runner import CommandRunner
from bot.adapters.commands.ssh import over_ssh
from bot.adapters.targets.command.settings import CommandTargetSettings
from bot.adapters.targets.command.target import CommandTarget
from bot.adapters.targets.context import TargetContext
from bot.domain.rollout.model import Desired, Lane, Release, RunState
from bot.domain.rollout.steps import RunCommand, SshAddress
from bot.kinds import SshSettings
from bot.ports.data_plane.runs import RunFacts, RunKey
from tests.support.ssh import SshServer
from tests.support.waiting import PATIENCE_S, until

pytestmark = pytest.mark.real

LANE = Lane("herald", "production")
LOCAL = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
HOSTILE = "a 'b' \"c\" $HOME `id` \\ ; echo x\nsecond line é"


def remote(server: SshServer, *argv: str, env: dict[str, str] | None = None, **more: Any) -> Command:
    settings = SshSettings.model_validate({**server.settings, **more.pop("ssh", {})})
    return over_ssh(
        settings, Command(argv, LOCAL, **{"timeout_s": PATIENCE_S, "grace_s": 0.5, **more}), env or {}
    )


async def ended(job: Job) -> JobEnd:
    async def state() -> JobState:
        return job.state

    await until(state, lambda found: found is JobState.ENDED)
    assert job.end is not None
    return job.end


async def test_arguments_and_variables_arrive_as_they_are(server: SshServer) -> None:
    command = remote(
        server, "/bin/sh", "-c", 'printf "%s|%s" "$1" "$TOLD"', "sh", HOSTILE, env={"TOLD": HOSTILE}
    )
    assert await output_of(command) == (0, f"{HOSTILE}|{HOSTILE}".encode())


async def test_neither_are_on_the_command_line_of_the_client(server: SshServer) -> None:
    command = remote(server, "true", "of-argv", env={"TOKEN": "of-env"})
    assert not {"of-argv", "of-env"} & set(command.argv) and "of-env" not in command.env.values()


async def test_it_runs_in_the_folder_that_is_given(server: SshServer, tmp_path: Path) -> None:
    folder = tmp_path / "it's here"
    folder.mkdir()
    assert await output_of(remote(server, "pwd", ssh={"folder": str(folder)})) == (0, f"{folder}\n".encode())


@pytest.mark.parametrize(("code", "seen"), [(0, 0), (7, 7), (78, 78), (255, 1)])
async def test_its_exit_code_is_the_commands(server: SshServer, code: int, seen: int) -> None:
    assert await output_of(remote(server, "/bin/sh", "-c", f"exit {code}")) == (seen, b"")


async def test_an_unknown_host_key_is_refused(server: SshServer, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    code, said = await output_of(remote(server, "true", ssh={"known_hosts": str(tmp_path / "empty")}))
    assert code == 255 and b"Host key verification failed" in said


async def test_a_server_that_is_away_is_tried_again(server: SshServer, tmp_path: Path) -> None:
    server.stop()
    job = Job(tmp_path / "job")
    await job.start(remote(server, "echo", "here"))

    async def refused() -> bool:
        return b"trying again" in job.printed(0, 1000)

    await until(refused)
    await server.start()
    end = await ended(job)
    assert end.passed and end.attempts > 1 and job.printed(0, 1000).endswith(b"here\n")


@pytest.mark.parametrize("how", ["timeout", "stopped"])
async def test_a_command_that_is_to_end_is_ended_there_with_all_it_started(
    server: SshServer, tmp_path: Path, how: str
) -> None:
    folder = shlex.quote(str(tmp_path))
    inner = f"trap '' TERM; while :; do echo x >> {folder}/ticks; sleep 0.05; done"
    text = f'trap "echo asked >> {folder}/asked" TERM; ({inner}) & while :; do sleep 0.05; done'
    job = Job(tmp_path / "job")
    # Time enough to log in and to begin, and then for what the trap does.
    timeout_s = 10.0 if how == "timeout" else PATIENCE_S
    await job.start(remote(server, "/bin/sh", "-c", text, timeout_s=timeout_s, grace_s=5.0))

    async def ticks() -> int:
        path = tmp_path / "ticks"
        return path.stat().st_size if path.exists() else 0

    await until(ticks)
    if how == "stopped":
        job.stop()
    assert (await ended(job)).ended == how

    async def asked() -> bool:
        """The client does not wait for what the server does with the end of its input."""
        return (tmp_path / "asked").exists()

    await until(asked)

    async def still() -> bool:
        before = await ticks()
        await until(clock(0.5))
        return await ticks() == before

    await until(still)


def clock(seconds: float) -> Any:
    """A question that is answered with yes after some time."""
    ends = time.monotonic() + seconds

    async def over() -> bool:
        return time.monotonic() > ends

    return over


async def test_a_target_deploys_and_observes_there(server: SshServer, tmp_path: Path) -> None:
    folder = tmp_path / "there"
    folder.mkdir()
    settings = CommandTargetSettings.model_validate(
        {
            "kind": "command",
            "apply": ["/bin/sh", "-c", 'echo "$REGION $SLIPWAY_ACTION"; echo "$SLIPWAY_VERSION" > runs'],
            "observe": ["cat", "runs"],
            "observe_every": "100ms",
            "ssh": {**server.settings, "folder": str(folder)},
        }
    )
    target = CommandTarget(settings, {}, TargetContext(tmp_path / "data"))
    release = Release("herald", "1.0", "sha256:1.0", spec={"env": {"REGION": HOSTILE}})
    await target.apply(LANE, Desired(1, release))

    async def state() -> RunState:
        return (await target.observe(LANE)).running[0].state

    await until(state, lambda found: found is RunState.READY)
    assert (folder / "runs").read_text() == "1.0\n"
    printed = await target.printed(LANE)
    assert printed is not None and "second line é apply" in printed.text
    await target.close()


async def test_a_run_step_runs_there_with_the_variables_that_it_names(
    server: SshServer, tmp_path: Path
) -> None:
    runner = CommandRunner(tmp_path / "runs", {"API_KEY": HOSTILE, "OTHER": "not-named"})
    argv = (
        "/bin/sh",
        "-c",
        'printf "%s|%s|%s|%s" "$API_KEY" "$OTHER" "$SLIPWAY_STEP" "$1" > told',
        "sh",
        "{version}",
    )
    ssh = SshAddress(**{**server.settings, "folder": str(tmp_path)})  # type: ignore[arg-type]
    release = Release("herald", "1.0", "sha256:1.0")
    facts = RunFacts(LANE, 7, "smoke", release, None, 0)
    key = RunKey(7, "7.1.0.stamp")
    assert await runner.start(key, RunCommand(argv, ("API_KEY",), ssh=ssh), facts, 30.0) is None

    async def finding() -> str | None:
        return await runner.finding(key, 30.0)

    assert await until(finding, lambda found: found is not None) == ""
    assert (tmp_path / "told").read_text() == f"{HOSTILE}||smoke|1.0"
