"""Locks in the way: a person's lock and a quarantine are told apart, for a deploy and for another lock."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.errors import Refused
from bot.domain.records import Lock
from bot.domain.rollout.model import Lane, Release
from bot.engine.requests import preflight
from tests.support.catalogs import V140, V150, V151

NOW = datetime(2026, 11, 20, 14, 3, 20, tzinfo=UTC)
BY_A_PERSON = Lock(Lane("checkout", "production"), 42, "Ada", "deploy freeze", NOW, None)
QUARANTINE = Lock(
    BY_A_PERSON.lane, 0, "Slipway", "1.5.1 was rolled back: 8% failed", NOW, None, digest=V151.digest
)


@pytest.mark.parametrize("candidate", [None, V140, V151])
def test_a_lock_of_a_person_is_no_quarantine(candidate: Release | None) -> None:
    found = preflight.lock(BY_A_PERSON, candidate)
    assert (found.ok, found.rule) == (False, "locked")
    assert found.sentence == (
        "checkout/production was locked by Ada ⟨2026-11-20T14:03:20Z⟩: deploy freeze. The lock has no expiry."
    )
    assert "quarantine" not in found.finding.sentence


def test_a_release_without_a_digest_is_not_quarantined_by_a_lock_of_a_person() -> None:
    assert preflight.lock(BY_A_PERSON, replace(V140, digest="")).rule == "locked"


def test_a_lock_over_a_quarantine_is_told_of_the_rollback() -> None:
    found = preflight.lock(QUARANTINE)
    assert found.rule == "locked"
    assert "locked ⟨2026-11-20T14:03:20Z⟩ by a rollback. 1.5.1 was rolled back" in found.sentence


def test_the_quarantined_release_is_told_so_and_others_of_the_lock() -> None:
    again = preflight.lock(QUARANTINE, V151)
    assert again.rule == "quarantined"
    assert again.sentence.startswith("1.5.1 was quarantined in checkout/production ⟨")
    assert preflight.lock(QUARANTINE, V150).rule == "locked"


def test_a_lock_that_expires_says_when() -> None:
    found = preflight.lock(replace(BY_A_PERSON, expires=NOW + timedelta(hours=2)))
    assert found.sentence.endswith("The lock expires ⟨2026-11-20T16:03:20Z⟩.")
    with pytest.raises(Refused, match="`/unlock service:checkout environment:production`"):
        found.require()
