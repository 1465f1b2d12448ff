"""`slipway why` on the database, as it is used when the bot is away."""

from __future__ import annotations

import json
from pathlib import Path

from bot.domain.rollout.model import Action, Phase
from tests.support.actors import LEAD
from tests.support.catalog_files import changed, write
from tests.support.catalogs import PRODUCTION, V151
from tests.support.cli import Cli
from tests.support.harness import World


async def test_a_failed_rollout_is_opened_from_the_database(tmp_path: Path, dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    world.metrics.bad[V151.digest] = 0.08
    async with world.open() as slipway:
        rollout = await slipway.deploy(V151, PRODUCTION)
        gated = await slipway.reaches(rollout, Phase.GATED)
        await slipway.press(gated, Action.APPROVE, LEAD)
        done = await slipway.reaches(rollout, Phase.ROLLED_BACK)
        opened = (await slipway.engine.why(done.id)).why
    write(tmp_path / "config", all=changed())
    cli = Cli(tmp_path, SLIPWAY_DATABASE_URL=dsn)
    said = await cli("why", "checkout", "production")
    assert said.code == 0, said.err
    assert f"FAIL: {opened.sentence}" in said.out
    assert opened.note == ""
    assert "blocks (UTC, requests, bad, odds):" in said.out
    found = json.loads((await cli("why", "checkout", "production", "--json")).out)
    assert (found["id"], found["verdict"]) == (done.id, "FAIL")
    assert len(found["blocks"]) == len(opened.blocks)
    unknown = await cli("why", "chekout", "production")
    assert unknown.code == 1 and "checkout" in unknown.err
