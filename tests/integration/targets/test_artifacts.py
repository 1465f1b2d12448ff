"""What runs is what was approved: releases of folders run from verified copies."""

from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.adapters.artifacts import digest, listing, manifest
from bot.adapters.runtimes.context import RuntimeContext
from bot.adapters.runtimes.process.runtime import ProcessRuntime
from bot.domain.rollout.model import Release, RunState
from bot.ports.data_plane.runtimes import RunningRelease
from tests.support.host import LANE
from tests.support.paths import SERVICE
from tests.support.runtimes import answer
from tests.support.waiting import until


@pytest.fixture
async def runtime(tmp_path: Path) -> AsyncIterator[ProcessRuntime]:
    made = ProcessRuntime(
        RuntimeContext(tmp_path / "runtime", tmp_path / "logs", str(tmp_path), tmp_path / "host-releases")
    )
    await made.start(lambda lane: None)
    yield made
    await made.close()


@pytest.fixture
def release(tmp_path: Path) -> Release:
    folder = tmp_path / "releases" / "1.5.0"
    folder.mkdir(parents=True)
    shutil.copy(SERVICE, folder / "service.py")
    found = digest(manifest(folder, listing(folder)))
    command = [sys.executable, "{path}/service.py", "--port", "{port}", "--version", "{version}"]
    return Release(
        "checkout",
        "1.5.0",
        f"sha256:{found}",
        spec={
            "command": command,
            "artifact": {"folder": str(folder), "digest": found},
            "drain_s": 0,
            "stop_s": 1,
        },
    )


async def until_state(runtime: ProcessRuntime, release: Release, state: RunState) -> RunningRelease:
    async def seen() -> RunningRelease:
        return (await runtime.observe())[LANE][release.digest]

    return await until(seen, lambda found: found.state is state)


async def test_release_runs_from_its_copy_and_goes_on_when_its_folder_changes(
    runtime: ProcessRuntime, release: Release, tmp_path: Path
) -> None:
    runtime.run(LANE, release, restart=True)
    seen = await until_state(runtime, release, RunState.READY)
    assert await answer(seen.instances[0], "/") != ""
    (tmp_path / "releases" / "1.5.0" / "service.py").write_text("raise SystemExit('another program')")
    with pytest.raises(OSError):
        await answer(seen.instances[0], "/die")

    again = await until(runtime.observe, lambda o: o[LANE][release.digest].instances[0].restarts == 1)
    assert again
    seen = await until_state(runtime, release, RunState.READY)
    assert await answer(seen.instances[0], "/") != ""


async def test_files_that_changed_after_the_approval_never_start(
    runtime: ProcessRuntime, release: Release, tmp_path: Path
) -> None:
    program = tmp_path / "releases" / "1.5.0" / "service.py"
    program.write_text(program.read_text() + "\n# changed\n")
    runtime.run(LANE, release, restart=False)
    seen = await until_state(runtime, release, RunState.CRASHED)
    detail = seen.instances[0].detail
    assert detail == f"could not be started: the files in {program.parent} are not those that were approved"


async def test_copy_that_was_tampered_with_does_not_come_back_after_a_crash(
    runtime: ProcessRuntime, release: Release, tmp_path: Path
) -> None:
    runtime.run(LANE, release, restart=True)
    seen = await until_state(runtime, release, RunState.READY)
    (copy,) = (tmp_path / "host-releases" / "artifacts").rglob("service.py")
    copy.chmod(0o644)
    copy.write_text("raise SystemExit('tampered')")
    with pytest.raises(OSError):
        await answer(seen.instances[0], "/die")
    await until(runtime.observe, lambda o: o[LANE][release.digest].instances[0].restarts == 1)
    seen = await until_state(runtime, release, RunState.READY)
    assert "tampered" not in copy.read_text() and await answer(seen.instances[0], "/") != ""
