"""Which sinks have news, and what becomes of each delivery."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.adapters.alerts.sinks.wording import details
from bot.domain.config import SinkConfig
from bot.domain.records import RolloutSummary
from bot.domain.rollout.model import Lane
from bot.domain.watch.alerts.alert import Alert, AlertState, Owner, Suspect, Trouble
from bot.domain.watch.alerts.findings import Finding, Severity
from bot.engine.watch.alerts.sinks import Sinks, snapshot_of
from bot.ports.errors import SinkRefused, Unreachable
from bot.ports.watch.sinks import AlertSnapshot, Known
from tests.fakes.outside import FakeSink
from tests.fakes.settings import KindOnly
from tests.support.sinks import ACKNOWLEDGED, FIRING, RESOLVED


def sinks(made: Mapping[str, FakeSink], **config: object) -> Sinks:
    known = {
        name: SinkConfig(KindOnly("fake"), **{"enabled": True, **config})  # type: ignore[arg-type]
        for name in made
    }
    return Sinks(lambda: known, made)


def knows(alert: AlertSnapshot) -> Known:
    return Known(alert.state, alert.severity)


SILENT = replace(FIRING, silent=True)
HIGH, LOW = replace(FIRING, severity=Severity.HIGH), replace(FIRING, severity=Severity.LOW)


@pytest.mark.parametrize(
    ("alert", "known", "news"),
    [
        (FIRING, None, True),
        (ACKNOWLEDGED, None, True),
        (RESOLVED, None, False),  # it never heard of it
        (FIRING, knows(FIRING), False),
        (ACKNOWLEDGED, knows(FIRING), True),
        (FIRING, knows(ACKNOWLEDGED), True),
        (RESOLVED, knows(ACKNOWLEDGED), True),
        (RESOLVED, knows(RESOLVED), False),
        (FIRING, knows(HIGH), True),  # worse
        (HIGH, knows(FIRING), False),  # better
        (SILENT, None, False),
        (SILENT, knows(HIGH), False),
        (SILENT, knows(ACKNOWLEDGED), False),
        (replace(RESOLVED, silent=True), knows(FIRING), True),
        (replace(ACKNOWLEDGED, silent=True), knows(FIRING), True),
    ],
)
def test_news_are_beginnings_changes_and_what_gets_worse(
    alert: AlertSnapshot, known: Known | None, news: bool
) -> None:
    assert sinks({"it": FakeSink()}).is_news("it", alert, known) is news


def test_a_sink_hears_its_severities_and_the_end_of_what_it_heard() -> None:
    some = sinks({"it": FakeSink()}, severities=frozenset({Severity.CRITICAL}))
    assert not some.is_news("it", LOW, None)
    assert some.is_news("it", FIRING, None)
    better = replace(RESOLVED, severity=Severity.LOW)
    assert some.is_news("it", better, knows(FIRING))
    assert not some.is_news("gone", FIRING, None)


async def test_what_was_told_is_known_from_then_on() -> None:
    sink = FakeSink()
    found = await sinks({"it": sink}).deliver("it", FIRING)
    assert (found.outcome, found.sentence, found.known) == ("told", "it: told.", knows(FIRING))
    assert sink.states == [AlertState.FIRING]


async def test_a_dry_run_tells_nothing_and_leaves_nothing_known() -> None:
    sink = FakeSink()
    found = await sinks({"it": sink}, enabled=False).deliver("it", FIRING)
    assert (found.outcome, found.known) == ("dry_run", None)
    assert found.sentence == "it is not enabled. It would say firing."
    assert sink.states == []


async def test_a_sink_that_fails_or_hangs_delays_no_other() -> None:
    well = FakeSink()
    some = sinks(
        {
            "hangs": FakeSink(hangs=asyncio.Event()),
            "away": FakeSink(Unreachable("away")),
            "refuses": FakeSink(SinkRefused("no such channel")),
            "broken": FakeSink(ZeroDivisionError()),
            "well": well,
        },
        timeout_s=0.2,
    )
    names = ("hangs", "away", "refuses", "broken", "well")
    hangs, away, refuses, broken, told = await asyncio.gather(
        *(some.deliver(name, FIRING) for name in names), return_exceptions=True
    )
    assert isinstance(hangs, Unreachable) and str(hangs) == "hangs did not take it within 200 ms"
    assert isinstance(away, Unreachable)
    assert not isinstance(refuses, BaseException) and refuses.sentence == "refuses: no such channel"
    assert not isinstance(broken, BaseException) and broken.outcome == "refused"
    assert "ZeroDivisionError" in broken.sentence
    assert not isinstance(told, BaseException) and told.outcome == "told"
    assert well.states == [AlertState.FIRING]


async def test_a_sink_that_left_the_catalog_is_no_error() -> None:
    found = await sinks({}).deliver("it", FIRING, knows(FIRING))
    assert (found.outcome, found.known) == ("gone", knows(FIRING))


async def test_a_sink_may_have_nothing_to_tell() -> None:
    assert (await sinks({"it": FakeSink(silent=True)}).deliver("it", FIRING)).outcome == "nothing"


AT = datetime(2026, 11, 22, 14, 52, 26, tzinfo=UTC)


def trouble(title: str, severity: Severity, minute: int = 0) -> Trouble:
    at = AT + timedelta(minutes=minute)
    return Trouble(
        Finding(title, "rule", title, at, severity=severity, text="Why.", value="52%", limit="1%"), at
    )


def test_an_alert_is_told_by_its_worst_trouble_and_names_the_others() -> None:
    lane = Lane("checkout", "production")
    troubles = (trouble("slow", Severity.MEDIUM), trouble("down", Severity.CRITICAL, 1))
    others = tuple(trouble(f"other {n}", Severity.LOW, 2) for n in range(7))
    alert = Alert(
        id=17,
        group="checkout/production",
        guilds=(1,),
        lane=lane,
        opened_at=AT + timedelta(minutes=1),
        troubles=troubles + others,
        severity=Severity.CRITICAL,
        escalates_from=AT,
        state=AlertState.ACKNOWLEDGED,
        owner=Owner(5, "Ada"),
        acknowledged_at=AT + timedelta(minutes=3),
        suspect=Suspect(9, "1.4.0", "1.5.0", "grace", AT - timedelta(minutes=4)),
    )
    found = snapshot_of(alert, url="https://discord.com/channels/1/2/3")
    assert found == AlertSnapshot(
        id=17,
        key="slipway-17-1795359206",
        severity=Severity.CRITICAL,
        title="down",
        state=AlertState.ACKNOWLEDGED,
        since=AT,
        at=AT + timedelta(minutes=3),
        lane=lane,
        text="Why.\nAnd: slow\nAnd: other 0\nAnd: other 1\nAnd: other 2\nAnd: other 3\nAnd 3 more.",
        value="52%",
        limit="1%",
        url="https://discord.com/channels/1/2/3",
        acknowledged_by="Ada",
        last_deploy="1.4.0 to 1.5.0 by grace, 2026-11-22 14:48 UTC",
        suspected=True,
    )
    over = replace(alert, state=AlertState.RESOLVED, ended_at=AT + timedelta(minutes=9))
    assert snapshot_of(over).key == found.key and snapshot_of(over).at == over.ended_at
    last = RolloutSummary(3, lane, None, "1.4.0", "observing", "ada", "", "", AT, None)
    assert snapshot_of(alert, last=last).last_deploy == found.last_deploy
    bare = snapshot_of(replace(alert, suspect=None), last=last)
    assert (bare.last_deploy, bare.suspected) == ("1.4.0 by ada, going on", False)
    assert dict(details(bare))["Last deploy"] == "1.4.0 by ada, going on: not suspected"
    assert "Last deploy" not in dict(details(snapshot_of(replace(alert, suspect=None))))
