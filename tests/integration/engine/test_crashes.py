"""The worker dies before and after every effect of a whole rollout; a new one on the same database ends it right.

Here the process stays and everything of the engine in it is thrown away in mid-air; the end-to-end tests do the
same with `kill -9`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field

import asyncpg
import pytest

from bot.domain.rollout.model import Action, Phase
from tests.support.actors import LEAD
from tests.support.catalogs import PRODUCTION, V140, V150, V151
from tests.support.harness import STEADY, Slipway, World
from tests.support.postgres import PostgresServer
from tests.support.waiting import PATIENCE_S

AT_ONCE = 8


@dataclass
class Guillotine:
    """Falls at the `fatal`-th probe: nothing that was under way goes on from there."""

    fatal: int | None = None
    seen: list[tuple[str, str]] = field(default_factory=list)
    fallen: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, when: str, what: str) -> None:
        self.seen.append((when, what))
        if self.fatal is not None and len(self.seen) > self.fatal:
            self.fallen.set()
            await asyncio.Event().wait()


async def ended(slipway: Slipway, rollout_id: int, blade: Guillotine | None = None) -> bool:
    """Approve when asked, until the rollout is over and everything is said; False when the blade fell."""
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                if blade is not None and blade.fallen.is_set():
                    return False
                if await over(slipway, rollout_id):
                    return True
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(await stuck(slipway)) from None


async def over(slipway: Slipway, rollout_id: int) -> bool:
    loaded = await slipway.store.rollouts.load(rollout_id)
    assert loaded is not None
    if loaded.rollout.phase is Phase.GATED and not loaded.rollout.grants:
        # The same interaction again and again, as a person would who is not sure.
        await slipway.press(loaded.rollout, Action.APPROVE, LEAD, interaction=f"ok-{rollout_id}")
    return loaded.rollout.phase.final and not await open_effects(slipway)


async def open_effects(slipway: Slipway) -> list[str]:
    async with slipway.database.connection() as connection:
        rows = await connection.fetch(
            "SELECT key, kind, state, attempts, due_at - now() AS due, last_error FROM effects "
            "WHERE state IN ('pending', 'leased')"
        )
    return [str(dict(row)) for row in rows]


async def stuck(slipway: Slipway) -> str:
    """What stands still, for the failure's message."""
    async with slipway.database.connection() as connection:
        found = await connection.fetch(
            "SELECT id, phase, outcome, next_tick - now() AS tick, now() FROM rollouts"
        )
        leads = await connection.fetch("SELECT *, until - now() AS left FROM leases")
    return "\n".join([*(str(dict(row)) for row in (*found, *leads)), *await open_effects(slipway)])


async def leases_run_out(world: World) -> None:
    """The time passes that the dead worker's leases still had."""
    connection = await asyncpg.connect(world.dsn)
    try:
        await connection.execute("UPDATE leases SET until = now()")
        await connection.execute("UPDATE effects SET due_at = now() WHERE state = 'leased'")
    finally:
        await connection.close()


async def run(postgres: PostgresServer, fatal: int | None, *, bad: bool) -> tuple[World, Guillotine]:
    """One rollout with one death in it, and what is left of the world afterwards."""
    name = await postgres.fresh()
    world, blade = World(postgres.dsn(name)), Guillotine(fatal)
    release = V151 if bad else V150
    if bad:
        world.metrics.bad[V151.digest] = 0.2
    await world.serve()
    async with world.open(probe=blade, intervals=STEADY) as slipway:
        rollout = await slipway.deploy(release, PRODUCTION)
        whole = await ended(slipway, rollout.id, blade)
    if not whole:
        await leases_run_out(world)
        async with world.open(intervals=STEADY) as slipway:
            assert await ended(slipway, rollout.id)
    async with world.open(working=False) as slipway:
        done = await slipway.now(rollout)
        told = [t.why for t in (await slipway.engine.view(rollout.id)).transitions]
    observed = await world.target.observe(PRODUCTION)
    where = blade.seen[fatal] if fatal is not None and fatal < len(blade.seen) else "never"
    assert done.phase is (Phase.ROLLED_BACK if bad else Phase.SUCCEEDED), (where, done.outcome)
    assert observed.weight_of((V140 if bad else V150).digest) == 100, where
    assert world.announcer.log(rollout.id) == told, where
    kinds = Counter(notice.what for notice in world.announcer.notices.values())
    assert kinds == Counter(["gate_opened", "rolled_back" if bad else "succeeded"]), where
    generations = Counter(d.generation for lane, d in world.target.applied if lane == PRODUCTION)
    assert set(generations.values()) == {1}, where
    assert world.target.starts[release.digest] == 1, where
    await postgres.drop(name)
    return world, blade


@pytest.mark.slow
@pytest.mark.simulation
@pytest.mark.parametrize("bad", [False, True], ids=["succeeds", "rolls back"])
async def test_a_death_before_or_after_any_effect_loses_and_doubles_nothing(
    postgres: PostgresServer, bad: bool
) -> None:
    _, whole = await run(postgres, None, bad=bad)
    matters = [number for number, (_, what) in enumerate(whole.seen) if not what.startswith("draw_card")]
    assert len(matters) > 20
    few = asyncio.Semaphore(AT_ONCE)

    async def die_at(number: int) -> None:
        async with few:
            await run(postgres, number, bad=bad)

    async with asyncio.TaskGroup() as group:
        for number in matters:
            group.create_task(die_at(number))
