"""Run steps through the real engine and PostgreSQL, with real commands and a real web server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from bot.adapters.commands.runner import CommandRunner
from bot.adapters.targets.checker import HttpChecker
from bot.domain.rollout.model import Action, Phase, Plan
from bot.domain.rollout.steps import HttpCheck, Observe, Run, RunCheck, RunCommand, Shift, Soak
from tests.support.actors import DEV, LEAD
from tests.support.catalogs import PRODUCTION, VERIFY, catalog
from tests.support.harness import Slipway, World
from tests.support.waiting import until

ENVIRON = {"DATABASE_URL": "postgres://of-database"}


def script(text: str, *env: str, **more: float) -> Run:
    return Run(
        "migrate", RunCommand(("/bin/sh", "-c", text), env, grace_s=0.3), **{"timeout_s": 30.0, **more}
    )


class RunWorld(World):
    def __init__(self, dsn: str, folder: Path, *steps: Run, after: tuple[Run, ...] = ()) -> None:
        last = (Observe(60.0),) if not after else (Soak(0.2), *after)
        super().__init__(dsn, catalog(Plan("runs", (VERIFY, *steps, Shift(100, 5.0), *last))))
        self.folder = folder

    @asynccontextmanager
    async def slipway(self) -> AsyncIterator[Slipway]:
        runner = CommandRunner(self.folder / "runs", ENVIRON, lambda: ["s3cr3t-of-catalog"])
        async with self.open(runner=runner) as slipway:
            yield slipway


async def exists(path: Path) -> bool:
    return await asyncio.to_thread(path.exists)


async def test_a_command_runs_before_traffic_with_its_output_on_the_thread(dsn: str, tmp_path: Path) -> None:
    text = (
        'echo "$SLIPWAY_ACTION $SLIPWAY_STEP $SLIPWAY_VERSION for $SLIPWAY_STABLE at $SLIPWAY_ADDRESS";'
        'echo "$DATABASE_URL s3cr3t-of-catalog"'
    )
    world = RunWorld(dsn, tmp_path, script(text, "DATABASE_URL"))
    await world.serve()
    async with world.slipway() as slipway:
        rollout = await slipway.deploy(lane=PRODUCTION)
        await slipway.reaches(rollout, Phase.OBSERVING)
        await slipway.quiet()
    log = world.announcer.log(rollout.id)
    (printed,) = [line for line in log if "```" in line]
    assert printed == ("migrate:\n```\nrun migrate 1.5.0 for 1.4.0 at http://fake/sha256:1.5.0\n*** ***\n```")
    assert log.index("Running migrate.") < log.index(printed) < log.index("migrate passed.")


async def test_a_failure_fails_the_rollout_with_its_last_words(dsn: str, tmp_path: Path) -> None:
    world = RunWorld(dsn, tmp_path, script("echo table is locked; exit 4"))
    await world.serve()
    async with world.slipway() as slipway:
        found = await slipway.reaches(await slipway.deploy(lane=PRODUCTION), Phase.FAILED)
    assert "migrate failed: it exited with code 4; last words: table is locked" in found.outcome


async def test_a_failure_after_the_last_shift_rolls_back(dsn: str, tmp_path: Path) -> None:
    world = RunWorld(dsn, tmp_path, after=(script("exit 1"),))
    await world.serve()
    async with world.slipway() as slipway:
        found = await slipway.reaches(await slipway.deploy(lane=PRODUCTION), Phase.ROLLED_BACK)
    assert "migrate failed: it exited with code 1" in found.outcome and found.observed_weight == 0


async def test_a_command_that_hangs_ends_with_its_time(dsn: str, tmp_path: Path) -> None:
    world = RunWorld(dsn, tmp_path, script("trap '' TERM; while :; do sleep 0.1; done", timeout_s=0.5))
    await world.serve()
    async with world.slipway() as slipway:
        found = await slipway.reaches(await slipway.deploy(lane=PRODUCTION), Phase.FAILED)
    assert "migrate failed: it did not finish within 0.5 s" in found.outcome


async def test_a_variable_that_is_not_set_is_named(dsn: str, tmp_path: Path) -> None:
    world = RunWorld(dsn, tmp_path, script("true", "NO_SUCH"))
    await world.serve()
    async with world.slipway() as slipway:
        found = await slipway.reaches(await slipway.deploy(lane=PRODUCTION), Phase.FAILED)
    assert "migrate failed: the environment variable NO_SUCH is not set" in found.outcome


async def test_a_hundred_megabytes_of_output_are_twelve_messages_at_most(dsn: str, tmp_path: Path) -> None:
    world = RunWorld(
        dsn, tmp_path, script("yes 0123456789012345678901234567890123456789 | head -c 100000000")
    )
    await world.serve()
    async with world.slipway() as slipway:
        rollout = await slipway.deploy(lane=PRODUCTION)
        await slipway.reaches(rollout, Phase.OBSERVING)
        await slipway.quiet()
    printed = [line for line in world.announcer.log(rollout.id) if "```" in line]
    assert 1 < len(printed) <= 12 and max(map(len, printed)) < 2000
    kept = sum(path.stat().st_size for path in (tmp_path / "runs").rglob("*") if path.is_file())
    assert kept < 400_000


async def test_a_press_ends_the_command(dsn: str, tmp_path: Path) -> None:
    text = f"trap 'touch {tmp_path}/ended; exit 1' TERM; touch {tmp_path}/begun; while :; do sleep 0.1; done"
    world = RunWorld(dsn, tmp_path, script(text))
    await world.serve()
    async with world.slipway() as slipway:
        rollout = await slipway.deploy(lane=PRODUCTION)
        await until(lambda: exists(tmp_path / "begun"))
        await slipway.press(rollout, Action.CANCEL, DEV)
        await until(lambda: exists(tmp_path / "ended"))
        assert (await slipway.now(rollout)).phase is Phase.CANCELLED


@pytest.mark.parametrize("ended", [True, False], ids=["it has ended", "it still runs"])
async def test_another_process_goes_on_with_the_command_of_a_dead_one(
    dsn: str, tmp_path: Path, ended: bool
) -> None:
    wait = f"until test -e {tmp_path}/go; do sleep 0.05; done"
    text = f"echo x >> {tmp_path}/count; {wait}; echo finished; touch {tmp_path}/over"
    world = RunWorld(dsn, tmp_path, script(text))
    await world.serve()
    async with world.slipway() as slipway:
        rollout = await slipway.deploy(lane=PRODUCTION)
        await until(lambda: exists(tmp_path / "count"))
    (tmp_path / "go").touch()
    if ended:
        await until(lambda: exists(tmp_path / "over"))
    async with world.slipway() as slipway:
        await slipway.reaches(rollout, Phase.OBSERVING)
        await slipway.quiet()
    assert (tmp_path / "count").read_text() == "x\n"
    assert "".join(world.announcer.log(rollout.id)).count("finished") == 1


# ---- HTTP checks -------------------------------------------------------------------------------------------


@pytest.fixture
async def answers() -> AsyncIterator[tuple[str, list[int]]]:
    """A server that answers with these statuses, one after the other, and then with the last."""
    statuses = [200]

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=statuses.pop(0) if len(statuses) > 1 else statuses[0], text="all good")

    app = web.Application()
    app.router.add_get("/smoke", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}", statuses
    await runner.cleanup()


async def test_a_check_is_repeated_until_it_passes(
    dsn: str, tmp_path: Path, answers: tuple[str, list[int]]
) -> None:
    address, statuses = answers
    statuses[:] = [500, 503, 200]
    check = Run("smoke", http=RunCheck(HttpCheck("/smoke", contains="good"), address), timeout_s=30.0)
    world = RunWorld(dsn, tmp_path, check)
    await world.serve()
    async with aiohttp.ClientSession() as session:
        world.checker = HttpChecker(session)  # type: ignore[assignment]
        world.catalog = catalog(replace(world.catalog.lanes[PRODUCTION].plan, steps=(check, Shift(100, 5.0))))
        async with world.slipway() as slipway:
            await slipway.reaches(await slipway.deploy(lane=PRODUCTION), Phase.SUCCEEDED)
    assert statuses == [200]


async def test_a_check_that_never_passes_rolls_back_with_the_last_answer(
    dsn: str, tmp_path: Path, answers: tuple[str, list[int]]
) -> None:
    address, statuses = answers
    statuses[:] = [500]
    check = Run("smoke", http=RunCheck(HttpCheck("/smoke"), address), timeout_s=3.0)
    world = RunWorld(dsn, tmp_path)
    await world.serve()
    async with aiohttp.ClientSession() as session:
        world.checker = HttpChecker(session)  # type: ignore[assignment]
        world.catalog = catalog(Plan("smoke", (Shift(100, 5.0), check)))
        async with world.slipway() as slipway:
            rollout = await slipway.deploy(lane=PRODUCTION)
            found = await slipway.reaches(rollout, Phase.ROLLED_BACK)
    assert "smoke failed: GET /smoke should answer 200, but answered 500." in found.outcome


async def test_without_an_address_a_check_of_the_candidate_asks_where_the_target_says(
    dsn: str, tmp_path: Path
) -> None:
    world = RunWorld(dsn, tmp_path, Run("smoke", http=RunCheck(HttpCheck("/smoke"))))
    await world.serve()
    async with world.slipway() as slipway:
        rollout = await slipway.deploy(lane=PRODUCTION)
        observing = await slipway.reaches(rollout, Phase.OBSERVING)
        await slipway.press(observing, Action.ROLL_BACK, LEAD)
    assert ("http://fake/sha256:1.5.0", "/smoke") in world.checker.asked
