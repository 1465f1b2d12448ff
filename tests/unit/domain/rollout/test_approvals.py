"""Who may say so: quorum, seal, expiry, roles."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.errors import Refused
from bot.domain.rollout.binding import AdapterBinding, LaneBinding
from bot.domain.rollout.events import TimerDue
from bot.domain.rollout.machine import approvals, machine
from bot.domain.rollout.model import SYSTEM, Action, Actor, Approval, Lane, Plan, Release
from bot.domain.rollout.steps import Gate, Observe, Shift, Soak
from tests.support.actors import BOSS, DEV, GUEST, LEAD, LEAD2, ONCALL
from tests.support.rules.story import CANARY, JUDGE, LANE, NEW, OLD, POLICY, SOAK_S, VERIFY, Story

PAIR = Gate("production", "release-manager", quorum=2, expires_s=600)
TWO = (VERIFY, PAIR, Shift(100), Soak(SOAK_S))

SEALED = {
    "rollout_id": 7,
    "guild_id": 99,
    "lane": LANE,
    "stable": OLD,
    "candidate": NEW,
    "plan": Plan("canary", CANARY),
    "policy": replace(POLICY, judge=replace(POLICY.judge, phi=1.0)),  # as it was by default
}


def _two() -> Story:
    return Story(TWO).to_gate()


# ---- seal --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"rollout_id": 8},
        {"guild_id": 98},
        {"lane": Lane("checkout", "staging")},
        {"stable": None},
        {"stable": replace(OLD, digest="sha256:other")},
        {"candidate": replace(NEW, digest="sha256:other")},
        {"plan": Plan("canary", (*CANARY[:2], Shift(6), *CANARY[3:]))},
        {"policy": replace(POLICY, promote_quorum=3)},
        {"policy": replace(POLICY, judge=replace(JUDGE, alpha=0.02))},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_seal_changes_with_everything_that_an_approver_approves(change: dict[str, object]) -> None:
    assert approvals.seal_of(**{**SEALED, **change}) != approvals.seal_of(**SEALED)  # type: ignore[arg-type]


def test_the_seal_is_the_same_for_the_same_content_however_it_was_stored() -> None:
    whole = Plan("canary", (Shift(100, timeout_s=60), Soak(30)))
    stored = Plan("canary", (Shift(100, timeout_s=60.0), Soak(30.0)))
    same = {**SEALED, "candidate": Release("checkout", "1.5.0", NEW.digest, spec={"command": ["serve"]})}
    assert approvals.seal_of(**{**SEALED, "plan": whole}) == approvals.seal_of(**{**same, "plan": stored})  # type: ignore[arg-type]
    assert len(approvals.seal_of(**SEALED)) == 64  # type: ignore[arg-type]


BOUND = {
    **SEALED,
    "candidate": replace(NEW, spec={"command": ["serve", "{port}"], "env": {"KEY": "${KEY}"}}),
    "binding": LaneBinding(
        target=AdapterBinding("local", {"kind": "process"}),
        metrics=(
            AdapterBinding("router", {"kind": "router"}),
            AdapterBinding("own", {"url": "http://a"}, "/etc"),
        ),
        router={"listen": 8401},
        latency_limit_s=2.0,
    ),
}


def _parts(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The place of every single value in the sealed content."""
    if hasattr(value, "__dataclass_fields__"):
        inside = {f.name: getattr(value, f.name) for f in fields(value) if f.init}
    elif isinstance(value, dict):
        inside = value
    elif isinstance(value, tuple | list):
        inside = dict(enumerate(value))
    else:
        return [path]
    return [place for key, each in inside.items() for place in _parts(each, (*path, key))]


def _altered(value: Any, path: tuple[Any, ...]) -> Any:
    """`value` with another value at `path`."""
    if not path:
        return "another" if not isinstance(value, int | float) or isinstance(value, bool) else value + 1
    key, rest = path[0], path[1:]
    if hasattr(value, "__dataclass_fields__"):
        changed = copy.copy(value)
        object.__setattr__(changed, key, _altered(getattr(value, key), rest))
        return changed
    if isinstance(value, dict):
        return {**value, key: _altered(value[key], rest)}
    found = list(value)
    found[key] = _altered(found[key], rest)
    return type(value)(found)


# What describes a release without deciding how it runs. The digest stands for these.
_BY_DIGEST = {"service", "version", "commit", "base", "made_at", "subject", "repository"}


@given(st.data())
def test_whatever_single_value_is_changed_the_seal_is_another_one(data: st.DataObject) -> None:
    places = [
        place
        for place in _parts(BOUND)
        if not (place[0] in ("stable", "candidate") and place[1] in _BY_DIGEST)
        and place[:2] not in {("stable", "spec"), ("stable", "irreversible")}
    ]
    place = data.draw(st.sampled_from(places))
    assert approvals.seal_of(**_altered(BOUND, place)) != approvals.seal_of(**BOUND), place  # type: ignore[arg-type]


def test_a_field_that_a_later_version_adds_breaks_no_seal() -> None:
    @dataclass(frozen=True)
    class LaterBinding(LaneBinding):
        mirror: str = ""

    now = BOUND["binding"]
    later = LaterBinding(**{f.name: getattr(now, f.name) for f in fields(LaneBinding)})
    assert approvals.seal_of(**{**BOUND, "binding": later}) == approvals.seal_of(**BOUND)  # type: ignore[arg-type]
    changed = replace(later, mirror="elsewhere")
    assert approvals.seal_of(**{**BOUND, "binding": changed}) != approvals.seal_of(**BOUND)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "settings",
    [{"url": "http://a", "token": "b"}, {"url": "http://b", "token": "a"}, {"at": "http://b", "token": "b"}],
)
def test_names_and_values_of_an_adapters_settings_are_sealed(settings: dict[str, object]) -> None:
    def sealed(settings: dict[str, object]) -> str:
        bound = replace(BOUND["binding"], target=AdapterBinding("local", settings))  # type: ignore[type-var]
        return approvals.seal_of(**{**BOUND, "binding": bound})  # type: ignore[arg-type]

    assert sealed(settings) != sealed({"url": "http://b", "token": "b"})


def test_the_order_in_which_settings_are_written_breaks_no_seal() -> None:
    def sealed(settings: dict[str, object]) -> str:
        return approvals.seal_of(**{**BOUND, "candidate": replace(NEW, spec=settings)})  # type: ignore[arg-type]

    assert sealed({"a": 1, "b": 2}) == sealed({"b": 2, "a": 1})


def test_a_seal_that_was_given_stays_valid_in_later_versions() -> None:
    assert approvals.seal_of(**BOUND) == "cf14f948759d699b7c0ce89951913028184d7d233acb0a6eed56a5621fd8d5e7"  # type: ignore[arg-type]


def test_what_is_not_a_number_cannot_be_sealed() -> None:
    with pytest.raises(ValueError):
        approvals.seal_of(**{**SEALED, "plan": Plan("p", (Soak(float("nan")),))})  # type: ignore[arg-type]


def test_a_step_of_another_kind_with_the_same_figures_breaks_the_seal() -> None:
    soaked, observed = (Plan("p", (Shift(100), kind(60.0))) for kind in (Soak, Observe))
    assert approvals.seal_of(**{**BOUND, "plan": soaked}) != approvals.seal_of(**{**BOUND, "plan": observed})  # type: ignore[arg-type]


def test_a_field_that_a_step_gets_later_breaks_no_seal() -> None:
    @dataclass(frozen=True)
    class LaterSoak(Soak):
        regions: list[str] = field(default_factory=list)

    now, later = (Plan("p", (Shift(100), kind(60.0))) for kind in (Soak, LaterSoak))
    assert approvals.seal_of(**{**BOUND, "plan": now}) == approvals.seal_of(**{**BOUND, "plan": later})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        {"id": 8},
        {"guild_id": 98},
        {"lane": Lane("checkout", "staging")},
        {"stable": replace(OLD, digest="sha256:other")},
        {"candidate": replace(NEW, digest="sha256:other")},
        {"plan": Plan("canary", CANARY[:-1])},
        {"policy": replace(POLICY, promote_quorum=3)},
        {"binding": replace(BOUND["binding"], exclusive=True)},  # type: ignore[type-var]
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_rollout_that_was_changed_since_it_was_sealed_has_another_seal_now(change: dict[str, Any]) -> None:
    begun = Story().rollout
    sealed = replace(begun, binding=BOUND["binding"])  # type: ignore[arg-type]
    sealed = replace(sealed, seal=approvals.seal_now(sealed))
    assert approvals.seal_now(begun) == begun.seal != sealed.seal
    assert approvals.seal_now(replace(sealed, reason="another", version=9)) == sealed.seal
    assert approvals.seal_now(replace(sealed, **change)) != sealed.seal


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (NEW, True),
        (replace(NEW, version="1.5", commit="abc"), True),
        (replace(NEW, spec={"port": 1}), False),
        (replace(NEW, digest="sha256:other"), False),
    ],
)
def test_releases_are_the_same_by_digest_and_by_how_they_run(other: Release, same: bool) -> None:
    assert approvals.same(NEW, other) is same


def test_a_whole_number_that_was_stored_as_a_float_is_the_same() -> None:
    whole, stored = (replace(NEW, spec={"port": port, "flags": (True, None)}) for port in (8080, 8080.0))
    assert approvals.same(whole, stored)
    assert not approvals.same(whole, replace(NEW, spec={"port": 8080, "flags": (False, None)}))


def test_an_approval_under_another_seal_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        _two().act(LEAD, Action.APPROVE, seal="of something else")
    assert refused.value.rule == "seal"

    story = _two()
    assert len(story.act(LEAD, Action.APPROVE, seal=story.rollout.seal).rollout.approvals) == 1


@pytest.mark.parametrize("action", [Action.PAUSE, Action.CANCEL, Action.ROLL_BACK])
def test_a_button_of_another_rollout_with_this_number_does_nothing(action: Action) -> None:
    """The card of a rollout that the database lost is still in the channel."""
    with pytest.raises(Refused) as refused:
        _two().act(LEAD, action, seal="of the lost rollout")
    assert refused.value.rule == "seal"
    story = _two()
    before = story.rollout
    assert story.act(LEAD, action, seal=before.seal).rollout != before


def test_approvals_for_another_seal_do_not_count() -> None:
    story = _two()
    foreign = Approval(LEAD2.id, "lead2", story.at, "of something else")
    story.rollout = replace(story.rollout, approvals=(foreign,))

    assert story.act(LEAD, Action.APPROVE).phase == "gated"


# ---- quorum ------------------------------------------------------------------------------------------------


def test_a_gate_mentions_exactly_its_role() -> None:
    (opened,) = _two().posted()
    assert (opened.what, opened.mention_roles, opened.mention_users) == (
        "gate_opened",
        ("release-manager",),
        (),
    )
    assert "2 approvals" in opened.text


def test_a_quorum_of_two_needs_two_people() -> None:
    story = _two().act(LEAD, Action.APPROVE)
    once = story.rollout
    assert story.act(LEAD, Action.APPROVE).rollout is once

    assert story.act(LEAD2, Action.APPROVE).phase == "shifting"
    (grant,) = story.rollout.grants
    assert [a.actor_name for a in grant.approvals] == ["lead", "lead2"]


def test_the_requester_cannot_approve_even_with_the_role() -> None:
    boss = replace(DEV, roles=frozenset({"release-manager"}))
    with pytest.raises(Refused) as refused:
        _two().act(boss, Action.APPROVE)
    assert refused.value.rule == "not_the_requester"
    assert "release-manager" in refused.value.remedy


def test_the_requester_may_approve_where_the_gate_says_so() -> None:
    boss = replace(DEV, roles=frozenset({"release-manager"}))
    alone = (VERIFY, replace(PAIR, quorum=1, allow_requester=True), Shift(100))
    assert Story(alone).to_gate().act(boss, Action.APPROVE).phase == "shifting"


def test_a_role_taken_away_a_second_before_the_press_is_missing_at_the_press() -> None:
    with pytest.raises(Refused, match="need the role `release-manager`"):
        _two().act(replace(LEAD, roles=frozenset()), Action.APPROVE)


def test_an_approval_can_be_taken_back_until_the_quorum() -> None:
    story = _two().act(LEAD, Action.APPROVE).act(LEAD, Action.REVOKE, reason="wrong ticket")
    assert story.rollout.approvals == ()
    assert story.act(LEAD2, Action.APPROVE).phase == "gated"

    assert story.act(LEAD, Action.APPROVE).phase == "shifting"


def test_only_ones_own_approval_can_be_taken_back() -> None:
    with pytest.raises(Refused, match="have not approved"):
        _two().act(LEAD, Action.APPROVE).act(LEAD2, Action.REVOKE)


def test_a_rejection_ends_it_and_needs_a_reason() -> None:
    with pytest.raises(Refused, match="reason is required"):
        _two().act(LEAD, Action.REJECT, reason="  ")

    story = _two().act(LEAD, Action.REJECT, reason="not before the holidays")
    assert story.phase == "cancelled"
    assert story.rollout.outcome == "lead rejected the rollout: not before the holidays."
    told = story.posted()[-1]
    assert (told.what, told.mention_users, told.text) == ("rejected", (DEV.id,), story.rollout.outcome)
    assert story.ordered()[-1] == ("1.4.0", None, 0)


# ---- expiry ------------------------------------------------------------------------------------------------


def test_an_expired_gate_cancels_what_had_no_traffic_and_tells_who_asked() -> None:
    story = _two().due("gate")
    assert story.phase == "cancelled"
    assert (story.posted()[-1].what, story.posted()[-1].mention_users) == ("expired", (DEV.id,))
    assert story.ordered()[-1] == ("1.4.0", None, 0)


def test_an_expired_gate_rolls_back_what_has_traffic() -> None:
    story = Story((VERIFY, Shift(5), Soak(SOAK_S), PAIR, Shift(100))).applied().verified().applied().soaked()
    assert story.due("gate").phase == "rolling_back"


def test_an_approval_after_the_expiry_is_refused_even_before_the_timer_is_heard() -> None:
    story = _two().later(600)
    with pytest.raises(Refused, match="expired"):
        story.act(LEAD, Action.APPROVE)


def test_extending_a_gate_moves_its_expiry() -> None:
    story = _two()
    due = machine.timers(story.rollout)["gate"]

    story.act(LEAD, Action.EXTEND).tell(TimerDue("gate", story.rollout.step, due))

    assert story.phase == "gated"
    assert (machine.timers(story.rollout)["gate"] - due).total_seconds() == 600


def test_no_traffic_is_cleared_by_too_few_or_by_the_requester() -> None:
    story = _two().act(LEAD, Action.APPROVE).act(LEAD2, Action.APPROVE)
    assert approvals.cleared(story.rollout)

    (grant,) = story.rollout.grants
    own = Approval(DEV.id, "dev", story.at, story.rollout.seal)
    for votes in (grant.approvals[:1], (own, grant.approvals[0]), (grant.approvals[0],) * 2):
        assert not approvals.cleared(replace(story.rollout, grants=(replace(grant, approvals=votes),)))
    assert not approvals.cleared(replace(story.rollout, grants=()))
    assert not approvals.cleared(replace(story.rollout, seal="another"))


@pytest.mark.parametrize(
    ("gate", "covered"),
    [
        (Gate("once more", "release-manager", quorum=2), True),
        (Gate("for one", "release-manager"), True),
        (Gate("for three", "release-manager", quorum=3), False),
        (Gate("others", "on-call"), False),
    ],
)
def test_a_gate_is_covered_by_what_people_gave_at_a_gate_for_the_same_role(gate: Gate, covered: bool) -> None:
    passed = _two().act(LEAD, Action.APPROVE).act(LEAD2, Action.APPROVE).rollout
    assert approvals.covers(passed, gate) is covered
    assert not approvals.covers(replace(passed, grants=()), gate)
    assert not approvals.covers(replace(passed, seal="another"), gate)


# ---- roles -------------------------------------------------------------------------------------------------

MAY = """
             requester  lead    oncall  guest   system  dismissed
approve      no         yes     no      no      no      no
reject       no         yes     no      no      yes     no
promote      no         yes     no      no      no      no
rollback     yes        yes     yes     no      yes     no
close        yes        yes     yes     no      yes     no
pause        yes        yes     no      no      yes     no
resume       yes        yes     no      no      yes     no
extend       yes        yes     no      no      yes     no
cancel       yes        yes     no      no      yes     no
"""


def _may() -> list[tuple[str, str, bool]]:
    header, *rows = (line.split() for line in MAY.strip().splitlines())
    return [(row[0], who, said == "yes") for row in rows for who, said in zip(header, row[1:], strict=True)]


@pytest.mark.parametrize(("action", "who", "allowed"), _may())
def test_who_may_do_what(action: str, who: str, allowed: bool) -> None:
    people: dict[str, Actor] = {
        "requester": DEV,
        "lead": LEAD,
        "oncall": ONCALL,
        "guest": GUEST,
        "system": SYSTEM,
        "dismissed": replace(DEV, roles=frozenset()),  # asked for it, and has lost every role since
    }
    refused = approvals.may(_two().rollout, Action(action), people[who])
    assert (refused is None) is allowed
    if refused is not None and who != "system":
        assert refused.remedy


@pytest.mark.parametrize(
    ("action", "actor", "said"),
    [
        (Action.APPROVE, DEV, "You requested this rollout, so you cannot approve it."),
        (Action.PROMOTE, DEV, "You requested this rollout, so you cannot promote it."),
        (Action.APPROVE, GUEST, "You need the role `release-manager` to approve."),
        (Action.PROMOTE, GUEST, "You need the role `release-manager` to promote."),
        (Action.ROLL_BACK, GUEST, "You need the role `on-call` or `release-manager` to roll back."),
        (Action.PAUSE, GUEST, "You need the role `deployer` or `release-manager` to pause."),
        (Action.APPROVE, SYSTEM, "Only people can approve."),
    ],
)
def test_a_refusal_says_who_may(action: Action, actor: Actor, said: str) -> None:
    refused = approvals.may(_two().rollout, action, actor)
    assert refused is not None and refused.sentence == said


def test_nothing_can_be_approved_where_nothing_waits() -> None:
    refused = approvals.may(Story().rollout, Action.APPROVE, LEAD)
    assert refused is not None
    assert refused.rule == "no_gate"


# ---- the command line --------------------------------------------------------------------------------------

ALICE = Actor(-7, "alice@host", frozenset({"deployer"}), "cli", person=LEAD.id)
RUNNER = Actor(-8, "runner@host", frozenset({"deployer"}), "cli")


def by(requester: Actor, *steps: Any) -> Story:
    return Story(steps or TWO, requester=requester).to_gate()


def test_the_person_behind_an_account_cannot_approve_what_it_requested() -> None:
    story = by(ALICE)
    assert story.rollout.extra_approvals == 0
    with pytest.raises(Refused, match="You requested this rollout") as refused:
        story.act(LEAD, Action.APPROVE)
    assert refused.value.rule == "not_the_requester"
    assert story.act(LEAD2, Action.APPROVE).phase == "gated"
    assert story.act(BOSS, Action.APPROVE).phase != "gated"


def test_the_person_behind_an_account_cannot_promote_and_can_stop_what_it_requested() -> None:
    story = by(ALICE, VERIFY, Gate("go", "release-manager"), Shift(5), Soak(SOAK_S), Shift(100))
    story.act(LEAD2, Action.APPROVE).applied()
    with pytest.raises(Refused, match="You requested this rollout"):
        story.act(LEAD, Action.PROMOTE)
    story.act(LEAD, Action.ROLL_BACK)
    assert story.phase == "rolling_back"
    assert story.posted()[-1].mention_users == ()


def test_an_account_without_a_person_needs_one_approval_more() -> None:
    story = by(RUNNER)
    assert "Waiting for 3 approvals" in story.rollout.outcome
    for actor, count in ((LEAD, 1), (LEAD2, 2)):
        story.act(actor, Action.APPROVE)
        assert story.phase == "gated"
        assert story.rollout.outcome == f"{actor.name} approved ({count} of 3)."
    assert story.act(BOSS, Action.APPROVE).phase != "gated"
    assert approvals.cleared(story.rollout)
    (grant,) = story.rollout.grants
    fewer = replace(story.rollout, grants=(replace(grant, approvals=grant.approvals[:2]),))
    assert not approvals.cleared(fewer)


def test_an_account_without_a_person_needs_one_vote_more_to_promote() -> None:
    story = by(RUNNER, VERIFY, Gate("go", "release-manager"), Shift(5), Soak(SOAK_S), Shift(100))
    for actor in (LEAD, LEAD2):
        story.act(actor, Action.APPROVE)
    story.applied().act(LEAD, Action.PROMOTE)
    assert story.rollout.step == 3
    story.act(LEAD2, Action.PROMOTE)
    assert story.rollout.step == 4


def test_a_gate_that_the_requester_may_pass_asks_for_no_more() -> None:
    story = by(RUNNER, VERIFY, Gate("go", "release-manager", allow_requester=True), Shift(100))
    assert story.act(LEAD, Action.APPROVE).phase != "gated"


def test_a_request_in_discord_needs_what_the_gate_says() -> None:
    assert by(DEV).rollout.extra_approvals == 0


def test_the_seal_covers_who_requested_it() -> None:
    for change in ({"requester": ALICE}, {"requester": RUNNER, "extra_approvals": 1}):
        assert approvals.seal_of(**{**BOUND, **change}) != approvals.seal_of(**BOUND)  # type: ignore[arg-type]
