"""What a demo started is found again by its folder, and ended, also by another process."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from demo.processes import VARIABLE, Descendants, name_of
from tests.support.paths import ROOT
from tests.support.waiting import PATIENCE_S

SLEEPER = """
import signal, sys, time
if "deaf" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(60)
"""


@pytest.fixture
async def start(tmp_path: Path):
    started = []
    script = tmp_path / "sleeper.py"
    script.write_text(SLEEPER)

    async def run(folder: Path, *words: str):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(script),
            *words,
            env={**os.environ, VARIABLE: str(folder)},
            stdout=asyncio.subprocess.PIPE,
        )
        started.append(process)
        assert await asyncio.wait_for(process.stdout.readline(), PATIENCE_S) == b"up\n"
        return process

    yield run
    for process in started:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_what_runs_for_a_folder_is_listed_and_nothing_else(start, tmp_path: Path) -> None:
    mine, other = await start(tmp_path / "one"), await start(tmp_path / "two")
    found = Descendants(tmp_path / "one")
    assert [(e["name"], e["pid"]) for e in found.listed()] == [("sleeper", mine.pid)]
    assert found.listed(without={mine.pid}) == []
    later = await start(tmp_path / "one")
    assert {e["pid"] for e in found.listed()} == {mine.pid, later.pid}
    assert psutil.pid_exists(other.pid)


async def test_who_hands_no_environment_on_is_known_by_where_it_works(start, tmp_path: Path) -> None:
    host = await start(Path("/elsewhere"), "--data-dir", str(tmp_path / "one" / "data" / "host"))
    database = await start(Path("/elsewhere"), "-D", str(tmp_path / "one" / "data" / "postgres"))
    await start(Path("/elsewhere"), "--data-dir", str(tmp_path / "one-more"))
    assert {e["pid"] for e in Descendants(tmp_path / "one").listed()} == {host.pid, database.pid}


async def test_who_closes_its_environment_is_known_from_the_list_of_its_launcher(
    start, tmp_path: Path
) -> None:
    bot, other = await start(Path("/elsewhere")), await start(Path("/elsewhere"))
    born = psutil.Process(bot.pid).create_time()
    listed = [{"pid": bot.pid, "started": born}, {"pid": other.pid, "started": born - 60}]
    (tmp_path / "processes.json").write_text(json.dumps(listed))
    assert [e["pid"] for e in Descendants(tmp_path).listed()] == [bot.pid]


async def test_all_of_it_is_ended_also_what_does_not_listen(start, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("demo.processes._ASK_S", 0.5)
    folder = tmp_path / "one"
    one, deaf, other = await start(folder), await start(folder, "deaf"), await start(tmp_path / "two")
    await asyncio.to_thread(Descendants(folder).end)
    assert (await one.wait(), await deaf.wait()) == (-signal.SIGTERM, -signal.SIGKILL)
    assert other.returncode is None


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("python -m demo.services.service --service a --version 1 --environment b", "a/b 1"),
        ("python -m demo.services.herald --version 1.4.0 --port 1", "herald 1.4.0"),
        ("python -m bot.composition.host --data-dir x --serve", "host"),
        ("python -m bot.composition.host --data-dir x --detach", "host watchdog"),
        ("/wheel/bin/postgres -D /data/postgres -c jit=off", "postgres"),
        ("postgres: checkpointer", ""),
        ("python -I /x/chart_worker.py", "chart_worker"),
    ],
)
def test_processes_have_names_that_people_know(command: str, name: str) -> None:
    assert name_of(command.split()) == name


def test_no_two_processes_are_given_the_same_port(tmp_path: Path) -> None:
    """Ports are bound later, by another program: what one launcher was given, no other one may get meanwhile."""
    script = (
        "import random, sys; random.seed(7)\n"  # both draw the same numbers
        "from demo.children import free_port\n"
        "print([free_port() for _ in range(20)], flush=True); sys.stdin.read()"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "TMPDIR": str(tmp_path)},
            cwd=ROOT,
        )
        for _ in range(2)
    ]
    try:
        given = [json.loads(process.stdout.readline()) for process in started if process.stdout]
    finally:
        for process in started:
            process.communicate("")
    assert len({*given[0], *given[1]}) == 40
