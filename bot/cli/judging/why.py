"""`slipway why`: the judge's verdict on a rollout, opened."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

import click

from bot.cli.api_commands import api_client, command, print_json
from bot.cli.exits import tell
from bot.domain import phrasebook
from bot.domain.rollout.model import Lane

if TYPE_CHECKING:
    from bot.engine.api import OpenedVerdict

_BLOCKS = 12


@command
@click.argument("service")
@click.argument("environment")
@click.option("--rollout", type=click.IntRange(min=1), help="Which rollout (default: the newest).")
@click.option("--local", is_flag=True, help="Ask the database even if SLIPWAY_URL is set.")
def why(*, service: str, environment: str, rollout: int | None, local: bool, as_json: bool) -> int:
    """Open the judge's verdict on the newest rollout of SERVICE in ENVIRONMENT.

    Shows what decided, the numbers, the measurements that counted, and what would have changed it. Reads the database;
    with SLIPWAY_URL and SLIPWAY_TOKEN it asks the bot's HTTP API instead.
    """
    lane = Lane(service, environment)
    remote = os.environ.get("SLIPWAY_URL") and not local
    found = _asked(lane, rollout) if remote else asyncio.run(_read(lane, rollout))
    if as_json:
        print_json(found)
    else:
        _print(found)
    return 0


def _asked(lane: Lane, rollout: int | None) -> Any:
    api = api_client()
    if rollout is None:
        page = api.get("/rollouts", service=lane.service, environment=lane.environment, limit=1)["rollouts"]
        if not page:
            raise phrasebook.never_rolled_out(str(lane))
        rollout = page[0]["id"]
    found = api.get(f"/rollouts/{rollout}/why")
    _of_lane(Lane(found["service"], found["environment"]), lane, found["id"])
    return found


async def _read(lane: Lane, rollout: int | None) -> Any:
    from bot.cli.judging.judge import known_lane, local_store
    from bot.web.api.formatting import why as as_api

    known_lane(lane)
    async with local_store() as store:
        if rollout is None:
            page = await store.history.history([lane], None, 1)
            if not page:
                raise phrasebook.never_rolled_out(str(lane))
            rollout = page[0].id
        found = await _opened(store, rollout)
    _of_lane(found.rollout.lane, lane, rollout)
    return as_api(found).model_dump(mode="json")


async def _opened(store: Any, rollout_id: int) -> OpenedVerdict:
    from bot.engine.requests.why import opened, read

    return opened(*await read(store, rollout_id))


def _of_lane(is_of: Lane, lane: Lane, rollout_id: int) -> None:
    if is_of != lane:
        raise phrasebook.no_rollout(rollout_id)


def _print(found: Any) -> None:
    tell(
        f"#{found['id']}  {found['service']} {found['to_version']} → {found['environment']}  {found['phase']}"
    )
    said = (found["verdict"] or "no verdict") + (
        " (on hold: stable has the same trouble)" if found["hold"] else ""
    )
    tell(f"{said}: {found['sentence']}")
    for figure in found["figures"]:
        tell(f"  {figure}")
    blocks = [b for b in found["blocks"] if found["at"] is None or b["until"] <= found["at"]]
    if blocks:
        shown = blocks[-_BLOCKS:]
        tell(f"The last {len(shown)} of {len(blocks)} blocks (UTC, requests, bad, odds):")
        for block in shown:
            tell(f"  {_row(block)}")
    if found["changes"]:
        tell("What would have changed it:")
    for change in found["changes"]:
        tell(f"  - {change}")
    if found["note"]:
        tell(f"! {found['note']}")


def _row(block: Any) -> str:
    from bot.domain.judge.why.what_if import ratio

    row = f"{block['until'][11:19]}  {block['requests']:>6} {block['bad']:>5}"
    return (
        f"{row}  left out: {block['left_out']}" if block["left_out"] else f"{row}  {ratio(block['odds']):>16}"
    )
