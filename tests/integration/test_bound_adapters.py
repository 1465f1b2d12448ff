"""The adapters of a running rollout on a real host: made from its binding, whatever the catalog says by now."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.adapters.metrics.scrape import ScrapeMetrics
from bot.adapters.targets.context import TargetContext
from bot.composition import adapters
from bot.composition.adapters import Targets
from bot.composition.bindings import Bindings, Routing
from bot.domain.config import Catalog
from bot.domain.judge.evidence.ticks import begin_evidence
from bot.domain.records import Active, Loaded
from bot.domain.rollout.binding import LaneBinding
from bot.domain.rollout.model import Desired, Lane, Rollout
from bot.ports.errors import Unreachable
from demo.children import free_port
from tests.support.catalog_files import changed, load, write
from tests.support.catalogs import STRAIGHT, begin_rollout
from tests.support.clocks import ShiftedClock

STAGING = Lane("checkout", "staging")
OWN = """\
metrics:
  router: {kind: router}
  own: {kind: scrape, url: "http://metrics.test/${SHARD}", total: requests, bad: failures}
"""


@dataclass
class Made:
    """One process with a catalog, which tests replace, and the rollouts that are active."""

    catalog: Catalog
    targets: Targets
    session: aiohttp.ClientSession
    data_dir: Path
    environ: Mapping[str, str]
    rollouts: dict[int, Rollout] = field(default_factory=dict)

    @property
    def bindings(self) -> Bindings:
        context = TargetContext(self.data_dir)
        return Bindings(lambda: self.catalog, self.targets, context, self.session, environ=self.environ)

    @property
    def routing(self) -> Routing:
        store: Any = self
        return Routing(lambda: self.catalog, self.targets, self.bindings, store)

    async def active(self) -> Sequence[Active]:
        return [
            Active(r.id, r.guild_id, r.lane, r.phase, False, r.version, r.created_at)
            for r in self.rollouts.values()
        ]

    async def load(self, rollout_id: int) -> Loaded:
        return Loaded(self.rollouts[rollout_id], begin_evidence())


def text(port: int, *more: tuple[str, str]) -> str:
    ports = (("router: 8401", f"router: {port}"), ('"0.0.0.0:8402"', str(free_port())))
    named = ("  metrics: [router]", "  metrics: [router, own]")
    return changed(*ports, named, ("metrics:\n  router: {kind: router}\n", OWN), *more)


@pytest.fixture
async def made(tmp_path: Path) -> AsyncIterator[Made]:
    environ = {"SHARD": "7"}
    catalog = load(write(tmp_path / "config", all=text(free_port())), environ)
    targets = adapters.make_targets(catalog, tmp_path)
    async with aiohttp.ClientSession() as session:
        yield Made(catalog, targets, session, tmp_path, environ)
    with contextlib.suppress(Unreachable):  # no test need have started one
        await targets["local"].stop_host()


def started(made: Made) -> Rollout:
    """A rollout in staging that is active from now on."""
    begun = begin_rollout(
        id=1,
        lane=STAGING,
        plan=STRAIGHT,
        at=ShiftedClock().now(),
        generation=0,
        binding=made.catalog.lanes[STAGING].bound,
    ).rollout
    made.rollouts[1] = begun
    return begun


def bound(made: Made) -> LaneBinding:
    return made.catalog.lanes[STAGING].bound


def edited(made: Made, port: int, *more: tuple[str, str]) -> Catalog:
    return load(write(made.data_dir / "config", all=text(port, *more)), made.environ)


async def test_the_catalogs_own_target_serves_what_is_bound_as_the_catalog_is(made: Made) -> None:
    assert made.bindings.target(STAGING, bound(made)) is made.targets["local"]


async def test_a_lane_keeps_its_router_while_its_rollout_runs_and_follows_when_it_ends(made: Made) -> None:
    before = await made.targets["local"].router_address(STAGING)
    rollout, port = started(made), free_port()
    made.catalog = edited(made, port)
    await made.routing.reload()
    assert await made.targets["local"].router_address(STAGING) == before
    own: Any = made.bindings.target(STAGING, rollout.binding or bound(made))
    assert own is not made.targets["local"]
    assert await own.router_address(STAGING) == before
    made.rollouts.clear()
    await made.routing.reload()
    assert await made.targets["local"].router_address(STAGING) == f"http://127.0.0.1:{port}"


async def test_a_number_that_another_rollout_had_before_the_database_lost_it_has_its_own_binding(
    made: Made,
) -> None:
    lost, port = started(made), free_port()
    made.catalog = edited(made, port)
    routing = made.routing
    await routing.reload()
    assert await made.targets["local"].router_address(STAGING) != f"http://127.0.0.1:{port}"
    made.rollouts[1] = replace(lost, binding=bound(made), created_at=lost.created_at + timedelta(seconds=1))
    await routing.reload()
    assert await made.targets["local"].router_address(STAGING) == f"http://127.0.0.1:{port}"


async def test_a_target_and_a_source_that_the_catalog_lost_still_work_for_their_rollout(made: Made) -> None:
    rollout = started(made)
    binding = rollout.binding
    assert binding is not None
    assert "7" not in str(binding.metrics[1].settings["url"])
    gone = (
        '  own: {kind: scrape, url: "http://metrics.test/${SHARD}", total: requests, bad: failures}\n',
        "",
    )
    made.catalog = replace(
        edited(made, free_port(), gone, ("  metrics: [router, own]", "  metrics: [router]")),
        lanes={},
        targets={},
    )
    made.targets = adapters.make_targets(made.catalog, made.data_dir)
    router, own = made.bindings.sources(STAGING, binding)
    assert (router.name, own.name) == ("router", "own")
    assert isinstance(own, ScrapeMetrics)
    (sample,) = await router.sample(STAGING, ["sha256:none"])
    assert sample.error is None
    target: Any = made.bindings.target(STAGING, binding)
    assert (await target.observe(STAGING)).generation == 0
    await target.apply(STAGING, Desired(1, None))
    assert (await target.observe(STAGING)).generation == 1


async def test_a_variable_that_is_gone_is_named(made: Made) -> None:
    rollout = started(made)
    assert rollout.binding is not None
    made.environ = {}
    with pytest.raises(Unreachable, match="own cannot be used: the environment variable SHARD is not set"):
        made.bindings.sources(STAGING, rollout.binding)


async def test_a_release_with_changed_variables_is_not_what_was_approved(made: Made) -> None:
    spec = ('command: [run, "{version}"]', 'command: [run, "--key=${KEY}"]')
    made.environ = {"SHARD": "7", "KEY": "before"}
    made.catalog = edited(made, free_port(), spec)
    release, *_ = await adapters.make_releases(lambda: made.catalog).releases("checkout", "staging")
    assert made.bindings.changed(release) == ""
    made.environ = {"SHARD": "7", "KEY": "after"}
    assert made.bindings.changed(release) == "Slipway's environment has changed (KEY)"
    made.environ = {"SHARD": "7"}
    assert made.bindings.changed(release) == "the environment variable KEY is not set"
