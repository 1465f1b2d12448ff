"""What answers from several locations come to, on both sides of each edge."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.domain.phrasebook import location_silent_why
from bot.domain.watch.alerts.findings import Finding, Severity
from bot.domain.watch.checks import CheckResult, Monitor, MonitorState, Seen, observe
from bot.domain.watch.health import check_health
from bot.domain.watch.locations import LocationLook, combined, silence, silent_after_s
from tests.support.catalogs import PRODUCTION

NOON = 1_700_000_000.0
NAMES = ("frankfurt", "virginia", "sydney")


def monitor(locations: int = 3, fails_in: int = 2) -> Monitor:
    return Monitor(PRODUCTION, "health", locations=NAMES[:locations], fails_in=fails_in)


def looks(*said: str | None, at: float = NOON) -> dict[str, LocationLook]:
    """By location, what is wrong: empty where it passed, None where it could not be asked."""
    return {
        name: LocationLook(at, CheckResult(at, 0.1 * (n + 1), text) if text is not None else None)
        for n, (name, text) in enumerate(zip(NAMES, said, strict=False))
    }


@pytest.mark.parametrize(
    ("fails_in", "said", "failed"),
    [
        (2, ("", "", ""), False),
        (2, ("Down.", "", ""), False),
        (2, ("Down.", "", "Down."), True),
        (3, ("Down.", "", "Down."), False),
        (3, ("Down.", "Down.", "Down."), True),
        (1, ("", "", "Down."), True),
        # Where fewer are heard than must fail, all of them must.
        (2, ("Down.", None, None), True),
        (2, ("", None, None), False),
        (3, ("Down.", "Down.", None), True),
        (3, ("Down.", "", None), False),
    ],
)
def test_a_check_fails_in_so_many_locations(
    fails_in: int, said: tuple[str | None, ...], failed: bool
) -> None:
    result, seen = combined(monitor(fails_in=fails_in), looks(*said), NOON)
    assert result is not None
    assert result.passed is not failed
    assert [each.location for each in seen] == list(NAMES)
    assert [each.result.said if each.result else None for each in seen] == list(said)


def test_the_sentence_says_where_it_failed_and_who_was_not_heard() -> None:
    result, _ = combined(monitor(), looks("It answered 503.", "", "It timed out."), NOON)
    assert result is not None
    assert result.said == "It answered 503. Failed from `frankfurt`, `sydney`, 2 of 3 locations."
    result, _ = combined(monitor(2), looks("It answered 503.", None), NOON)
    assert result is not None
    assert result.said == "It answered 503. Failed from `frankfurt`; checked from 1 of 2 locations."


def test_a_look_of_the_round_before_does_not_count() -> None:
    old, new = looks("Down.", "Down.", "Down.", at=NOON - 1), looks("", at=NOON)
    result, seen = combined(monitor(), {**old, **new}, NOON)
    assert result is not None and result.passed
    assert [each.result is None for each in seen] == [False, True, True]
    assert combined(monitor(), old, NOON) == (None, tuple(map(Seen, NAMES)))
    assert combined(monitor(), {}, NOON)[0] is None


@pytest.mark.parametrize(("fails_in", "seconds"), [(1, 0.3), (2, 0.2), (3, 0.1)])
def test_the_time_is_one_that_as_many_locations_took(fails_in: int, seconds: float) -> None:
    result, _ = combined(monitor(fails_in=fails_in), looks("", "", ""), NOON)
    assert result is not None and result.seconds == pytest.approx(seconds)


def test_parts_that_are_not_well_anywhere_are_named() -> None:
    def partly(*parts: tuple[str, ...]) -> tuple[str, ...]:
        found = {
            name: LocationLook(NOON, CheckResult(NOON, 0.1, "Not well.", each))
            for name, each in zip(NAMES, parts, strict=False)
        }
        result, seen = combined(monitor(len(parts), 1), found, NOON)
        assert result is not None and all(each.result and not each.result.parts for each in seen)
        return result.parts

    assert partly(("redis",), ("db", "redis")) == ("db", "redis")
    # One that does not tell its parts apart says that all are away.
    assert partly(("redis",), ()) == ()


def test_health_says_what_is_not_as_usual_in_locations() -> None:
    def places(*said: str | None, now: float = NOON + 1) -> str:
        result, seen = combined(monitor(), looks(*said), NOON)
        state = MonitorState(seen=seen)
        if result is not None:
            state, _ = observe(monitor(), state, result)
        return check_health("health", monitor(), state, now).places

    assert places("", "", "") == ""
    assert places("", "", None) == "checked from 2 of 3 locations"
    assert places("Down.", "", "") == "fails from `frankfurt` alone"
    assert (
        places("Down.", "", None, now=NOON + 1)
        == "fails from `frankfurt` alone, checked from 2 of 3 locations"
    )
    # What fails everywhere says so itself; what was long ago says nothing.
    assert places("Down.", "Down.", "Down.") == ""
    assert places("", "", "", now=NOON + 301) == "checked from 0 of 3 locations"
    assert check_health("health", monitor(), None, NOON).places == "checked from 0 of 3 locations"
    assert check_health("health", replace(monitor(), locations=()), MonitorState(), NOON).places == ""


@pytest.mark.parametrize(
    ("every_s", "limit_s"), [(5.0, 180.0), (60.0, 180.0), (61.0, 183.0), (600.0, 1800.0)]
)
def test_a_location_is_silent_after_three_periods_and_three_minutes(every_s: float, limit_s: float) -> None:
    assert silent_after_s(every_s) == limit_s


def test_silence_is_a_finding_of_the_location_and_not_of_its_checks() -> None:
    found = silence("virginia", NOON - 200, NOON, checks=12, limit_s=180.0, guilds=(42,), fires=True)
    assert (found.fingerprint, found.lane, found.guilds) == ("location:virginia", None, (42,))
    assert (found.title, found.value, found.limit) == ("Location “virginia” is silent", "3 min 20 s", "3 min")
    assert "SLIPWAY_LOCATION=`virginia`" in found.text
    assert found.at.timestamp() == NOON - 200
    over = silence("virginia", NOON - 200, NOON, checks=12, limit_s=180.0, fires=False)
    assert (over.fingerprint, over.firing, over.text, over.at.timestamp()) == (
        found.fingerprint,
        False,
        "",
        NOON,
    )
    assert len(silence("x" * 64, NOON, NOON, checks=1, limit_s=180.0, fires=True).fingerprint) <= 100


# ---- as a whole ----


def test_what_a_round_comes_to_and_what_each_location_saw() -> None:
    found = {
        "frankfurt": LocationLook(NOON + 1, CheckResult(NOON + 1, 0.3, "It answered 503.", ("db",))),
        "virginia": LocationLook(NOON + 5, CheckResult(NOON + 5, 0.2)),
        "sydney": LocationLook(NOON + 2, CheckResult(NOON + 2, 0.9, "It timed out.", ("redis",))),
        "elsewhere": LocationLook(NOON + 9, CheckResult(NOON + 9, 9.0, "No.")),
    }
    said = "It answered 503. Failed from `frankfurt`, `sydney`, 2 of 3 locations."
    assert combined(monitor(), found, NOON) == (
        CheckResult(NOON + 5, 0.9, said, ("db", "redis")),
        (
            Seen("frankfurt", CheckResult(NOON + 1, 0.3, "It answered 503.")),
            Seen("virginia", CheckResult(NOON + 5, 0.2)),
            Seen("sydney", CheckResult(NOON + 2, 0.9, "It timed out.")),
        ),
    )
    # Of one that passes, the time is of those that passed, and no part is named.
    assert combined(monitor(fails_in=3), found, NOON)[0] == CheckResult(NOON + 5, 0.2)
    # A look at the beginning of the round belongs to it.
    assert combined(monitor(), looks("", "", ""), NOON)[0] == CheckResult(NOON, pytest.approx(0.2))
    assert LocationLook(NOON) == LocationLook(NOON, None)


def test_a_silence_and_its_end_as_findings() -> None:
    found = silence("virginia", NOON - 200.4, NOON, checks=2, limit_s=180.0, guilds=(42,), fires=True)
    assert found == Finding(
        fingerprint="location:virginia",
        source="monitor",
        title="Location “virginia” is silent",
        at=datetime.fromtimestamp(NOON - 200.4, UTC),
        firing=True,
        severity=Severity.HIGH,
        guilds=(42,),
        text=location_silent_why("virginia", 2),
        value="3 min 20 s",
        limit="3 min",
        labels={"location": "virginia"},
    )
    end = silence("virginia", NOON - 200.4, NOON, checks=2, limit_s=180.0, fires=False)
    assert end == replace(
        found, at=datetime.fromtimestamp(NOON, UTC), firing=False, guilds=(), text="", value=""
    )
