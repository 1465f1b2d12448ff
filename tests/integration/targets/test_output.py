"""Output of releases: bounded on disk, and a release that prints too much holds up only itself."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import psutil
import pytest

from bot.adapters.runtimes.context import RuntimeContext
from bot.adapters.runtimes.process import writer
from bot.adapters.runtimes.process.runtime import ProcessRuntime
from bot.adapters.runtimes.process.writer import LARGEST, Drain, WriterProgram
from bot.domain.rollout.model import Lane, Release, RunState
from bot.ports.data_plane.runtimes import RunningRelease
from tests.support.runtimes import host_dies
from tests.support.waiting import until

# A host that is killed closes nothing.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

CHATTY, QUIET = Lane("chatty", "staging"), Lane("quiet", "production")


def runtime_of(folder: Path) -> ProcessRuntime:
    return ProcessRuntime(
        RuntimeContext(folder / "runtime", folder / "logs", str(folder), folder / "releases")
    )


@pytest.fixture
async def runtime(tmp_path: Path) -> AsyncIterator[ProcessRuntime]:
    made = runtime_of(tmp_path)
    await made.start(lambda lane: None)
    yield made
    await made.close()
    gc.collect()


def prints(program: str, lane: Lane, **spec: object) -> Release:
    command = [sys.executable, "-uc", program]
    said = {"command": command, "ready": {"path": None, "alive_s": 0}, "drain_s": 0, "stop_s": 1, **spec}
    return Release(lane.service, "1", f"sha256:{lane}", spec=said)


async def until_seen(runtime: ProcessRuntime, lane: Lane, state: RunState) -> RunningRelease:
    async def seen() -> RunningRelease:
        (found,) = (await runtime.observe())[lane].values()
        return found

    return await until(seen, lambda found: found.state is state)


async def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.log*"))


async def written(folder: Path) -> bool:
    """Whether a writer has begun."""
    return (folder / "logs" / ".writer").exists()


def writer_of(folder: Path) -> psutil.Process:
    return psutil.Process(int((folder / "logs" / ".writer").read_text()))


async def test_chatty_release_neither_freezes_the_host_nor_fills_the_disk(
    runtime: ProcessRuntime, tmp_path: Path
) -> None:
    shout = "import os\nwhile True: os.write(1, b'x' * 65535 + b'\\n')"
    runtime.run(CHATTY, prints(shout, CHATTY), restart=True)
    await until_seen(runtime, CHATTY, RunState.READY)
    await until(lambda: size_of(tmp_path / "logs"), lambda size: size > LARGEST)
    longest, asked_at = 0.0, time.monotonic()
    largest = 0
    while time.monotonic() < asked_at + 6:  # longer than what was copied at once before
        before = time.thread_time()
        await asyncio.sleep(0.02)
        longest = max(longest, time.thread_time() - before)
        largest = max(largest, await size_of(tmp_path / "logs"))
    assert largest <= 2 * (LARGEST + 65536)
    # Of this thread's own time, whatever else the machine does: 4.9 s when the host itself copied what was printed.
    assert longest < 1.0
    # The pressure is on it alone: another release says what it wants to say at once.
    runtime.run(QUIET, prints("print('hello'); raise SystemExit(3)", QUIET), restart=False)
    seen = await until_seen(runtime, QUIET, RunState.CRASHED)
    assert seen.instances[0].detail == "exited with code 3; last words: hello"


async def test_last_words_after_a_lot_of_output_are_the_last_ones(runtime: ProcessRuntime) -> None:
    program = "print('x' * 79 + '\\n' * 1, end='')\n" * 3
    many = f"for _ in range(100_000): print('y' * 79)\n{program}print('the end'); raise SystemExit(4)"
    runtime.run(CHATTY, prints(many, CHATTY), restart=False)
    seen = await until_seen(runtime, CHATTY, RunState.CRASHED)
    assert seen.instances[0].detail.endswith("| the end")


async def test_releases_go_on_printing_while_neither_host_nor_writer_runs(tmp_path: Path) -> None:
    runtime = runtime_of(tmp_path)
    await runtime.start(lambda lane: None)
    count = "import time\nfor n in range(10**6): print(n); time.sleep(0.01)"
    runtime.run(QUIET, prints(count, QUIET), restart=False)
    await until_seen(runtime, QUIET, RunState.READY)
    await until(lambda: size_of(tmp_path / "logs"), bool)
    before = writer_of(tmp_path)
    await host_dies()
    before.kill()
    await asyncio.sleep(0.5)

    again = runtime_of(tmp_path)
    await again.start(lambda lane: None)
    try:
        (log,) = (tmp_path / "logs").rglob("*.log")
        had = log.stat().st_size
        await until(lambda: size_of(tmp_path / "logs"), lambda size: size > had + 500)
        assert writer_of(tmp_path).pid != before.pid
        assert (await until_seen(again, QUIET, RunState.READY)).instances[0].restarts == 0
        lines = log.read_text().split()
        assert lines[:-1] == [str(n) for n in range(len(lines) - 1)]  # not one line is missing
    finally:
        await again.close()


async def test_next_host_hides_what_the_former_one_started_a_release_with(tmp_path: Path) -> None:
    """Also when its `env_file` has another value by now."""
    file = tmp_path / "quiet.env"
    file.write_text("DATABASE=former-hunter22\n")
    runtime = runtime_of(tmp_path)
    await runtime.start(lambda lane: None)
    over = tmp_path / "over"
    says = (
        f"import os, time\nwhile not os.path.exists({str(over)!r}): time.sleep(0.02)\n"
        "print('cannot reach', os.environ['DATABASE']); raise SystemExit(3)"
    )
    release = prints(says, QUIET, env_file=str(file))
    runtime.run(QUIET, release, restart=False)
    await until_seen(runtime, QUIET, RunState.READY)
    await host_dies()
    file.write_text("DATABASE=present-hunter33\n")

    again = runtime_of(tmp_path)
    await again.start(lambda lane: None)
    try:
        again.run(QUIET, release, restart=False)
        over.touch()
        seen = await until_seen(again, QUIET, RunState.CRASHED)
        assert "last words: cannot reach ***" in seen.instances[0].detail
    finally:
        await again.close()


async def test_last_words_of_a_release_that_a_former_host_started_are_waited_for(tmp_path: Path) -> None:
    """The writer is late: what was printed is still in the pipe when the release is gone."""
    runtime = runtime_of(tmp_path)
    await runtime.start(lambda lane: None)
    over = tmp_path / "over"
    says = f"import os, time\nwhile not os.path.exists({str(over)!r}): time.sleep(0.02)\nprint('farewell')"
    release = prints(says, QUIET)
    runtime.run(QUIET, release, restart=False)
    await until_seen(runtime, QUIET, RunState.READY)
    await until(lambda: written(tmp_path), bool)
    await host_dies()

    again = runtime_of(tmp_path)
    await again.start(lambda lane: None)
    writer = writer_of(tmp_path)
    try:
        again.run(QUIET, release, restart=False)
        writer.suspend()
        over.touch()
        await asyncio.sleep(0.5)
        writer.resume()
        seen = await until_seen(again, QUIET, RunState.CRASHED)
        assert "last words: farewell" in seen.instances[0].detail
    finally:
        writer.resume()
        await again.close()


async def test_orderly_end_leaves_no_writer_and_no_pipe(tmp_path: Path) -> None:
    runtime = runtime_of(tmp_path)
    await runtime.start(lambda lane: None)
    runtime.run(QUIET, prints("print('hello'); import time; time.sleep(600)", QUIET), restart=False)
    await until_seen(runtime, QUIET, RunState.READY)
    await until(lambda: size_of(tmp_path / "logs"), bool)
    process = writer_of(tmp_path)
    await runtime.close()
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    assert list((tmp_path / "logs").rglob("*.pipe")) == []
    (log,) = (tmp_path / "logs").rglob("*.log")
    assert log.read_text() == "hello\n"


def test_folder_has_one_writer(tmp_path: Path) -> None:
    one, two = WriterProgram(tmp_path / "logs"), WriterProgram(tmp_path / "logs")
    one.ensure()
    while not (tmp_path / "logs" / ".writer").exists() or not (tmp_path / "logs" / ".writer").read_text():
        time.sleep(0.02)
    pid = writer_of(tmp_path).pid
    two.ensure()
    assert two._child is None
    two.stop()
    assert one._child is not None and one._child.pid == pid and one._child.wait(20) == 0


def test_output_is_dropped_while_the_disk_is_full_and_written_again_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = tmp_path / "a.pipe"
    os.mkfifo(pipe)
    drain = Drain(pipe)
    release = os.open(pipe, os.O_RDWR)

    def full(fd: int, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    os.write(release, b"lost\n")
    with monkeypatch.context() as patched:
        patched.setattr(writer.os, "write", full)
        assert drain.move()
    os.write(release, b"kept\n")
    assert drain.move() and not drain.move() and not drain.silent
    assert (tmp_path / "a.log").read_text() == "kept\n"
    os.close(release)
    assert not drain.move() and drain.silent
    drain.close()


def test_release_that_prints_too_much_is_read_more_slowly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(writer.time, "monotonic", lambda: now)
    pipe = tmp_path / "a.pipe"
    os.mkfifo(pipe)
    drain = Drain(pipe)
    release = os.open(pipe, os.O_RDWR)
    moved = 0
    for tenth in range(101):
        now = tenth / 10
        while drain.may_read():
            os.write(release, b"x" * 65536)
            assert drain.move()
            moved += 65536
    assert writer.BURST + 9 * writer.RATE < moved < writer.BURST + 10 * writer.RATE + 65536
    os.close(release)
    drain.close()


async def test_writer_ends_when_its_folder_is_gone(tmp_path: Path) -> None:
    program = WriterProgram(tmp_path / "logs")
    program.ensure()
    assert program._child is not None
    await until(lambda: size_of(tmp_path), lambda _: (tmp_path / "logs" / ".writer").exists())
    (tmp_path / "logs").rename(tmp_path / "elsewhere")
    assert await asyncio.to_thread(program._child.wait, 20) == 0
