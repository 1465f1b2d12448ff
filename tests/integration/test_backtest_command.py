"""`slipway judge backtest`, `plan suggest` and `config check --backtest`, on a database with a lane's history."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from bot.adapters.postgres.connection.database import Database
from bot.adapters.postgres.store import PostgresStore
from bot.domain.rollout.model import Lane
from tests.support.catalog_files import changed, write
from tests.support.cli import Cli
from tests.support.rules.served import in_runs, independent, ticks_of

LANE = Lane("checkout", "production")


async def served(dsn: str, bad: list[int], total: int = 100) -> None:
    """An hour of stable until now."""
    start = datetime.now(UTC).timestamp() - 5 * len(bad) - 5
    async with Database(dsn) as pool:
        ticks = ticks_of(bad, total, start=start)
        await PostgresStore(pool).served.append([(LANE, tick) for tick in ticks])


def cli_on(tmp_path: Path, dsn: str, *changes: tuple[str, str]) -> Cli:
    write(tmp_path / "config", all=changed(*changes))
    return Cli(tmp_path, SLIPWAY_DATABASE_URL=dsn)


async def test_a_backtest_is_said_and_printed_as_json(tmp_path: Path, dsn: str) -> None:
    cli = cli_on(tmp_path, dsn, ("5% over 5m", "5% over 5m with at least 100 requests"))
    await served(dsn, independent(Random(1)))
    said = await cli("judge", "backtest", "checkout", "production", "--replays", "20")
    assert said.code == 0 and "0 false alarms in 20 replays of" in said.out
    told = await cli("judge", "backtest", "checkout", "production", "--replays", "20", "--json")
    answer = json.loads(told.out)
    assert answer["sentence"] == said.out.strip()
    assert answer["rules"] == [{"rule": "error_rate > 5% over 5m with at least 100 requests", "alarms": 0}]
    assert answer["left_out"] == ["latency"]


async def test_a_rule_that_fails_good_releases_is_named(tmp_path: Path, dsn: str) -> None:
    cli = cli_on(tmp_path, dsn)
    await served(dsn, in_runs(Random(2), 8, 0.005))
    said = await cli("judge", "backtest", "checkout", "production", "--replays", "20")
    assert said.code == 1 and "by the rule error_rate > 5% over 5m) in 20 replays" in said.out


async def test_a_catalog_that_would_have_raised_false_alarms_is_a_finding(tmp_path: Path, dsn: str) -> None:
    cli = cli_on(tmp_path, dsn, ("    rules:\n", "    phi: 1\n    rules:\n"))
    await served(dsn, in_runs(Random(2), 8, 0.009))
    checked = await cli("config", "check", "--backtest")
    assert checked.code == 1
    assert "✗ checkout/production: With " in checked.out and " in 100 replays of" in checked.out


async def test_each_lane_that_cannot_be_replayed_is_named_beside_those_that_can(
    tmp_path: Path, dsn: str
) -> None:
    cli = cli_on(tmp_path, dsn, ("5% over 5m", "5% over 5m with at least 100 requests"))
    await served(dsn, independent(Random(1)))
    checked = await cli("config", "check", "--backtest")
    assert checked.code == 0
    assert "! checkout/staging cannot be replayed: nothing that it served was counted" in checked.out
    assert "! checkout/production cannot" not in checked.out
    assert checked.out.endswith("✓ no false alarms in the history of 1 lane\n")


async def test_soaks_that_are_too_short_for_the_traffic_are_advice_of_the_check(
    tmp_path: Path, dsn: str
) -> None:
    cli = cli_on(tmp_path, dsn)
    await served(dsn, [0] * 720, total=1)
    checked = await cli("config", "check", "--backtest")
    assert checked.code == 0
    assert "! checkout/production: This lane has about 12 requests a minute." in checked.out


async def test_soaks_are_suggested_for_the_lanes_traffic(tmp_path: Path, dsn: str) -> None:
    cli = cli_on(tmp_path, dsn)
    await served(dsn, independent(Random(1)))
    said = await cli("plan", "suggest", "checkout", "production")
    assert said.code == 0
    assert (
        said.out.startswith("This lane has about 20 requests a second.") and "Suggested: [{verify" in said.out
    )


async def test_no_history_and_an_unknown_lane_are_sentences(tmp_path: Path, dsn: str) -> None:
    cli = cli_on(tmp_path, dsn)
    checked = await cli("config", "check", "--backtest")
    why = "cannot be replayed: nothing that it served was counted in the last 24 h."
    assert checked.code == 0 and checked.out.endswith(
        f"! checkout/staging {why}\n! checkout/production {why}\n"
    )
    for words in (("judge", "backtest"), ("plan", "suggest")):
        said = await cli(*words, "checkout", "production")
        assert said.code == 1 and "checkout/production" in said.err and "in the last 24 h" in said.err
        unknown = await cli(*words, "chekout", "production")
        assert unknown.code == 1 and "chekout" in unknown.err and "checkout" in unknown.err
