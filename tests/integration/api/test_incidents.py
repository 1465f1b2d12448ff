"""Incidents over HTTP, within what a token may see."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.adapters.redis.waker import EventWaker
from bot.domain.rollout.model import Lane
from bot.domain.tokens import TokenScope
from bot.domain.watch.alerts.findings import Finding, Severity
from bot.domain.watch.incidents.incident import IncidentAction
from bot.engine.watch.incidents.api import IncidentOpening, IncidentRequest
from bot.engine.watch.incidents.service import Incidents
from tests.support.actors import DEV, GUEST, ONCALL
from tests.support.alerts import alerts_on
from tests.support.api import Answer, Api, serving
from tests.support.catalogs import PRODUCTION, catalog
from tests.support.cli import Cli
from tests.support.harness import World
from tests.support.oncall import schedule, with_schedules


@pytest.fixture
async def api(dsn: str) -> AsyncIterator[Api]:
    async with serving(dsn, World(dsn), working=False) as found:
        await found.token("guest", GUEST)
        await found.token("oncall", ONCALL)
        await found.token("narrow", ONCALL, environments=("staging",))
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


# ---- changes -----------------------------------------------------------------------------------------------

IN_PRODUCTION = {"title": "Payments fail", "service": "checkout", "environment": "production"}


async def act(api: Api, token: str, number: int, action: str, key: str = "", **more: Any) -> Answer:
    headers = {"Idempotency_Key": key} if key else {}
    return await api(token, "POST", f"/incidents/{number}/actions", {"action": action, **more}, **headers)


async def lines(api: Api, number: int) -> list[tuple[str, str]]:
    found = (await api("oncall", "GET", f"/incidents/{number}")).body["timeline"]
    return [(line["what"], line["text"]) for line in found if line["source"] == "incident"]


async def test_an_incident_is_opened_worked_on_and_closed_as_by_its_commands(api: Api) -> None:
    opened = await api("guest", "POST", "/incidents", {**IN_PRODUCTION, "severity": "critical"})
    assert opened.status == 200, opened.body
    number = opened.body["incident"]["id"]
    assert opened.body["sentence"] == f"Incident {number} is open: its card and its thread are in #incidents."
    said = [
        await act(api, "guest", number, "note", text="It began at noon"),
        await act(api, "guest", number, "assign"),
        await act(api, "oncall", number, "assign", user_id="13", user="lead"),
        await act(api, "oncall", number, "acknowledge", user_id="13"),
        await act(api, "oncall", number, "restore"),
        await act(api, "oncall", number, "close", text="a cable"),
        await act(api, "guest", number, "note", text="It was chewed"),
        await act(api, "guest", number, "document", text="https://wiki.example/1"),
    ]
    assert [answer.body.get("sentence", answer.body) for answer in said] == [
        f"Noted in the timeline of incident {number}.",
        f"guest has incident {number} now.",
        f"lead has incident {number} now.",
        f"You have incident {number} now.",
        f"Incident {number} is restored. Close it when nothing is left to do.",
        f"Incident {number} is closed.",
        f"Noted in the timeline of incident {number}.",
        f"Incident {number} has its post-mortem.",
    ]
    states = [(answer.body["incident"]["owner"], answer.body["incident"]["state"]) for answer in said]
    assert states[1:6] == [
        ("guest", "acknowledged"),
        ("lead", "acknowledged"),
        ("oncall", "acknowledged"),
        ("oncall", "restored"),
        ("oncall", "closed"),
    ]
    assert said[-1].body["incident"]["postmortem"] == "https://wiki.example/1"
    (closed,) = await api.slipway.audit("incident_closed")
    assert (closed["actor_id"], closed["actor"], closed["via"], closed["why"]) == (
        ONCALL.id,
        "oncall (token oncall)",
        "http",
        "a cable",
    )
    assert closed["service"] == "checkout"


async def test_a_repeated_request_acts_once(api: Api) -> None:
    first, second = await asyncio.gather(
        *(api("guest", "POST", "/incidents", IN_PRODUCTION, Idempotency_Key="run-1") for _ in "ab")
    )
    assert (first.status, first.body) == (200, second.body)
    number = first.body["incident"]["id"]
    for other in ({**IN_PRODUCTION, "title": "Other"}, {"title": "Payments fail"}):
        reused = await api("guest", "POST", "/incidents", other, Idempotency_Key="run-1")
        assert (reused.status, reused.body["rule"]) == (409, "key_reused")
    # Keys belong to a token, and each without one is a request of its own.
    assert (
        await api("oncall", "POST", "/incidents", IN_PRODUCTION, Idempotency_Key="run-1")
    ).body != first.body
    assert (await api("guest", "POST", "/incidents", IN_PRODUCTION)).body != first.body
    for _ in "ab":
        assert (await act(api, "oncall", number, "note", "k", text="once")).status == 200
        closed = await act(api, "oncall", number, "close", "k")
        assert closed.body["sentence"] == f"Incident {number} is closed."
    assert [what for what, _ in await lines(api, number)] == ["opened", "note", "restored", "closed"]
    assert len(await api.slipway.audit("incident_note")) == 1
    again = await act(api, "oncall", number, "close", "other")
    assert (again.status, again.body["rule"]) == (409, "over")
    assert again.body["detail"].startswith(f"Incident {number} is closed.")


async def test_what_a_person_may_not_do_their_token_may_not_either(api: Api) -> None:
    number = await opened(api)
    await api.token("reader", ONCALL, (TokenScope.READ,))
    for path, body in (
        ("/incidents", IN_PRODUCTION),
        (f"/incidents/{number}/actions", {"action": "restore"}),
    ):
        refused = await api("reader", "POST", path, body)
        assert (refused.status, refused.body["rule"]) == (403, "scope")
    for action, more in (("restore", {}), ("close", {}), ("assign", {"user_id": "13"})):
        refused = await act(api, "guest", number, action, **more)
        assert (refused.status, refused.body["rule"]) == (403, "role")
        assert refused.body["detail"].startswith(f"To {action} an incident you need one of the roles on-call")
    # A role that its owner lost in Discord does not count, and who has the incident needs none.
    api.members.taken[ONCALL.id] = {"on-call"}
    assert (await act(api, "oncall", number, "close")).status == 403
    assert (await act(api, "oncall", number, "acknowledge")).status == 200
    assert (await act(api, "oncall", number, "restore")).status == 200
    again = await act(api, "oncall", number, "restore")
    assert (again.status, again.body["rule"]) == (409, "over")
    assert [what for what, _ in await lines(api, number)] == ["opened", "acknowledged", "restored"]


async def test_a_limited_token_changes_what_it_covers(api: Api) -> None:
    production, bare = await opened(api), await opened(api, None)
    for number in (production, bare):
        refused = await act(api, "narrow", number, "note", text="x")
        assert (refused.status, refused.body["rule"]) == (403, "token_limit")
    staging = {**IN_PRODUCTION, "environment": "staging"}
    finding = Finding("errors", "rule", "Payments fail", api.slipway.world.clock.now(), lane=PRODUCTION)
    alert = await alert_of(api, finding)
    for body in (IN_PRODUCTION, {"title": "Payments fail"}, {"alert": alert}):
        refused = await api("narrow", "POST", "/incidents", body)
        assert (refused.status, refused.body["rule"]) == (403, "token_limit"), body
    mine = (await api("narrow", "POST", "/incidents", staging)).body["incident"]["id"]
    assert (await act(api, "narrow", mine, "note", text="x")).status == 200
    # An alert has one incident, however often it is asked for.
    asked = [await api("oncall", "POST", "/incidents", {"alert": alert}) for _ in "ab"]
    assert asked[0].body["incident"]["alerts"] == [alert]
    assert asked[0].body == asked[1].body


async def alert_of(api: Api, finding: Finding) -> int:
    world = api.slipway.world

    alerts = alerts_on(api.slipway.store, lambda: world.catalog, world.clock)
    await alerts.hear([finding])
    (alert,) = await api.slipway.store.alerts.open(world.guild)
    return alert.id


async def test_mistakes_are_named(api: Api) -> None:
    number = await opened(api)
    for body, rule, status in (
        ({"title": " "}, "reason", 409),
        ({"title": "x", "service": "chekout", "environment": "staging"}, "unknown_service", 404),
        ({"title": "x", "service": "checkout"}, "unknown_environment", 404),
        ({"alert": 99}, "no_alert", 409),
    ):
        refused = await api("oncall", "POST", "/incidents", body)
        assert (refused.status, refused.body["rule"]) == (status, rule), refused.body
    for action in ("note", "document"):
        refused = await act(api, "oncall", number, action, text=" \n")
        assert (refused.status, refused.body["rule"]) == (409, "reason")
    gone = await act(api, "oncall", 99, "note", text="x")
    assert (gone.status, gone.body["rule"]) == (404, "unknown_incident")
    wrong = await act(api, "oncall", number, "reopen", user_id="ada", text="x" * 901)
    assert {mistake["pointer"] for mistake in wrong.body["errors"]} == {"#/action", "#/user_id", "#/text"}
    wrong = await api("oncall", "POST", "/incidents", {"severity": "terrible", "alert": "1"})
    assert {mistake["pointer"] for mistake in wrong.body["errors"]} == {"#/severity", "#/alert"}
    hostile = await act(api, "oncall", number, "note", text="@everyone \u202e **x** `")
    assert hostile.status == 200


async def test_people_of_schedules_are_known_by_their_names(dsn: str) -> None:
    async with serving(dsn, World(dsn, with_schedules(catalog(), schedule())), working=False) as api:
        await api.token("oncall", ONCALL)
        number = await opened(api)
        person = schedule().people[0]
        given = await act(api, "oncall", number, "assign", user_id=str(person.id), user="a liar")
        assert given.body["incident"]["owner"] == person.name
        given = await act(api, "oncall", number, "assign", user_id="987")
        assert given.body["sentence"] == f"987 has incident {number} now."


async def test_the_command_line_does_the_same(api: Api, tmp_path: Path) -> None:
    secret = await api.token("cli", ONCALL)
    cli = Cli(tmp_path, SLIPWAY_URL=api.base, SLIPWAY_TOKEN=secret)
    assert "No incident is open." in (await cli("incidents", "list")).err
    usual = ("--service", "checkout", "--environment", "production", "--severity", "critical")
    done = await cli("incidents", "open", "Payments fail", *usual, "--key", "run-1")
    assert (done.code, done.err) == (0, "")
    assert done.out == "✓ Incident 1 is open: its card and its thread are in #incidents.\n"
    again = await cli("incidents", "open", "Payments fail", *usual, "--key", "run-1", "--json")
    assert json.loads(again.out)["incident"]["id"] == 1
    assert (await cli("incidents", "assign", "1")).out == "✓ oncall has incident 1 now.\n"
    assert (await cli("incidents", "note", "1", "The queue is full")).code == 0
    assert "is restored" in (await cli("incidents", "restored", "1")).out
    listed = (await cli("incidents", "list")).out
    assert listed.startswith("1  critical  restored  Payments fail  checkout/production  since ")
    assert listed.endswith("oncall has it\n")
    shown = (await cli("incidents", "show", "1", "--lines", "2")).out.splitlines()
    assert shown[1].startswith("  ✓ acknowledged after ") and shown[1].endswith(" of 15 min")
    assert shown[3] == "  … 2 older"
    assert shown[4].endswith("oncall (token cli) note: The queue is full")
    assert (await cli("incidents", "close", "1", "--reason", "a cable")).out == "✓ Incident 1 is closed.\n"
    refused = await cli("incidents", "close", "1")
    assert (refused.code, refused.err[:21]) == (6, "Incident 1 is closed.")
    assert "# Post-mortem: Payments fail" in (await cli("incidents", "postmortem", "1")).out
    named = await cli("incidents", "postmortem", "1", "--link", "https://wiki.example/1")
    assert named.out == "✓ Incident 1 has its post-mortem.\n"
    assert "wiki.example" in (await cli("incidents", "list", "--closed", "--json")).out
