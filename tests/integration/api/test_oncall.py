"""On-call schedules over HTTP and on the command line: who is on call, and overrides with the same rules."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from bot.domain.tokens import TokenScope
from bot.domain.watch.oncall.rotation import Rotation
from bot.engine.watch.oncall.service import OnCall
from tests.support.actors import DEV, GUEST, ONCALL
from tests.support.api import Api, serving
from tests.support.catalog_files import SOUND, write
from tests.support.catalogs import catalog
from tests.support.cli import Cli
from tests.support.harness import World
from tests.support.oncall import ADA, ALAN, schedule, with_schedules

# grace is on call now, since yesterday; each turn takes two days.
BEGAN = datetime.now(UTC).replace(microsecond=0, tzinfo=None) - timedelta(days=3)
PAYMENTS = schedule(rotation=Rotation("UTC", BEGAN, timedelta(days=2)), lead=ALAN)


@pytest.fixture
async def api(dsn: str) -> AsyncIterator[Api]:
    world = World(dsn, with_schedules(catalog(), PAYMENTS))
    async with serving(dsn, world, working=False) as found:
        engine = found.slipway.engine
        engine.on_call = OnCall(
            found.slipway.store.on_call, lambda: world.catalog, world.clock, found.members, answer_s=20.0
        )
        await found.token("oncall", ONCALL)
        await found.token("guest", GUEST)
        yield found


def body(**more: Any) -> dict[str, Any]:
    until = (datetime.now(UTC) + timedelta(hours=8)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"user_id": str(ADA.id), "until": until, "reason": "a dentist", **more}


async def test_who_is_on_call(api: Api) -> None:
    answer = await api("guest", "GET", "/oncall")
    assert answer.status == 200, answer.body
    (found,) = answer.body["schedules"]
    assert (found["schedule"], found["time_zone"]) == ("payments", "Europe/Berlin")
    assert found["now"]["person"] == {"id": "102", "name": "grace", "here": True}
    assert found["shifts"][0] == found["now"]
    assert [shift["person"]["name"] for shift in found["shifts"][:3]] == ["grace", "alan", "ada"]
    assert (found["second"]["name"], found["lead"]["name"], found["lead_role"]) == ("alan", "alan", None)
    assert found["lanes"] == ["checkout/staging", "checkout/production"]
    (named,) = (await api("guest", "GET", "/oncall?schedule=payments")).body["schedules"]
    assert named == found
    unknown = await api("guest", "GET", "/oncall?schedule=paymnets")
    assert (unknown.status, unknown.body["rule"]) == (404, "unknown_schedule")


async def test_people_who_left_the_server_are_not_here(api: Api) -> None:
    api.members.left = {ALAN.id}
    (found,) = (await api("guest", "GET", "/oncall")).body["schedules"]
    assert found["second"] == {"id": "103", "name": "alan", "here": False}


async def test_an_override_takes_over_and_repeating_it_changes_nothing(api: Api) -> None:
    wanted = body()
    answer = await api("oncall", "POST", "/oncall/payments/overrides", wanted)
    assert answer.status == 200, answer.body
    assert answer.body["person"] == {"id": "101", "name": "ada", "here": True}
    assert [shift["person"]["name"] for shift in answer.body["instead"]] == ["grace"]
    again = await api("oncall", "POST", "/oncall/payments/overrides", wanted)
    assert (again.status, again.body["id"], again.body["instead"]) == (200, answer.body["id"], [])
    (found,) = (await api("guest", "GET", "/oncall")).body["schedules"]
    assert found["now"]["person"]["name"] == "ada"
    assert (found["now"]["override_by"], found["now"]["override_reason"]) == (
        "oncall (token oncall)",
        "a dentist",
    )
    (line,) = await api.slipway.audit("on_call_override")
    assert (line["actor_id"], line["via"], line["why"]) == (ONCALL.id, "http", "a dentist")


async def test_what_is_refused(api: Api) -> None:
    path = "/oncall/payments/overrides"
    refused = await api("guest", "POST", path, body())
    assert (refused.status, refused.body["rule"]) == (403, "role")
    past = await api("oncall", "POST", path, body(until="2020-01-01T00:00:00Z"))
    assert (past.status, past.body["rule"]) == (409, "override_over")
    api.members.left = {ADA.id}
    gone = await api("oncall", "POST", path, body())
    assert (gone.status, gone.body["rule"]) == (409, "cannot_be_on_call")
    wrong = await api("oncall", "POST", path, body(until="tomorrow", user_id=5, reason=" "))
    assert wrong.status == 422
    assert {mistake["pointer"] for mistake in wrong.body["errors"]} == {"#/until", "#/user_id", "#/reason"}
    none = await api("oncall", "POST", "/oncall/search/overrides", body())
    assert (none.status, none.body["rule"]) == (404, "unknown_schedule")


async def test_a_token_changes_no_schedule_of_lanes_that_it_does_not_cover(api: Api) -> None:
    await api.token("staging", ONCALL, (TokenScope.READ, TokenScope.OPERATE), environments=("staging",))
    refused = await api("staging", "POST", "/oncall/payments/overrides", body())
    assert (refused.status, refused.body["rule"]) == (403, "token_limit")
    assert len((await api("staging", "GET", "/oncall")).body["schedules"]) == 1
    await api.token("other", ONCALL, (TokenScope.READ,), services=("search",))
    assert (await api("other", "GET", "/oncall")).body["schedules"] == []


async def test_the_command_line_says_who_and_overrides(api: Api, tmp_path: Path) -> None:
    secret = await api.token("cli", ONCALL)
    cli = Cli(tmp_path, SLIPWAY_URL=api.base, SLIPWAY_TOKEN=secret)
    said = await cli("oncall", "who")
    assert said.code == 0, said.err
    lines = said.out.splitlines()
    assert lines[0].startswith("payments: grace until in ")
    assert lines[1] == "  next: alan  second: alan  lead: alan"
    done = await cli("oncall", "override", "payments", str(ADA.id), "--until", "2h", "--reason", "a dentist")
    assert done.code == 0, done.err
    assert done.out.startswith("✓ ada is on call for payments from ")
    assert done.out.splitlines()[1].startswith("  instead of grace until ")
    weeks = await cli("oncall", "schedule", "payments")
    assert weeks.out.splitlines()[0] == "payments (Europe/Berlin)"
    assert weeks.out.splitlines()[1].endswith("  ada  override by oncall (token cli)")
    found = json.loads((await cli("oncall", "who", "--json")).out)
    assert found["schedules"][0]["now"]["person"]["name"] == "ada"
    wrong = await cli("oncall", "override", "payments", "5", "--until", "soon", "--reason", "x")
    assert (wrong.code, "`soon` is not a valid time." in wrong.err) == (1, True)


async def test_the_command_line_counts_in_the_servers_time(api: Api, tmp_path: Path) -> None:
    cli = Cli(tmp_path, SLIPWAY_URL=api.base, SLIPWAY_TOKEN=await api.token("cli", ONCALL))
    api.slipway.world.clock.forward(3 * 3600)  # the machine of the command line was set back
    asked = ("oncall", "override", "payments", str(ADA.id), "--until", "1h", "--reason", "a dentist")
    done = await cli(*asked, "--json")
    assert done.code == 0, done.err
    given = json.loads(done.out)
    lasts = datetime.fromisoformat(given["until"]) - datetime.fromisoformat(given["since"])
    assert timedelta(minutes=59) < lasts <= timedelta(hours=1)


async def test_a_token_of_someone_without_the_role_is_refused(api: Api, tmp_path: Path) -> None:
    secret = await api.token("cli", GUEST)
    cli = Cli(tmp_path, SLIPWAY_URL=api.base, SLIPWAY_TOKEN=secret)
    done = await cli("oncall", "override", "payments", str(DEV.id), "--until", "2h", "--reason", "x")
    assert (done.code, "to change who is on call" in done.err) == (6, True)


async def test_without_the_bot_the_command_line_reads_catalog_and_database(dsn: str, tmp_path: Path) -> None:
    people = 'people: {ada: "200000000000000001", grace: "200000000000000002"}\n'
    week = f"{datetime.now(UTC) + timedelta(days=3):%Y-%m-%d}"
    late = "{people: [ada, grace], time_zone: UTC, rotation: daily, start: " + week + "}\n"
    write(tmp_path / "config", all=SOUND + people + "on_call:\n  payments: " + late)
    cli = Cli(tmp_path, DATABASE_URL=dsn)
    said = await cli("oncall", "who")
    assert said.code == 0, said.err
    assert said.out.startswith("✗ payments: no one is on call until in ")
    assert said.out.splitlines()[1] == "  next: ada  second: ada"
    checked = await cli("config", "check")
    assert checked.code == 0, checked.err
    assert "! No one is on call for payments from " in checked.out


async def test_without_the_bot_it_is_the_database_that_says_what_time_it_is(dsn: str, tmp_path: Path) -> None:
    """The machine of the command line is 30 days behind the server."""
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        "CREATE SCHEMA ahead; CREATE FUNCTION ahead.clock_timestamp() RETURNS timestamptz LANGUAGE sql "
        "AS $$ SELECT pg_catalog.clock_timestamp() + interval '30 days' $$"
    )
    await connection.close()
    people = 'people: {ada: "200000000000000001", grace: "200000000000000002"}\n'
    start = f"{datetime.now(UTC) + timedelta(days=20):%Y-%m-%d}"
    begun = "{people: [ada, grace], time_zone: UTC, rotation: weekly, start: " + start + "}\n"
    write(tmp_path / "config", all=SOUND + people + "on_call:\n  payments: " + begun)
    here = json.loads((await Cli(tmp_path, DATABASE_URL=dsn)("oncall", "who", "--json")).out)
    assert here["schedules"][0]["now"]["person"] is None
    cli = Cli(tmp_path, DATABASE_URL=f"{dsn}&search_path=ahead%2Cpublic%2Cpg_catalog")
    done = await cli("oncall", "who", "--local", "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    # The second week has begun.
    assert found["schedules"][0]["now"]["person"]["name"] == "grace"
    assert datetime.fromisoformat(found["now"]) > datetime.now(UTC) + timedelta(days=29)
    said = await cli("oncall", "who", "--local")
    assert said.out.startswith("payments: grace until in ")
