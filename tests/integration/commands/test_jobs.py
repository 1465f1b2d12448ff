"""Commands under supervisors: output, exit codes, time limits, and what is known after everything else was killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from bot.adapters.commands import supervisor
from bot.adapters.commands.jobs import Command, Job, JobEnd, JobState
from bot.adapters.commands.output import Output
from bot.redaction import Redactor
from tests.support.waiting import until

NOTHING = Redactor()
PATH = {"PATH": os.environ["PATH"]}


def script(text: str, **more: object) -> Command:
    return Command(("/bin/sh", "-c", text), PATH, **{"timeout_s": 30.0, "grace_s": 0.5, **more})  # type: ignore[arg-type]


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path / "job")


async def state(job: Job) -> JobState:
    return job.state


async def ended(job: Job) -> JobEnd:
    await until(lambda: state(job), lambda found: found is JobState.ENDED)
    assert job.end is not None
    return job.end


async def printed(job: Job, line: str) -> None:
    async def found() -> bool:
        return line.encode() in job.printed(0, 1 << 20)

    await until(found)


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def dead(pid: int) -> None:
    async def gone() -> bool:
        return not alive(pid)

    await until(gone)


async def test_a_command_runs_once_and_its_output_and_exit_code_are_kept(job: Job, tmp_path: Path) -> None:
    assert job.state is JobState.ABSENT
    command = script(f"echo to stdout; echo to stderr >&2; echo x >> {tmp_path}/count; exit 3")
    await job.start(command)
    assert await ended(job) == JobEnd("exited", 3)
    await job.start(command)
    assert await ended(job) == JobEnd("exited", 3)
    assert (tmp_path / "count").read_text() == "x\n"
    assert job.printed(0, 1000) == b"to stdout\nto stderr\n"
    assert not list(job.folder.glob(".*.new"))


async def test_neither_arguments_nor_environment_are_on_disk(job: Job) -> None:
    command = Command(("/bin/sh", "-c", "exit 0", "of-argv"), {**PATH, "STRIPE": "of-env"})
    await job.start(command)
    await ended(job)
    kept = b"".join(path.read_bytes() for path in job.folder.iterdir())
    assert b"of-env" not in kept and b"of-argv" not in kept
    assert {path.stat().st_mode & 0o077 for path in job.folder.iterdir()} == {0}


async def test_a_command_that_cannot_be_started_says_why(job: Job) -> None:
    await job.start(Command(("/missing/program",), PATH))
    end = await ended(job)
    assert end.phrase(1.0) == "cannot be started: No such file or directory"


async def test_a_temporary_failure_is_tried_again(job: Job, tmp_path: Path) -> None:
    await job.start(script(f"echo x >> {tmp_path}/count; test $(wc -l < {tmp_path}/count) -eq 2 || exit 75"))
    assert await ended(job) == JobEnd("exited", 0, attempts=2)


async def test_a_temporary_failure_ends_with_the_time(job: Job) -> None:
    await job.start(script("exit 75", timeout_s=2.0))
    end = await ended(job)
    assert end.phrase(2.0) == "failed for the time being (exit code 75)"


async def test_a_command_that_hangs_and_ignores_sigterm_is_killed_with_all_it_started(
    job: Job, tmp_path: Path
) -> None:
    inner = f"trap '' TERM; echo $$ > {tmp_path}/inner; while :; do sleep 0.1; done"
    await job.start(script(f"trap '' TERM; sh -c \"{inner}\" & echo $! $$; wait; wait", timeout_s=0.5))
    end = await ended(job)
    assert end.phrase(0.5) == "did not finish within 0.5 s"
    for pid in map(int, job.printed(0, 100).split()):
        await dead(pid)


async def test_a_command_that_ends_on_sigterm_may_clean_up(job: Job) -> None:
    await job.start(script("trap 'echo cleaned; exit 0' TERM; echo up; while :; do sleep 0.1; done"))
    await printed(job, "up")
    job.stop()
    assert (await ended(job)).phrase(1.0) == "was stopped"
    assert b"cleaned\n" in job.printed(0, 100)


async def test_what_a_command_leaves_running_keeps_nothing_waiting(job: Job) -> None:
    began = time.monotonic()
    await job.start(script("sleep 300 & echo $!"))
    assert (await ended(job)).passed
    assert time.monotonic() - began < 30
    (left,) = map(int, job.printed(0, 100).split())
    assert alive(left)
    os.kill(left, signal.SIGKILL)


async def test_a_hundred_megabytes_are_read_and_bounded_on_disk(job: Job) -> None:
    program = "import sys\nfor i in range(1024 * 100): sys.stdout.write(f'{i:>1023}\\n')"
    await job.start(Command((sys.executable, "-c", program), PATH))
    assert (await ended(job)).passed
    assert job.size() < supervisor.HEAD_BYTES + supervisor.TAIL_BYTES + 100
    kept = job.printed(0, 1 << 20)
    assert b"bytes left out" in kept and kept.endswith(b"102399\n")

    output, slices = Output(job, NOTHING), []
    while (found := output.next()) is not None:
        slices.append(found.text)
        output.passed_on()
    assert len(slices) == 11 and max(map(len, slices)) <= 1500
    assert slices[-1].endswith("102399")


async def test_a_newer_job_ends_the_former_before_it_begins(tmp_path: Path) -> None:
    former, newer = Job(tmp_path / "1"), Job(tmp_path / "2")
    log = tmp_path / "log"
    await former.start(script(f"echo begun; trap '' TERM; while :; do echo 1 >> {log}; sleep 0.01; done"))
    await printed(former, "begun")
    await newer.start(script(f"sleep 0.2; echo 2 >> {log}; sleep 0.2"), after=former)
    assert (await ended(newer)).passed
    assert (await ended(former)).phrase(1.0) == "was stopped"
    assert log.read_text().split()[-1] == "2"


async def test_of_three_orders_only_the_newest_runs(tmp_path: Path) -> None:
    newest, log = tmp_path / "newest", tmp_path / "log"
    jobs = [Job(tmp_path / str(number)) for number in range(3)]
    for number, job in enumerate(jobs):
        newest.write_text(job.folder.name)
        after = jobs[number - 1] if number else None
        text = f"trap '' TERM; echo {number} >> {log}; sleep {0.5 if number == 2 else 60}"
        await job.start(script(text), after=after, newest=newest)
        if not number:
            await until(lambda: state(jobs[0]), lambda found: found is JobState.RUNNING)
    assert (await ended(jobs[2])).passed
    assert (await ended(jobs[1])).phrase(1.0) == "was stopped"
    assert log.read_text().split()[-1] == "2" and "1" not in log.read_text()


async def test_a_lost_supervisor_is_noticed_and_what_it_left_is_killed(job: Job) -> None:
    await job.start(script("echo $$; exec sleep 300"))
    await printed(job, "\n")
    begun = json.loads((job.folder / "begun").read_text())
    os.kill(begun["pid"], signal.SIGKILL)
    await until(lambda: state(job), lambda found: found is JobState.LOST)
    (left,) = map(int, job.printed(0, 100).split())
    assert alive(left)
    job.sweep()
    await dead(left)


async def test_a_job_goes_on_when_the_process_that_started_it_is_killed(job: Job) -> None:
    program = f"""
import asyncio, os, signal
from pathlib import Path
from bot.adapters.commands.jobs import Command, Job
command = Command(("/bin/sh", "-c", "sleep 0.5; echo done; exit 7"), dict(os.environ))
asyncio.run(Job(Path({str(job.folder)!r})).start(command))
os.killpg(0, signal.SIGKILL)
"""
    process = subprocess.Popen([sys.executable, "-c", program], start_new_session=True)
    assert process.wait(60) == -signal.SIGKILL
    assert await ended(job) == JobEnd("exited", 7)
    assert job.printed(0, 100) == b"done\n"


async def test_slices_are_whole_lines_redacted_and_the_same_until_they_are_passed_on(job: Job) -> None:
    await job.start(script("echo key s3cr3t-value; for i in $(seq 200); do echo line $i; done"))
    await ended(job)
    output = Output(job, Redactor(["s3cr3t-value"]))
    first = output.next()
    assert first is not None and first.text.startswith("key ***\nline 1\n")
    assert Output(job, Redactor(["s3cr3t-value"])).next() == first
    output.passed_on()
    second = output.next()
    assert second is not None and second.number == 1
    last = int(first.text.split()[-1])
    assert second.text.startswith(f"line {last + 1}\n")
    output.passed_on()
    assert output.next() is None


async def test_half_a_line_is_not_shown_while_the_command_runs(job: Job) -> None:
    await job.start(script("printf 'begun\\npass'; sleep 0.5; echo word-and-more; sleep 0.5"))
    await printed(job, "begun\n")
    assert job.printed(0, 100) in (b"begun\n", b"begun\npassword-and-more\n")
    await ended(job)
    assert job.printed(0, 100) == b"begun\npassword-and-more\n"
