"""Incidents over HTTP, within what a token may see."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.adapters.redis.waker import EventWaker
from bot.domain.rollout.model import Lane
from bot.domain.watch.alerts.findings import Severity
from bot.domain.watch.incidents.incident import IncidentAction
from bot.engine.watch.incidents.api import IncidentOpening, IncidentRequest
from bot.engine.watch.incidents.service import Incidents
from tests.support.actors import DEV, GUEST, ONCALL
from tests.support.api import Api, serving
from tests.support.catalogs import PRODUCTION
from tests.support.harness import World


@pytest.fixture
async def api(dsn: str) -> AsyncIterator[Api]:
    async with serving(dsn, World(dsn), working=False) as found:
        await found.token("guest", GUEST)
        await found.token("narrow", GUEST, environments=("staging",))
        yield found


def service(api: Api) -> Incidents:
    world = api.slipway.world
    return Incidents(api.slipway.store, lambda: world.catalog, clock=world.clock, waker=EventWaker())


async def opened(api: Api, lane: Lane | None = PRODUCTION) -> int:
    guild = api.slipway.world.guild
    request = IncidentOpening(guild, DEV, "Payments fail", Severity.CRITICAL, lane)
    return (await service(api).open(request)).id


async def test_incidents_are_listed_and_read_with_timeline_and_times(api: Api) -> None:
    number, guild = await opened(api), api.slipway.world.guild
    await service(api).act(IncidentRequest(number, IncidentAction.NOTE, DEV, guild, "The queue is full"))
    (found,) = (await api("guest", "GET", "/incidents")).body["incidents"]
    assert (found["id"], found["title"], found["state"]) == (number, "Payments fail", "open")
    answer = await api("guest", "GET", f"/incidents/{number}")
    assert answer.status == 200, answer.body
    assert [line["text"] for line in answer.body["timeline"]][-1] == "The queue is full"
    assert answer.body["acknowledged"]["target_s"] == 900
    draft = (await api("guest", "GET", f"/incidents/{number}/postmortem")).body["markdown"]
    assert draft.startswith("# Post-mortem: Payments fail\n")
    assert "The queue is full" in draft
    await service(api).act(IncidentRequest(number, IncidentAction.CLOSE, ONCALL, guild))
    assert (await api("guest", "GET", "/incidents")).body["incidents"] == []
    (found,) = (await api("guest", "GET", "/incidents?closed=true")).body["incidents"]
    assert found["state"] == "closed"
    assert (await api("guest", "GET", "/incidents?closed=perhaps")).status == 422
    # A real database took the audit lines as well.
    assert len(await api.slipway.audit("incident_closed")) == 1


async def test_a_limited_token_sees_what_it_covers(api: Api) -> None:
    production, bare = await opened(api), await opened(api, None)
    assert (await api("narrow", "GET", "/incidents")).body["incidents"] == []
    for number in (production, bare):
        for path in (f"/incidents/{number}", f"/incidents/{number}/postmortem"):
            assert (await api("narrow", "GET", path)).status == 403
    assert (await api("guest", "GET", "/incidents/99")).status == 404
