"""Reports and exports over HTTP, within what a token may see."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.domain.rollout.model import Phase
from bot.domain.watch.alerts.alert import Owner
from bot.domain.watch.alerts.escalation import AlertPolicy
from bot.domain.watch.alerts.findings import Finding, Severity
from bot.domain.watch.alerts.lifecycle import begin
from bot.domain.watch.incidents.incident import Incident
from bot.ports.watch.alerts import AlertChange
from bot.ports.watch.incidents import IncidentSave
from tests.support.actors import GUEST
from tests.support.api import Api, serving
from tests.support.catalogs import PRODUCTION, STAGING, V150
from tests.support.harness import World

# More rows than are read from the database at a time.
MORE = 600


@pytest.fixture
async def api(dsn: str) -> AsyncIterator[Api]:
    async with serving(dsn, World(dsn)) as found:
        await found.token("guest", GUEST)
        await found.token("narrow", GUEST, environments=("staging",))
        yield found


async def alert(api: Api, lane: Any, title: str) -> None:
    store, now = api.slipway.store, api.slipway.world.clock.now() - timedelta(minutes=5)
    finding = Finding("f1", "rule", title, now, severity=Severity.CRITICAL, lane=lane)
    opened = begin(await store.alerts.next_id(), finding, (api.slipway.world.guild,), now, AlertPolicy())
    assert await store.alerts.save(AlertChange(opened.alert, 0, None, opened.entries))


async def download(api: Api, table: str, token: str = "guest", **query: str) -> tuple[int, str, Any]:
    query = {"since": day(-90), "until": day(1), **query}
    headers = {"Authorization": f"Bearer {api.secrets[token]}"}
    url = f"{api.base}/api/v1/export/{table}"
    async with api.session.get(url, params=query, headers=headers) as answer:
        return answer.status, (await answer.read()).decode(), answer.headers


def day(offset: int) -> str:
    """The midnight (UTC) that begins today, or so many days from today."""
    return f"{datetime.now(UTC) + timedelta(days=offset):%Y-%m-%dT00:00:00Z}"


def rows(text: str) -> list[dict[str, str]]:
    assert text.startswith("\ufeff") and text.count("\ufeff") == 1
    return list(csv.DictReader(io.StringIO(text[1:], newline="")))


async def test_a_report_counts_what_the_token_may_see(api: Api) -> None:
    nothing = await api("guest", "GET", "/report")
    assert nothing.status == 200, nothing.body
    assert nothing.body["total"]["now"]["deployments"] is None
    rollout = await api.slipway.deploy(V150, STAGING)
    await api.slipway.reaches(rollout, Phase.SUCCEEDED)
    for lane in (PRODUCTION, STAGING, None):
        await alert(api, lane, "errors")
    seen = (await api("guest", "GET", "/report?days=28")).body
    assert seen["total"]["environments"] == ["production"]
    assert seen["total"]["now"]["alerts"] == 3
    assert (len(seen["days"]), seen["services"], seen["noisiest_alerts"]) == (28, [], [])
    narrow = (await api("narrow", "GET", "/report")).body
    assert narrow["total"]["environments"] == ["staging"]
    assert (narrow["total"]["now"]["deployments"], narrow["total"]["now"]["alerts"]) == (1, 1)
    assert narrow["total"]["now"]["lead_time"]["of"] == 1
    assert narrow["total"]["now"]["lead_time_from"] == "requested"
    for query in ("days=8", "days=x", "service=", "what=1"):
        assert (await api("guest", "GET", f"/report?{query}")).status == 422
    assert (await api("guest", "GET", "/report?service=nope")).status == 404


async def test_an_export_is_a_file_with_the_rows_that_the_token_may_see(api: Api) -> None:
    rollout = await api.slipway.deploy(V150, STAGING, reason="=1+1")
    await api.slipway.reaches(rollout, Phase.SUCCEEDED)
    status, text, headers = await download(api, "rollouts")
    assert (status, headers["Content-Type"]) == (200, "text/csv; charset=utf-8")
    assert headers["Content-Disposition"] == 'attachment; filename="rollouts.csv"'
    (row,) = rows(text)
    assert (row["id"], row["service"], row["phase"], row["to_version"]) == (
        str(rollout.id),
        "checkout",
        "succeeded",
        "1.5.0",
    )
    assert row["reason"] == "'=1+1" and row["returns"] == "false" and row["rolled_back"] == ""
    assert row["seconds"].isdigit() and row["requested_at"].endswith("Z")
    await alert(api, PRODUCTION, "@errors")
    await alert(api, None, "disk full")
    found = rows((await download(api, "alerts"))[1])
    assert [each["title"] for each in found] == ["'@errors", "disk full"]
    assert [each["title"] for each in rows((await download(api, "alerts", service="checkout"))[1])] == [
        "'@errors"
    ]
    assert rows((await download(api, "alerts", "narrow"))[1]) == []
    assert rows((await download(api, "rollouts", until=day(-80)))[1]) == []


async def incident(api: Api, title: str, **more: Any) -> int:
    """One that began a quarter of an hour ago, and was opened ten minutes ago."""
    store, now = api.slipway.store, api.slipway.world.clock.now().replace(microsecond=0)
    began, opened = now - timedelta(minutes=15), now - timedelta(minutes=10)
    number = await store.incidents.next_id()
    usual = Incident(
        number, api.slipway.world.guild, PRODUCTION, title, Severity.CRITICAL, began, opened, opened_by="ada"
    )
    assert await store.incidents.save(IncidentSave(replace(usual, **more), 0, None))
    return number


async def test_incidents_are_exported_as_integers_and_text_that_is_no_formula(api: Api) -> None:
    """One byte order mark, also where a title has another; and in chunks, however many they are."""
    now = api.slipway.world.clock.now().replace(microsecond=0)
    hostile = '\ufeff=HYPERLINK("http://evil.example","see, here")\r\nnext\0line'
    first = await incident(
        api,
        hostile,
        opened_by="+49 30 1234",
        owner=Owner(7, "@ada"),
        acknowledged_at=now - timedelta(minutes=9),
        restored_at=now - timedelta(minutes=5),
        closed_at=now - timedelta(minutes=1),
        closed_by="-grace",
        alerts=(3, 4),
        rollouts=(9,),
        postmortem="https://wiki.example/1",
    )
    plain = await incident(api, 'Ünïcode 🚀, "quoted"', lane=None)
    status, text, headers = await download(api, "incidents")
    assert (status, headers["Content-Type"]) == (200, "text/csv; charset=utf-8")
    assert headers["Content-Disposition"] == 'attachment; filename="incidents.csv"'
    closed, opened = rows(text)
    assert (closed["id"], opened["id"]) == (str(first), str(plain))
    assert closed["title"].startswith("'=HYPERLINK") and closed["title"].endswith("\r\nnextline")
    assert (closed["opened_by"], closed["owner"], closed["closed_by"]) == ("'+49 30 1234", "'@ada", "'-grace")
    numbers = ("alerts", "rollouts", "seconds_to_acknowledge", "seconds_to_restore")
    assert [closed[name] for name in numbers] == ["2", "1", "360", "600"]
    assert closed["closed_at"] == f"{now - timedelta(minutes=1):%Y-%m-%dT%H:%M:%SZ}"
    assert (opened["title"], opened["service"]) == ('Ünïcode 🚀, "quoted"', "")
    assert [opened[name] for name in numbers] == ["0", "0", "", ""]
    assert (opened["acknowledged_at"], opened["closed_by"], opened["postmortem"]) == ("", "", "")
    assert [row["id"] for row in rows((await download(api, "incidents", service="checkout"))[1])] == [
        str(first)
    ]
    assert rows((await download(api, "incidents", "narrow"))[1]) == []
    more = [await incident(api, f"=More {n}") for n in range(MORE)]
    status, text, headers = await download(api, "incidents")
    found = rows(text)
    assert "Content-Length" not in headers and headers["Transfer-Encoding"] == "chunked"
    assert [int(row["id"]) for row in found] == [first, plain, *more]
    assert all(row["title"].startswith("'=More ") for row in found[2:])


async def test_what_cannot_be_exported_is_a_problem_and_no_file(api: Api) -> None:
    for table, query, status in (
        ("secrets", {}, 422),
        ("alerts", {"since": "yesterday"}, 422),
        ("alerts", {"since": day(2)}, 409),
        ("alerts", {"service": "nope"}, 404),
    ):
        found, text, headers = await download(api, table, **query)
        assert found == status, text
        assert headers["Content-Type"].startswith("application/problem+json")
