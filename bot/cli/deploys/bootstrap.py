"""`slipway bootstrap`: first releases, started before the bot looks at their lanes."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, TypeVar

import click

from bot import references
from bot.catalog import load
from bot.cli.exits import exit_code, sentence, settings, tell
from bot.domain import phrasebook
from bot.domain.config import unknown
from bot.domain.rollout.model import Desired, Lane, Observed, Release, RunState
from bot.ports.data_plane.targets import CatalogTarget
from bot.ports.errors import TargetRefused, Unreachable
from bot.ports.releases import ReleaseSource
from bot.settings import Settings

T = TypeVar("T")

_LOOK_S = 0.1
_TRY_S = 0.5


class _First(NamedTuple):
    """A lane, its target, and what it is to run under which generation."""

    lane: Lane
    target: CatalogTarget
    desired: Desired
    release: Release


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="SERVICE ENVIRONMENT VERSION [...]")
@click.option(
    "--wait",
    "wait_s",
    default=60.0,
    show_default=True,
    help="Seconds to wait for the target, and until they are ready.",
)
def bootstrap(words: tuple[str, ...], wait_s: float) -> None:
    """Start VERSION of SERVICE in ENVIRONMENT as its first stable release.

    Repeat the three words for more lanes. All are checked before anything starts. Use it before the bot first sees a
    lane; it adopts what runs. Fails if something already runs, or if the database owns a lane already.
    """
    if len(words) % 3:
        raise click.UsageError("Each lane takes three words: SERVICE ENVIRONMENT VERSION.")
    wanted = [(Lane(words[i], words[i + 1]), words[i + 2]) for i in range(0, len(words), 3)]
    asyncio.run(_bootstrap(settings(), wanted, wait_s))


async def _bootstrap(given: Settings, wanted: Sequence[tuple[Lane, str]], wait_s: float) -> None:
    from bot.composition.adapters import Given, make_releases, make_targets
    from bot.composition.registry import KINDS

    catalog = load(given.config_dir, KINDS)
    targets, releases = make_targets(catalog, given.data_dir), make_releases(lambda: catalog)
    owned = asyncio.ensure_future(_owned(given))

    async def first(lane: Lane, version: str) -> _First:
        catalog.of(lane)
        target = targets.get(catalog.lanes[lane].target)
        if target is None:
            raise phrasebook.nothing_to_start(str(lane))
        if lane in await owned:
            raise phrasebook.lane_owned(str(lane))
        release = await _release(releases, lane, version, Given(lambda: catalog))
        observed = await _reached(lane, target, wait_s)
        if observed.running:
            raise phrasebook.runs_already(str(lane), [r.version for r in observed.running])
        return _First(lane, target, Desired(observed.generation + 1, stable=release), release)

    async def start(one: _First) -> None:
        await one.target.apply(one.lane, one.desired)
        await _wait_ready(one, wait_s)
        address = await one.target.router_address(one.lane)
        tell(f"✓ {one.lane} runs {one.release.version}" + (f" at {address}" if address else ""))

    await _each(start, [(one,) for one in await _each(first, wanted)])


async def _each(do: Callable[..., Awaitable[T]], these: Sequence[tuple[object, ...]]) -> list[T]:
    """`do` for all at once. When some fail, every reason is printed and the command ends."""
    done = await asyncio.gather(*(do(*one) for one in these), return_exceptions=True)
    failed = [found for found in done if isinstance(found, BaseException)]
    reasons = {sentence(found): found for found in failed if exit_code(found) is not None}
    if len(reasons) < 2 or any(exit_code(found) is None for found in failed):
        for found in failed:
            raise found
    for reason in reasons:
        tell(reason, err=True)
    if failed:
        sys.exit(exit_code(failed[0]))
    return [found for found in done if not isinstance(found, BaseException)]


async def _owned(given: Settings) -> Collection[Lane]:
    """The lanes that a bot has looked at before. Raises `Unreachable` if the configured database is away."""
    import asyncpg

    from bot.adapters.embedded_postgres import database

    if given.database.dsn is None and not (given.data_dir / "postgres").exists():
        return ()  # no bot has run here
    async with database(given.database.dsn, given.data_dir) as dsn:
        try:
            connection = await asyncpg.connect(dsn, timeout=5)
        except (OSError, TimeoutError, asyncpg.PostgresError) as error:
            raise Unreachable(phrasebook.database_away(type(error).__name__)) from None
        try:
            return {Lane(*row) for row in await connection.fetch("SELECT service, environment FROM lanes")}
        except asyncpg.UndefinedTableError:
            return ()
        finally:
            await connection.close()


async def _release(releases: ReleaseSource, lane: Lane, version: str, given: Mapping[str, str]) -> Release:
    known = {r.version: r for r in await releases.releases(lane.service, lane.environment)}
    if version not in known:
        raise unknown("version", version, known, where=f"of {lane.service}")
    found = await releases.pinned(known[version], lane.environment)
    return replace(found, spec=references.resolved(found.spec, given))


async def _reached(lane: Lane, target: CatalogTarget, wait_s: float) -> Observed:
    """What runs, once the target answers: its Envoy or its engine may be starting at the same time.

    Raises `Unreachable` with the last reason when it does not in time.
    """
    deadline, told = time.monotonic() + wait_s, False
    while True:
        try:
            return await target.observe(lane)
        except Unreachable as away:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise Unreachable(phrasebook.not_reached(str(lane), wait_s, str(away))) from None
            if not told:
                tell(f"· {phrasebook.not_reached_yet(str(lane), wait_s, str(away))}", err=True)
                told = True
        await asyncio.sleep(min(_TRY_S, left_s))


async def _wait_ready(first: _First, wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    while True:
        seen = (await first.target.observe(first.lane)).of(first.release.digest)
        if seen is not None and seen.state is RunState.READY:
            return
        if seen is not None and seen.state is RunState.CRASHED:
            why = seen.detail or "it exited"
            raise TargetRefused(phrasebook.did_not_start(str(first.lane), first.release.version, why))
        if time.monotonic() > deadline:
            state = str(seen.state) if seen else "not running"
            raise Unreachable(phrasebook.not_ready(str(first.lane), first.release.version, state, wait_s))
        await asyncio.sleep(_LOOK_S)
