"""What autocomplete offers."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import UserError
from bot.domain.rollout.model import Release
from bot.engine.api import LaneStatus, Lock, RolloutSummary
from cogs import choices
from cogs.locks import duration_of
from tests.support import rollouts


def lane(which: object, version: str | None, **more: object) -> LaneStatus:
    return LaneStatus(which, version, True, None, "", more.get("active"), more.get("lock"))  # type: ignore[arg-type]


async def test_a_version_says_where_it_runs_since_when_and_where_not() -> None:
    ended = rollouts.NOW - timedelta(minutes=12)
    past = [RolloutSummary(1, rollouts.STAGING, "1.4.0", "1.5.0", "succeeded", "Dev", "", "", ended, ended)]
    lanes = [lane(rollouts.STAGING, "1.5.0"), lane(rollouts.PRODUCTION, "1.4.0")]
    found = choices.versions(rollouts.RELEASES, lanes, past, rollouts.NOW, "")
    assert [c.name for c in found] == [
        "1.5.1 — not in staging or production",
        "1.5.0 — staging 12 min ago, not in production",
        "1.4.0 — production now, not in staging",
    ]


async def test_a_version_says_how_old_it_is_and_what_it_is_about_where_its_source_knows() -> None:
    ages = {"3.0": timedelta(minutes=12), "2.0": timedelta(hours=47), "1.0": timedelta(days=12)}
    releases = [
        Release("checkout", version, f"sha256:{version}", made_at=rollouts.NOW - age, subject="Round prices")
        for version, age in ages.items()
    ]
    releases.append(Release("checkout", "0.9", "sha256:0.9", subject="x" * 200))
    releases.append(Release("checkout", "0.8", "sha256:0.8", irreversible="drops a table"))
    found = choices.versions(releases, [lane(rollouts.STAGING, "1.0")], [], rollouts.NOW, "")
    assert [c.name for c in found] == [
        "3.0 — not in staging · 12 min old · Round prices",
        "2.0 — not in staging · 47 h old · Round prices",
        "1.0 — staging now · 12 days old · Round prices",
        f"0.9 — not in staging · {'x' * 76}…",
        "0.8 — not in staging · irreversible",
    ]


async def test_a_version_that_is_on_its_way_or_in_quarantine_says_so() -> None:
    engine = rollouts.engine()
    rollout = await rollouts.soaking(engine)
    lock = Lock(
        rollouts.STAGING, 0, "Slipway", "1.5.1 was rolled back by itself", rollouts.NOW, None, "sha256:1.5.1"
    )
    lanes = [lane(rollouts.STAGING, "1.4.0", lock=lock), lane(rollouts.PRODUCTION, "1.4.0", active=rollout)]
    names = {c.value: c.name for c in choices.versions(rollouts.RELEASES, lanes, [], rollouts.NOW, "1.5")}
    assert names["1.5.0"] == "1.5.0 — production: soaking at 5%, not in staging"
    assert names["1.5.1"] == "1.5.1 — staging: locked after a rollback, not in production"
    assert "1.4.0" not in names


@given(st.lists(st.text(max_size=150), max_size=60), st.text(max_size=5))
def test_choices_always_fit_whatever_versions_are_called(names: list[str], typed: str) -> None:
    releases = [Release("checkout", name, "d") for name in names]
    found = choices.versions(releases, [lane(rollouts.STAGING, "x" * 90)], [], rollouts.NOW, typed)
    assert len(found) <= 25
    for choice in found:
        assert 1 <= len(choice.name) <= 100
        assert 1 <= len(choice.value) <= 100
        assert choice.value in names


def test_what_begins_with_the_typed_comes_before_what_contains_it() -> None:
    found = choices.pick([("a-web", ""), ("web", ""), ("api", "")], "WEB")
    assert [c.value for c in found] == ["web", "a-web"]


def test_environments_without_a_service_are_all_there_are() -> None:
    found = choices.environments(rollouts.catalog(), rollouts.guild(), "", "", [])
    assert [c.value for c in found] == ["staging", "production"]
    assert choices.environments(rollouts.catalog(), rollouts.guild(), "other", "", []) == []


@pytest.mark.parametrize(
    ("words", "seconds"),
    [("30m", 1800), ("2h", 7200), ("1d 12h", 129600), ("90 min", 5400), ("45s", 45), ("1w", 604800)],
)
def test_lengths_of_time_are_read_as_people_write_them(words: str, seconds: int) -> None:
    length = duration_of(words)
    assert length is not None and length.total_seconds() == seconds


@pytest.mark.parametrize("words", ["soon", "2", "h", "0m", "9999w", "2h tomorrow", "-1h", "1.5h"])
def test_other_lengths_are_refused_with_an_example(words: str) -> None:
    with pytest.raises(UserError, match="2h"):
        duration_of(words)


def test_no_length_is_no_expiry() -> None:
    assert duration_of("  ") is None
