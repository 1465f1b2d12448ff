"""An alert of another program: on a card in Discord, and on the pager until people end it, over a killed bot."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import yaml

from demo.lanes import DemoLane
from tests.fakes.sinks import ROUTING_KEY, PagerDuty, serving
from tests.support.alert_sources import SECRET, by_us
from tests.support.e2e import acts
from tests.support.e2e.stack import CONFIG, RATE, Stack, marks, opened
from tests.support.postgres import PostgresServer

pytestmark = [*marks("alerts-in-and-out"), pytest.mark.real]
LANE = DemoLane("checkout", "endurance", RATE)
TITLE = "No backup since yesterday"


def catalog(folder: Path, pagerduty: PagerDuty) -> Path:
    shutil.copytree(CONFIG, folder)
    pager = {
        "kind": "pagerduty",
        "routing_key": "${SLIPWAY_VAR_PAGER}",
        "url": f"{pagerduty.url}/v2/enqueue",
        "enabled": True,
    }
    own = {"kind": "generic", "secret": "${SLIPWAY_VAR_ALERTS}"}
    text = yaml.safe_dump({"alert_sources": {"own": own}, "sinks": {"pager": pager}})
    (folder / "alerts.yaml").write_text(text)
    return folder


@dataclass
class StackWithPager:
    """A running Slipway, and the pager that it tells."""

    stack: Stack
    pagerduty: PagerDuty

    async def tell(self, fingerprint: str, **alert: str) -> Any:
        """A signed delivery about checkout/endurance; the answer."""
        said = {"fingerprint": fingerprint, "title": TITLE, "service": LANE.service, "severity": "critical"}
        body = json.dumps({"alerts": [{**said, "environment": LANE.environment, **alert}]}).encode()
        url = f"{self.stack.demo.bot_url}/alerts/own"
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=body, headers=by_us(body, at=time.time())) as answer,
        ):
            return await answer.json()

    async def incident(self, state: str) -> None:
        """Wait for the newest incident to be `state`."""

        async def look() -> bool | None:
            return True if list(self.pagerduty.incidents.values())[-1:] == [state] else None

        await self.stack.until(f"the incident to be {state}", look)

    async def card(self, after: int, label: str) -> str:
        """The id of the alert's message, once it has this button."""
        found = await self.stack.stage.message("alerts", TITLE, after=after, button=label, timeout_s=60)
        return str(found["id"])


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(
    postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[StackWithPager]:
    name, pagerduty = await postgres.fresh(), PagerDuty()
    variables = {"SLIPWAY_VAR_PAGER": ROUTING_KEY, "SLIPWAY_VAR_ALERTS": SECRET}
    async with serving(pagerduty):
        config = catalog(tmp_path_factory.mktemp("config") / "catalog", pagerduty)
        async with opened((LANE,), postgres.dsn(name), config=config, environment=variables) as stack:
            yield StackWithPager(stack, pagerduty)
    await postgres.drop(name)


async def test_people_in_discord_and_the_pager_see_one_alert_through(world: StackWithPager) -> None:
    stack, pagerduty = world.stack, world.pagerduty
    before = await stack.stage.last_message("alerts")
    assert await world.tell("backup") == {"message": "Taken: 1."}
    card = await world.card(before, "Acknowledge")
    await world.incident("triggered")
    event = pagerduty.got[-1]
    # The pager waits two seconds for the card to link to, and no longer.
    assert event.get("client_url", f"/{card}").endswith(f"/{card}")
    assert event["payload"]["summary"] == f"checkout/endurance: {TITLE}"
    await stack.kill_bot()
    await stack.bot_back()
    await stack.stage.press("oncall", card, "Acknowledge")
    await world.incident("acknowledged")
    await stack.stage.press("oncall", await world.card(before, "Resolve"), "Resolve")
    await world.incident("resolved")
    assert len(pagerduty.opened) == 1 and pagerduty.dropped == []
    await stack.until("the sinks to be well", lambda: told_all(stack))


async def told_all(stack: Stack) -> bool | None:
    return True if (await stack.health()).get("sinks") == "ok" else None


async def test_while_discord_is_away_the_pager_is_told_and_the_card_follows_once(
    world: StackWithPager,
) -> None:
    stack, pagerduty = world.stack, world.pagerduty
    before, incidents = await stack.stage.last_message("alerts"), len(pagerduty.opened)
    away = await acts.fault(stack, "503", route="*", application="slipway", seconds=600)
    assert await world.tell("disk") == {"message": "Taken: 1."}
    await world.incident("triggered")
    assert len(pagerduty.opened) == incidents + 1
    assert "client_url" not in pagerduty.got[-1]
    assert await stack.stage.last_message("alerts") == before
    await stack.stage.call("DELETE", f"faults/{away}")
    card = await world.card(before, "Acknowledge")
    await stack.stage.press("oncall", card, "Acknowledge")
    await world.incident("acknowledged")
    assert [m["id"] for m in await stack.stage.messages("alerts") if int(m["id"]) > before] == [card]
