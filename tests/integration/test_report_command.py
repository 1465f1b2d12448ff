"""`slipway report` and `slipway export` on the database, as they are used when the bot is away."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from bot.domain.rollout.model import Phase
from tests.support.catalog_files import changed, write
from tests.support.catalogs import STAGING, V151
from tests.support.cli import Cli
from tests.support.harness import World


async def test_report_and_export_read_the_database(tmp_path: Path, dsn: str) -> None:
    world = World(dsn)
    await world.serve()
    async with world.open() as slipway:
        rollout = await slipway.deploy(V151, STAGING, reason="+1")
        await slipway.reaches(rollout, Phase.SUCCEEDED)
    write(tmp_path / "config", all=changed())
    cli = Cli(tmp_path, SLIPWAY_DATABASE_URL=dsn)
    said = await cli("report", "--days", "28")
    assert said.code == 0, said.err
    assert said.out.startswith("All services, ") and "  Availability         not known: " in said.out
    shown = json.loads((await cli("report", "--json", "--service", "checkout")).out)
    assert shown["total"]["name"] == "checkout"
    file = tmp_path / "rollouts.csv"
    done = await cli("export", "rollouts", "--from", "2026-01-01", "-o", str(file))
    assert done.code == 0, done.err
    with file.open(encoding="utf-8-sig", newline="") as text:
        (row,) = csv.DictReader(text)
    assert (row["id"], row["reason"]) == (str(rollout.id), "'+1")
    assert file.read_bytes().startswith(b"\xef\xbb\xbfid,service,")
    again = await cli("export", "rollouts", "--from", "2026-01-01", "-o", str(file))
    assert again.code == 1 and "rollouts.csv" in again.err
    none = tmp_path / "none.csv"
    wrong = await cli(
        "export", "alerts", "--from", "2026-01-02", "--to", "2026-01-01T00:00:00Z", "-o", str(none)
    )
    assert wrong.code == 1 and "after its start" in wrong.err
    assert (await cli("export", "alerts", "--from", "soon", "-o", str(none))).code == 2
    assert sorted(each.name for each in tmp_path.iterdir() if "csv" in each.name) == ["rollouts.csv"]
