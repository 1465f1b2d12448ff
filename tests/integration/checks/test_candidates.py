"""Checks that a plan names, asked of a real candidate as the rollout was bound to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from bot.adapters.postgres import serialization
from bot.adapters.targets.checker import HttpChecker
from bot.adapters.targets.context import TargetContext
from bot.composition.adapters import Targets, open_checks
from bot.composition.bindings import Bindings
from bot.domain.config import Catalog
from bot.domain.rollout.model import Lane, Observed, Plan, Rollout, Running, RunState
from bot.domain.rollout.steps import HttpCheck, NamedCheck, RunChecks, Shift, Verify
from bot.engine.effects.checks import CandidateChecks
from bot.engine.lanes import Lanes
from bot.ports.errors import Unreachable
from tests.fakes.outside import FakeReleases
from tests.fakes.store import MemoryDatabase, MemoryStore
from tests.support.catalog_files import changed, load, write
from tests.support.catalogs import V150, begin_rollout
from tests.support.checked import serving
from tests.support.clocks import FrozenClock
from tests.support.virtual_time import EPOCH

LANE = Lane("checkout", "production")
PLACE = "    environments:\n      staging: {router: 8401}\n"
CHECKS = """\
    checks:
      health: {kind: http, url: "https://shop.example.com/healthz?deep=1", bearer: "${TOKEN}", contains: well}
      bot: {kind: discord, path: /bot, keys: [gateway, db]}
      port: {kind: tcp}
"""


class Candidate:
    """A release without traffic."""

    def __init__(self) -> None:
        self.bot = {"gateway": "connected", "db": "ok"}
        self.asked: list[str] = []
        self.takes_s = 0.0

    async def __call__(self, request: web.BaseRequest) -> web.Response:
        await asyncio.sleep(self.takes_s)
        self.asked.append(f"{request.headers.get('Authorization')} {request.rel_url}")
        return web.json_response(self.bot) if request.path == "/bot" else web.Response(text="all is well")


class Looked(Lanes):
    """Lanes on which the candidate of a rollout answers at `at`."""

    at: str | None = None

    async def look(self, lane: Lane, rollout: Rollout | None = None, *, within_s: float = 1.0) -> Observed:
        assert rollout is not None
        candidate = rollout.candidate
        running = Running(candidate.digest, candidate.version, RunState.READY, 0, self.at)
        return Observed(1, (running,))


@dataclass
class CheckingProcess:
    catalog: Catalog
    candidate: Candidate
    checks: CandidateChecks
    rollout: Rollout
    lanes: Looked

    async def run(self, *checks: HttpCheck | NamedCheck, timeout_s: float = 30.0) -> list[str]:
        effect = RunChecks(LANE, 0, self.rollout.candidate, checks, timeout_s)
        return await self.checks.run(1, effect)


@asynccontextmanager
async def process(folder: Path, environ: dict[str, str]) -> AsyncIterator[CheckingProcess]:
    text = changed((PLACE, CHECKS + PLACE), ("- verify: /healthz", "- verify: [health, bot, port]"))
    catalog = load(write(folder / "config", all=text), environ)
    clock = FrozenClock(EPOCH)
    begun = begin_rollout(
        id=1,
        lane=LANE,
        plan=catalog.lanes[LANE].plan,
        at=clock.now(),
        generation=1,
        binding=catalog.lanes[LANE].bound,
    ).rollout
    # As it comes back from the database.
    charter = serialization.read_charter(serialization.SCHEMA, serialization.charter_text(begun))
    rollout = replace(begun, plan=charter["plan"], binding=charter["binding"])
    assert rollout == begun
    candidate = Candidate()
    async with aiohttp.ClientSession() as session, serving(candidate) as url:
        targets = Targets(catalog, TargetContext(folder, False))
        made: list[CheckingProcess] = []

        def current() -> Catalog:
            return made[0].catalog if made else catalog

        bindings = Bindings(current, targets, TargetContext(folder, False), session, environ=environ)
        lanes = Looked(
            MemoryStore(MemoryDatabase(clock.now)), current, targets, FakeReleases({}), clock, bound=bindings
        )
        lanes.at = url
        async with open_checks(current, targets) as asked:

            async def find(rollout_id: int) -> Rollout:
                return made[0].rollout

            checks = CandidateChecks(lanes, HttpChecker(session), find, asked)
            made.append(CheckingProcess(catalog, candidate, checks, rollout, lanes))
            yield made[0]


async def test_checks_are_asked_of_the_candidate_as_the_rollout_was_bound_to_them(tmp_path: Path) -> None:
    async with process(tmp_path, {"TOKEN": "hush"}) as running:
        verify = running.rollout.plan.steps[0]
        assert isinstance(verify, Verify)
        # The catalog changes under the rollout: nothing of it is asked.
        lane = running.catalog.lanes[LANE]
        running.catalog = replace(running.catalog, lanes={LANE: replace(lane, checks=())})
        assert await running.run(*verify.checks, HttpCheck("/ready")) == []
        assert running.candidate.asked == ["Bearer hush /healthz?deep=1", "None /bot", "None /ready"]


async def test_what_is_wrong_names_the_check(tmp_path: Path) -> None:
    async with process(tmp_path, {"TOKEN": "hush"}) as running:
        running.candidate.bot["db"] = "down"
        said = await running.run(NamedCheck("bot"), HttpCheck("/ready", status=204), NamedCheck("port"))
        assert said == [
            "bot: The bot is not well: db is down.",
            "GET /ready should answer 204, but answered 200.",
        ]


async def test_a_candidate_without_an_address_cannot_be_asked(tmp_path: Path) -> None:
    async with process(tmp_path, {"TOKEN": "hush"}) as running:
        running.lanes.at = None
        said = await running.run(NamedCheck("port"))
        assert said == [f"the target gives no address for {running.rollout.candidate.version}"]


async def test_a_variable_that_is_gone_is_tried_again_and_no_failure_of_the_candidate(tmp_path: Path) -> None:
    environ = {"TOKEN": "hush"}
    async with process(tmp_path, environ) as running:
        environ.clear()
        with pytest.raises(Unreachable, match="TOKEN is not set"):
            await running.run(NamedCheck("health"))


async def test_all_checks_together_end_in_the_time_of_the_step(tmp_path: Path) -> None:
    async with process(tmp_path, {"TOKEN": "hush"}) as running:
        running.candidate.takes_s = 30.0
        said = await running.run(NamedCheck("bot"), NamedCheck("health"), timeout_s=0.5)
        assert said == ["the checks did not finish within 0.5 s"]


def test_what_a_step_asks_is_stored_and_read() -> None:
    plan = Plan("named", (Verify((HttpCheck("/x"), NamedCheck("health"))), Shift(100)))
    assert serialization.read_plan(serialization.plain_plan(plan)) == plan
    effect = RunChecks(LANE, 0, V150, (NamedCheck("health"), HttpCheck("/x")), 5.0)
    assert serialization.read_effect(serialization.effect_text(effect)) == effect
