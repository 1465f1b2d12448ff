"""Maintenance silences over HTTP and on the command line, with the same rules as in Discord."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.domain.tokens import TokenScope
from tests.support.actors import GUEST, ONCALL
from tests.support.api import Api, serving
from tests.support.cli import Cli


@pytest.fixture
async def api(dsn: str) -> AsyncIterator[Api]:
    async with serving(dsn, working=False) as found:
        await found.token("oncall", ONCALL)
        await found.token("guest", GUEST)
        yield found


def body(**more: Any) -> dict[str, Any]:
    until = (datetime.now(UTC) + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"service": "checkout", "environment": "staging", "until": until, "reason": "new disks", **more}


async def test_one_is_added_listed_and_ended(api: Api) -> None:
    wanted = body(labels={"check": "health"})
    added = await api("oncall", "POST", "/silences", wanted)
    assert added.status == 200, added.body
    assert (added.body["about"], added.body["active"]) == ("checkout/staging, check=health", True)
    assert (await api("oncall", "POST", "/silences", wanted)).body["id"] == added.body["id"]
    assert (await api("guest", "GET", "/silences")).body["silences"] == [added.body]
    path = f"/silences/{added.body['id']}/end"
    refused = await api("guest", "POST", path, {})
    assert (refused.status, refused.body["rule"]) == (403, "role")
    ended = await api("oncall", "POST", path, {"reason": "done"})
    assert (ended.status, ended.body["active"]) == (200, False)
    again = await api("oncall", "POST", path, {})
    assert (again.status, again.body["rule"]) == (404, "unknown_silence")
    assert (await api("oncall", "GET", "/silences")).body["silences"] == []
    (line,) = await api.slipway.audit("silence_ended")
    assert (line["actor_id"], line["via"], line["why"], line["service"]) == (
        ONCALL.id,
        "http",
        "done",
        "checkout",
    )


async def test_what_is_refused(api: Api) -> None:
    unknown = await api("oncall", "POST", "/silences", body(service="chekout"))
    assert (unknown.status, unknown.body["rule"]) == (404, "unknown_service")
    past = await api("oncall", "POST", "/silences", body(until="2020-01-01T00:00:00Z"))
    assert (past.status, past.body["rule"]) == (409, "silence_past")
    nothing = await api("oncall", "POST", "/silences", body(service="", environment=""))
    assert (nothing.status, nothing.body["rule"]) == (409, "silence_about_nothing")
    wrong = await api("oncall", "POST", "/silences", body(labels={"a": 1}, reason=" ", until="soon"))
    assert {mistake["pointer"] for mistake in wrong.body["errors"]} == {"#/labels/a", "#/reason", "#/until"}


async def test_a_limited_token_silences_one_of_its_lanes_at_a_time(api: Api) -> None:
    await api.token("staging", ONCALL, (TokenScope.READ, TokenScope.OPERATE), environments=("staging",))
    wide = await api("staging", "POST", "/silences", body(environment=""))
    assert (wide.status, wide.body["rule"]) == (403, "token_limit")
    other = await api("staging", "POST", "/silences", body(environment="production"))
    assert (other.status, other.body["rule"]) == (403, "token_limit")
    hidden = await api("oncall", "POST", "/silences", body(environment="production"))
    mine = await api("staging", "POST", "/silences", body())
    assert (await api("staging", "GET", "/silences")).body["silences"] == [mine.body]
    refused = await api("staging", "POST", f"/silences/{hidden.body['id']}/end", {})
    assert (refused.status, refused.body["rule"]) == (403, "token_limit")


async def test_the_command_line_adds_lists_and_ends(api: Api, tmp_path: Path) -> None:
    secret = await api.token("cli", ONCALL)
    cli = Cli(tmp_path, SLIPWAY_URL=api.base, SLIPWAY_TOKEN=secret)
    assert "Nothing is silenced" in (await cli("silences", "list")).err
    usual = ("--service", "checkout", "--reason", "new disks")
    done = await cli("silences", "add", *usual, "--label", "check=health", "--until", "2h")
    assert done.code == 0, done.err
    assert done.out.startswith("✓ silence 1: checkout/*, check=health, from ")
    planned = await cli("silences", "add", *usual, "--from", "1d", "--until", "2h", "--json")
    assert not json.loads(planned.out)["active"]
    listed = (await cli("silences", "list")).out.splitlines()
    assert listed[0].startswith("1  checkout/*, check=health: now, until ")
    assert listed[1] == "   oncall (token cli): new disks"
    assert listed[2].startswith("2  checkout/*: from ")
    ended = await cli("silences", "end", "1", "--reason", "done")
    assert ended.out == "✓ silence 1 is over: checkout/*, check=health\n"
    gone = await cli("silences", "end", "1")
    assert (gone.code != 0, "There is no silence 1 here" in gone.err) == (True, True)
    for wrong, said in (("soon", "`soon` is not a valid time."), ("31d", "lasts 30 days at most")):
        assert said in (await cli("silences", "add", *usual, "--until", wrong)).err
    assert (
        "cannot be read as labels"
        in (await cli("silences", "add", *usual, "--until", "2h", "--label", "x")).err
    )


async def test_the_command_line_counts_in_the_servers_time(api: Api, tmp_path: Path) -> None:
    cli = Cli(tmp_path, SLIPWAY_URL=api.base, SLIPWAY_TOKEN=await api.token("cli", ONCALL))
    api.slipway.world.clock.forward(3 * 3600)  # the machine of the command line was set back
    usual = ("--service", "checkout", "--reason", "new disks")
    done = await cli("silences", "add", *usual, "--until", "1h", "--json")
    assert done.code == 0, done.err
    added = json.loads(done.out)
    lasts = datetime.fromisoformat(added["until"]) - datetime.fromisoformat(added["since"])
    assert added["active"]
    assert timedelta(minutes=59) < lasts <= timedelta(hours=1)
