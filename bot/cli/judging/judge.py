"""`slipway judge` and `slipway plan`: what the judge makes of a lane's own traffic."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

import click

from bot.catalog import load
from bot.cli.exits import EXIT_FAILED, settings, tell
from bot.domain import phrasebook
from bot.domain.config import Catalog, LaneConfig
from bot.domain.rollout.model import Lane
from bot.ports.coordination import Clock
from bot.ports.store import Store


@click.group()
def judge() -> None:
    """The judge, tried on what a lane has served."""


@judge.command("backtest")
@click.argument("service")
@click.argument("environment")
@click.option("--replays", default=300, show_default=True, help="How often the stable release is rolled out.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def backtest_(service: str, environment: str, replays: int, as_json: bool) -> None:
    """Replay the judge on the lane's history, as if its stable release were rolled out again and again.

    Says how many replays were rolled back though nothing was wrong, and how soon a fault would have been found.
    Exit code 1 when more than 1% were, or when nothing can be replayed.
    """
    sys.exit(asyncio.run(_backtest(Lane(service, environment), replays, as_json)))


@click.group()
def plan() -> None:
    """Plans that fit a lane's traffic."""


@plan.command()
@click.argument("service")
@click.argument("environment")
def suggest(service: str, environment: str) -> None:
    """Say which share of the traffic needs which soak, or what probes and plain rules can find, and suggest a plan."""
    sys.exit(asyncio.run(_suggest(Lane(service, environment))))


@dataclass(frozen=True, slots=True)
class Checked:
    """A catalog on the history of its lanes, as sentences. replayed: how many lanes were.

    alarming: lanes with false alarms. left_out: lanes that could not be replayed. advice: soaks too short for their
    traffic.
    """

    replayed: int
    alarming: tuple[str, ...]
    left_out: tuple[str, ...]
    advice: tuple[str, ...]


async def checked(catalog: Catalog, replays: int) -> Checked:
    """For `config check --backtest`."""
    from bot.engine.requests.calibration import plan_advice, tried

    alarming, left_out = [], []
    async with local_store() as store:
        for config in catalog.lanes.values():
            found = await tried(store, config, datetime.now(UTC), replays=replays)
            if found.backtest is None:
                left_out.append(phrasebook.not_replayed(str(config.lane), found.not_replayed))
            elif found.backtest.too_many:
                alarming.append(f"{config.lane}: {found.backtest.sentence()}")
        advice = await plan_advice(store, catalog, datetime.now(UTC))
    return Checked(len(catalog.lanes) - len(left_out), tuple(alarming), tuple(left_out), advice)


async def _backtest(lane: Lane, replays: int, as_json: bool) -> int:
    from bot.engine.requests.calibration import tried

    config = known_lane(lane)
    async with local_store() as store:
        all_found = await tried(store, config, datetime.now(UTC), replays=replays)
    found = all_found.backtest
    if found is None:
        tell(phrasebook.not_replayed(str(lane), all_found.not_replayed), err=True)
        return EXIT_FAILED
    click.echo(
        json.dumps({**asdict(found), "sentence": found.sentence()}, indent=2) if as_json else found.sentence()
    )
    return EXIT_FAILED if found.too_many else 0


async def _suggest(lane: Lane) -> int:
    from bot.engine.requests.calibration import tried

    config = known_lane(lane)
    async with local_store() as store:
        found = (await tried(store, config, datetime.now(UTC))).suggestion
    if not found:
        tell(phrasebook.no_history(str(lane)), err=True)
        return EXIT_FAILED
    click.echo("\n".join(found))
    return 0


def known_lane(lane: Lane) -> LaneConfig:
    """The lane's entry in the catalog. Raises `UserError` that offers the closest names."""
    from bot.composition.registry import KINDS

    return load(settings().config_dir, KINDS).of(lane)


@asynccontextmanager
async def local_store() -> AsyncIterator[Store]:
    """The database of this machine's settings."""
    async with timed_store() as (store, _):
        yield store


@asynccontextmanager
async def timed_store() -> AsyncIterator[tuple[Store, Clock]]:
    """The same with its server's clock. From here on, only errors are logged: the rest would be among the output."""
    from bot import logs
    from bot.adapters.embedded_postgres import database
    from bot.adapters.postgres.connection.clock import DatabaseClock
    from bot.adapters.postgres.connection.database import Database
    from bot.adapters.postgres.connection.schema import is_newest
    from bot.adapters.postgres.store import PostgresStore

    logs.configure("error", "console")
    given = settings()
    async with database(given.database.dsn, given.data_dir) as dsn:
        if not await is_newest(dsn):
            raise phrasebook.other_schema()
        async with Database(dsn, size=2, timeout_s=10.0) as pool:
            clock = DatabaseClock(pool)
            await clock.ask()
            yield PostgresStore(pool), clock
