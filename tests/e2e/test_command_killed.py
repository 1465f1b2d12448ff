"""`kill -9` of the bot while commands run, and before and after every effect of their rollout: each runs once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.e2e.crashes import MATRIX_S, crashing, deployed, every_effect_died_twice, new
from tests.support.e2e.stack import Stack, lanes, opened
from tests.support.paths import TESTS
from tests.support.postgres import PostgresServer

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(1500)]
CATALOG = TESTS / "e2e" / "commands"
SITE = lanes("site/production", rate=0)
FIRST, MIGRATE, APPLY, SMOKE = "apply 1.4.0", "run migrate 1.5.0", "apply 1.5.0", "run smoke 1.5.0"
ALL = [FIRST, MIGRATE, APPLY, SMOKE]


class Acts:
    """What the commands of `act.sh` write down in a folder, and the files that make them wait there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def hold(self, what: str) -> None:
        (self.folder / what).touch()

    def let(self, what: str) -> None:
        (self.folder / what).unlink()

    @property
    def environment(self) -> dict[str, str]:
        return {"ACT_FOLDER": str(self.folder)}

    def lines(self, name: str) -> list[str]:
        """`began` or `ended`, in order."""
        return (self.folder / name).read_text().splitlines()

    async def has(self, stack: Stack, name: str, what: str) -> None:
        """Returns when the last line is this one."""

        async def look() -> bool | None:
            return True if self.lines(name)[-1] == what else None

        await stack.until(f"{what} to have {name}", look)


@asynccontextmanager
async def site(postgres: PostgresServer, acts: Acts) -> AsyncIterator[Stack]:
    name = await postgres.fresh()
    async with opened(SITE, postgres.dsn(name), environment=acts.environment, config=CATALOG) as stack:
        yield stack
    await postgres.drop(name)


async def test_commands_during_which_the_bot_is_killed_run_once_and_their_ends_are_found(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    """The run steps end while no bot runs, the target's command after the next bot has found it."""
    acts = Acts(tmp_path)
    async with site(postgres, acts) as stack:
        for what in (MIGRATE, APPLY, SMOKE):
            acts.hold(what)
        id_ = await stack.deploy("site", "1.5.0", "production")
        for what in (MIGRATE, APPLY, SMOKE):
            await acts.has(stack, "began", what)
            await stack.kill_bot()
            if what == APPLY:
                await stack.bot_back()
                assert what not in acts.lines("ended")
            acts.let(what)
            await acts.has(stack, "ended", what)
            await stack.bot_back()
        await stack.phase(id_, "succeeded")
        await stack.settled(id_)
        assert acts.lines("began") == acts.lines("ended") == ALL
        said = "".join(message["text"] for message in await stack.thread(id_))
        assert [said.count(f"doing {what}") for what in (MIGRATE, APPLY, SMOKE)] == [1, 1, 1]


async def test_commands_run_once_through_a_kill_at_every_point(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    acts, points = Acts(tmp_path), tmp_path / "points"
    async with crashing(postgres, points, acts.environment, served=SITE, config=CATALOG) as stack:
        id_ = await deployed(stack, "1.5.0", "site")
        await stack.phase(id_, "succeeded", timeout_s=MATRIX_S)
        await stack.settled(id_, MATRIX_S)
        await every_effect_died_twice(
            stack, id_, points, frozenset({"run_step", "set_desired", "log_line", "notify"})
        )
        assert acts.lines("began") == acts.lines("ended") == ALL

        lane = {"service": "site", "environment": "production"}
        back = await new(
            stack, "site", lambda: stack.stage.slash("oncall", "rollback", reason="It is slow.", **lane)
        )
        await stack.phase(back, "succeeded", timeout_s=MATRIX_S)
        assert acts.lines("began") == acts.lines("ended") == [*ALL, FIRST]
