"""The demo versions behave as the demo says they do."""

import asyncio
import json
import random
from pathlib import Path

import pytest

from demo.services import traffic
from demo.services.behaviour import VERSIONS, Behaviour, Overrides, apply, kinds


def share_failed(version: str, environment: str, served_for_s: float = 0.0) -> float:
    rng = random.Random(7)
    names, weights = zip(*kinds(environment).items(), strict=True)
    asked = rng.choices(names, weights, k=20_000)
    return sum(VERSIONS[version].outcome(kind, served_for_s, rng)[0] for kind in asked) / len(asked)


def test_151_fails_eight_per_cent_in_production_and_nothing_in_staging():
    assert share_failed("1.5.1", "production") == pytest.approx(0.08, abs=0.01)
    assert share_failed("1.5.1", "staging") == 0


@pytest.mark.parametrize("version", ["1.4.0", "1.5.0"])
@pytest.mark.parametrize("environment", ["staging", "production"])
def test_good_versions_never_fail(version, environment):
    assert share_failed(version, environment) == 0


def test_152_is_slow_for_a_fifth():
    rng = random.Random(7)
    slow = [VERSIONS["1.5.2"].outcome("card", 0, rng)[1] >= 3 for _ in range(10_000)]
    assert sum(slow) / len(slow) == pytest.approx(0.2, abs=0.02)


def test_154_degrades_only_after_twenty_seconds():
    assert share_failed("1.5.4", "staging", served_for_s=19.9) == 0
    assert share_failed("1.5.4", "staging", served_for_s=20.0) > 0.1


async def test_soon_after_155_has_users_in_production_the_database_fails_for_all_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(traffic, "DATABASE_AFTER_S", 0.0)
    monkeypatch.setattr(traffic, "DATABASE_FOR_S", 0.05)
    path = tmp_path / "services" / "behaviour.json"
    users = traffic.Users("checkout", "production", "http://127.0.0.1:1", 1.0, path)
    users.seen("1.5.0", "card", 200, 1.0)
    assert users.database is None
    users.seen("1.5.5", "card", 200, 1.0)
    await asyncio.sleep(0.01)
    for version in ("1.4.0", "1.5.5"):
        found = Overrides(path, f"checkout/production/{version}", VERSIONS[version]).behaviour()
        assert found.error_rate == traffic.DATABASE_FAILS
    assert Overrides(path, "checkout/staging/1.4.0", VERSIONS["1.4.0"]).behaviour().error_rate == 0
    assert users.database is not None
    await users.database
    assert Overrides(path, "checkout/production/1.4.0", VERSIONS["1.4.0"]).behaviour().error_rate == 0
    staging = traffic.Users("checkout", "staging", "http://127.0.0.1:1", 1.0, path)
    staging.seen("1.5.5", "card", 200, 1.0)
    assert staging.database is None


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_shares_of_kinds_add_up(environment):
    assert sum(kinds(environment).values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"error_rate": 1.5}, "at most 1"),
        ({"error_rate": -0.1}, "not negative"),
        ({"latency_ms": "slow"}, "must be a number"),
        ({"eror_rate": 0.1}, "unknown setting"),
    ],
)
def test_wrong_settings_are_told(settings, sentence):
    with pytest.raises(ValueError, match=sentence):
        apply(Behaviour(), settings)


def test_overrides_are_seen_while_it_runs_and_end_with_the_file(tmp_path: Path):
    file = tmp_path / "behaviour.json"
    overrides = Overrides(file, "checkout/staging/1.5.0", VERSIONS["1.5.0"])
    overrides.LOOK_EVERY_S = 0
    assert overrides.behaviour() == VERSIONS["1.5.0"]
    file.write_text(json.dumps({"checkout/staging/1.5.0": {"error_rate": 0.5, "latency_ms": 100}}))
    changed = overrides.behaviour()
    assert (changed.error_rate, changed.latency_s) == (0.5, 0.1)
    file.unlink()
    assert overrides.behaviour() == VERSIONS["1.5.0"]
