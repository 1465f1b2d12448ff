"""The catalog as domain objects: who sees a lane, which names it offers, and what a rollout is bound to."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.config import Catalog, GuildConfig, LaneConfig, is_id, matching, roles_held, unknown
from bot.domain.errors import UserError
from bot.domain.judge.judge import JudgePolicy, Objective
from bot.domain.records import KnownRelease, LaneRow, Situation
from bot.domain.rollout.binding import AdapterBinding, LaneBinding
from bot.domain.rollout.model import Desired, Lane, Plan, Release
from bot.domain.rollout.steps import Gate, Shift
from bot.domain.secret import Secret
from tests.support.rules.story import NEW, OLD, POLICY, T0

SLOW = JudgePolicy((Objective("slow", "latency", 0.05, threshold_s=0.5),))


def _lane(service: str, environment: str, *guilds: int) -> LaneConfig:
    return LaneConfig(
        Lane(service, environment),
        guilds,
        Plan("canary", (Shift(100),)),
        replace(POLICY, judge=SLOW, exclusive=True),
        "local",
        ("router", "own"),
        ("deployer",),
        ("lead",),
    )


LANES = (
    _lane("checkout", "staging", 1),
    _lane("checkout", "production", 1, 2),
    _lane("search", "production", 2),
    _lane("payments", "production", 1),
)
CATALOG = Catalog({}, {config.lane: config for config in LANES}, "digest")


def test_a_server_sees_its_lanes_in_the_catalogs_order() -> None:
    assert CATALOG.visible(1) == [LANES[0], LANES[1], LANES[3]]
    assert CATALOG.visible(3) == []


@pytest.mark.parametrize(
    ("lane", "own", "guilds"),
    [
        (Lane("checkout", "production"), 2, (2, 1)),
        (Lane("checkout", "staging"), 9, (9, 1)),
        (Lane("gone", "production"), 9, (9,)),
    ],
)
def test_a_rollout_is_seen_where_it_was_started_and_where_its_lane_is(
    lane: Lane, own: int, guilds: tuple[int, ...]
) -> None:
    assert CATALOG.guilds_of(lane, own) == guilds


@pytest.mark.parametrize(
    ("guild", "service", "environment", "said"),
    [
        (1, "chekout", "staging", "There is no service `chekout`. Did you mean `checkout`?"),
        (1, "search", "production", "There is no service `search`. Did you mean `checkout` or `payments`?"),
        (
            1,
            "payments",
            "staging",
            "There is no environment `staging` of payments. Did you mean `production`?",
        ),
        (
            2,
            "checkout",
            "staging",
            "There is no environment `staging` of checkout. Did you mean `production`?",
        ),
    ],
)
def test_a_lane_that_a_server_does_not_have_is_answered_with_the_closest_names(
    guild: int, service: str, environment: str, said: str
) -> None:
    with pytest.raises(UserError) as found:
        CATALOG.lane(guild, service, environment)
    assert str(found.value) == said


def test_a_lane_is_found_by_its_names() -> None:
    assert CATALOG.lane(2, "checkout", "production") is LANES[1]


@pytest.mark.parametrize(
    ("given", "known", "said"),
    [
        ("1.4", ["1.4.0", "1.4.1", "1.4.2", "1.4.3"], "Did you mean `1.4.3`, `1.4.2` or `1.4.1`?"),
        ("zzz", list("gfedcba"), "Did you mean `a`, `b`, `c`, `d` or `e`?"),
        ("zzz", [], ""),
    ],
)
def test_an_unknown_name_offers_the_three_closest_or_the_first_five(
    given: str, known: list[str], said: str
) -> None:
    assert unknown("version", given, known).remedy == said


def test_a_lane_without_bindings_is_bound_by_the_names_of_its_adapters() -> None:
    assert LANES[0].bound == LaneBinding(
        AdapterBinding("local"),
        (AdapterBinding("router"), AdapterBinding("own")),
        exclusive=True,
        latency_limit_s=0.5,
    )
    bound = LaneBinding(AdapterBinding("local", {"kind": "process"}))
    assert replace(LANES[0], binding=bound).bound is bound


def test_a_gate_makes_an_environment_production() -> None:
    assert not LANES[0].gated
    assert replace(LANES[0], plan=Plan("p", (Gate("g", "lead"), Shift(100)))).gated


@pytest.mark.parametrize(
    ("entry", "said"), [("123", True), ("#123", False), ("", False), ("１２", False), ("a1", False)]
)
def test_an_id_is_written_in_digits(entry: str, said: bool) -> None:
    assert is_id(entry) is said


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ("7", [7]),
        ("deploys", [1, 2]),
        ("#deploys", [1, 2, 3]),
        ("@on-call", [4]),
        ("@@on-call", []),
        ("on-call", [4]),
        ("eploys", []),
        ("xdeploys", []),
    ],
)
def test_an_entry_means_an_id_or_everything_of_that_name(entry: str, found: list[int]) -> None:
    known = [(1, "deploys"), (2, "deploys"), (3, "#deploys"), (4, "on-call"), (7, "8"), (8, "7")]
    assert matching(entry, known) == found


GUILD = GuildConfig(
    1, "g", {}, {"deployer": "deployer", "release-manager": "release-manager", "on-call": "oncall"}
)
KNOWN = [(77, "@everyone"), (10, "deployer"), (11, "oncall"), (12, "release-manager")]
MANAGER = "424242424242424242"


def test_roles_are_found_by_name_and_by_id() -> None:
    assert roles_held(GUILD, {11}, KNOWN) == {"on-call"}
    assert roles_held(GUILD, {10, 12, 77}, iter(KNOWN)) == {"deployer", "release-manager"}
    by_id = GuildConfig(1, "g", {}, {"on-call": "11"})
    assert roles_held(by_id, {11}, KNOWN) == {"on-call"}
    assert roles_held(by_id, {10, 12}, KNOWN) == frozenset()


def test_a_name_that_two_roles_share_gives_nothing() -> None:
    twice = [*KNOWN, (5, "release-manager")]
    assert roles_held(GUILD, {5}, twice) == roles_held(GUILD, {12}, twice) == frozenset()
    assert roles_held(GUILD, {5, 12}, twice) == frozenset()


def test_a_role_called_like_the_id_of_another_gives_nothing() -> None:
    config = GuildConfig(1, "g", {}, {"release-manager": MANAGER})
    roles = [*KNOWN, (int(MANAGER), "managers"), (5, MANAGER)]
    assert roles_held(config, {5}, roles) == frozenset()
    assert roles_held(config, {int(MANAGER)}, roles) == {"release-manager"}


def test_nothing_is_given_while_the_roles_of_the_server_are_not_known() -> None:
    assert roles_held(GUILD, {11, 12}, []) == frozenset()


def test_a_secret_is_used_and_never_shown() -> None:
    secret = Secret("hunter2")
    assert secret.reveal() == "hunter2" and bool(secret)
    assert repr(secret) == str(secret) == "Secret(***)"
    assert secret == Secret("hunter2") != Secret("hunter3")
    assert secret != "hunter2"
    assert len({secret, Secret("hunter2"), Secret("")}) == 2
    assert not Secret("") and repr(Secret("")) == "Secret()"


@pytest.mark.parametrize(
    ("desired", "stable"),
    [
        (Desired(1, OLD, NEW, 50), OLD),
        (Desired(1, None, NEW, 100), NEW),  # a first rollout that failed and was closed keeps serving
        (Desired(1, None, NEW, 1), NEW),
        (Desired(1, None, NEW, 0), None),
        (Desired(1, None), None),
    ],
)
def test_what_serves_counts_as_stable(desired: Desired, stable: Release | None) -> None:
    row = LaneRow(Lane("checkout", "production"), 1, desired, None, T0)
    assert Situation(row, None, None).stable == stable


def test_a_lane_that_was_never_seen_has_no_stable_release_and_knows_none() -> None:
    known = tuple(KnownRelease(release, T0, None) for release in (OLD, NEW))
    seen = Situation(None, None, None, known)
    assert seen.stable is None
    assert (seen.known(NEW.digest), seen.known("sha256:none")) == (known[1], None)


@pytest.mark.parametrize(("good", "bad", "known"), [(None, None, False), (T0, None, True), (T0, T0, False)])
def test_a_release_is_known_good_until_it_is_rolled_back(good: object, bad: object, known: bool) -> None:
    assert KnownRelease(NEW, good, bad).known_good is known  # type: ignore[arg-type]
