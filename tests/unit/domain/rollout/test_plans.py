"""Sound and unsound plans, how steps read, and plans that older versions stored."""

from __future__ import annotations

import pytest

from bot.adapters.postgres import serialization
from bot.domain.errors import UserError
from bot.domain.rollout import plans
from bot.domain.rollout.model import Plan, Step
from bot.domain.rollout.steps import (
    Gate,
    HttpCheck,
    Observe,
    Shift,
    Soak,
    SyncCommands,
    Verify,
    kind_of,
    reported_effects,
    step_effects,
)
from bot.domain.rollout.wording import wording_for

GOOD = (Verify((HttpCheck("/healthz"),)), Gate("prod", "lead"), Shift(5), Soak(60), Shift(100), Observe(300))


END = "end with a shift to 100% (missing)"
UNSOAKED = (
    "{}: no soak between 50% and 100%; only a PASS moves traffic forward: add a soak between them (missing)"
)
TOO_EARLY = "{} comes before any traffic; shift first (missing)"
NOT_LAST = "an observe is not the last step; use a soak here, or move it to the end"


def _sentences(*steps: Step, exclusive: bool = False) -> list[str]:
    return [p.sentence for p in plans.check(Plan("p", steps), exclusive=exclusive)]


def test_sound_plans_have_no_problems() -> None:
    assert _sentences(*GOOD) == []
    assert _sentences(Shift(100)) == []
    assert _sentences(Shift(5), Soak(1), Gate("g", "lead"), Shift(5), Soak(1), Shift(100)) == []
    assert _sentences(Verify(), Shift(100), Observe(1), exclusive=True) == []
    assert plans.check(plans.straight(), exclusive=True) == ()


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ((), ["None: no step shifts traffic; end with a shift to 100% (missing)"]),
        ((Shift(50),), ["None: the last shift is to 50%; end with a shift to 100% (missing)"]),
        (
            (Shift(50), Soak(1), Shift(20), Soak(1), Shift(100)),
            ["2: the weight falls from 50% to 20%; weights only rise"],
        ),
        ((Shift(50), Shift(100)), [UNSOAKED.format(1)]),
        ((Shift(50), Gate("g", "lead"), Shift(100)), [UNSOAKED.format(2)]),
        (
            (Shift(0), Soak(1), Shift(100)),
            ["0: a weight of 0%; 1 to 100%", "1: " + TOO_EARLY.format("a soak")],
        ),
        ((Shift(1), Soak(1), Shift(100)), []),
        ((Shift(101),), ["0: a weight of 101%; 1 to 100%", "None: the last shift is to 101%; " + END]),
        ((Shift(100), Verify()), ["1: a verify comes after traffic; verify before the first shift"]),
        ((Verify(), Verify(), Shift(100)), ["1: a plan verifies once; put all checks into one verify"]),
        ((Soak(1), Shift(100)), ["0: " + TOO_EARLY.format("a soak")]),
        ((Observe(1), Shift(100)), ["0: " + TOO_EARLY.format("an observe"), "0: " + NOT_LAST]),
        ((Shift(100), Observe(1), Soak(1)), ["1: " + NOT_LAST]),
        ((Gate("g", "lead", quorum=0), Shift(100)), ["0: a gate that needs 0 approvals; at least 1"]),
        ((Gate("g", ""), Shift(100)), ["0: a gate without a role; name the role that approves"]),
        ((Gate("g", "lead", expires_s=0), Shift(100)), ["0: expiry of 0 s; more than 0 s"]),
        ((Shift(100, timeout_s=-1),), ["0: timeout of -1 s; more than 0 s"]),
        ((Verify(timeout_s=0), Shift(100)), ["0: timeout of 0 s; more than 0 s"]),
        ((Verify((HttpCheck("/x", timeout_s=0),)), Shift(100)), ["0: timeout of /x of 0 s; more than 0 s"]),
        ((Shift(100), Soak(float("nan"))), ["1: duration of nan s; more than 0 s"]),
        ((Shift(100), Observe(0)), ["1: duration of 0 s; more than 0 s"]),
        ((SyncCommands("a", "additions", timeout_s=0), Shift(100)), ["0: timeout of 0 s; more than 0 s"]),
        (
            (SyncCommands("a", "all"), Shift(100)),
            [
                "0: slash commands are deleted before the release serves traffic; "
                "use additions before the last shift, and all after it"
            ],
        ),
    ],
    ids=str,
)
def test_each_mistake_is_named_with_its_way_out(steps: tuple[Step, ...], said: list[str]) -> None:
    problems = plans.check(Plan("p", steps))
    assert said == [f"{p.step}: {p.sentence}; {p.hint}{' (missing)' if p.missing else ''}" for p in problems]


def test_all_mistakes_are_found_at_once_with_their_steps() -> None:
    problems = plans.check(Plan("p", (Soak(0), Shift(60), Shift(20))))
    assert [p.step for p in problems] == [0, 0, 2, 2, None]


def test_an_exclusive_service_gets_all_or_nothing() -> None:
    (problem,) = plans.check(Plan("p", (Shift(25), Soak(1), Shift(100))), exclusive=True)
    assert problem.sentence == "an exclusive service cannot have 25%"
    assert problem.hint == "it has all of the traffic: 100%"


def test_steps_read_as_one_line_each() -> None:
    assert plans.describe_plan(Plan("p", (*GOOD, Verify(), Gate("two", "lead", quorum=2)))) == (
        "verify the candidate without traffic (1 check)",
        "gate prod: 1 approval from lead within 30 min",
        "shift 5% of the traffic",
        "soak for 60 s of measured time",
        "shift 100% of the traffic",
        "observe for 5 min at full weight",
        "verify the candidate without traffic (readiness)",
        "gate two: 2 approvals from lead within 30 min",
    )
    assert plans.describe_plan(Plan("p", (Shift(100), Observe(300))), "commands") == (
        "apply the commands to Discord and read them back",
        "observe for 5 min at full weight",
    )
    assert "2 checks" in plans.describe(Verify((HttpCheck("/a"), HttpCheck("/b"))))


def test_a_plan_of_an_older_version_is_read_with_the_same_steps() -> None:
    stored = {
        "name": "canary",
        "steps": [
            {"verify": {"checks": [{"path": "/healthz"}]}},
            {"gate": {"name": "prod", "role": "lead"}},
            {"shift": 5},
            {"soak": 60},
            {"shift": {"weight": 100, "timeout_s": 60.0}},
            {"observe": 300},
        ],
    }
    assert serialization.read_plan(stored) == Plan("canary", GOOD)


def test_a_plan_of_the_present_version_stays_as_it_is() -> None:
    stored = serialization.plain_plan(Plan("canary", GOOD))
    assert plans.upgrade(stored) == stored


@pytest.mark.parametrize("version", [2, -1, "x"])
def test_a_plan_of_a_version_that_is_not_known_is_refused_with_a_sentence(version: object) -> None:
    said = f"stored plan has version {version}; this Slipway reads up to 1"
    with pytest.raises(UserError, match=said):
        plans.upgrade({"name": "p", "version": version, "steps": []})


def test_a_step_of_an_older_version_without_figures_has_the_usual_ones() -> None:
    stored = {"name": "p", "version": 0, "steps": [{"verify": None}, {"shift": 100}]}
    assert plans.upgrade(stored)["steps"] == [{"kind": "verify"}, {"kind": "shift", "weight": 100}]


def test_a_return_and_a_renewal_are_plans_of_the_present_version() -> None:
    assert plans.straight(Plan("canary", GOOD)) == Plan("return", (Shift(100),), plans.PLAN_VERSION)
    assert plans.renewal(Plan("canary", GOOD)) == Plan(
        "renewal", (Shift(100), Observe(360)), plans.PLAN_VERSION
    )
    assert plans.renewal(Plan("quick", (Shift(100),))).steps == (Shift(100),)


@pytest.mark.parametrize(("steps", "gated"), [(GOOD, True), ((Shift(100), Observe(9)), False)])
def test_a_plan_with_a_gate_is_one_of_production(steps: tuple[Step, ...], gated: bool) -> None:
    assert plans.gated(Plan("p", steps)) is gated


@pytest.mark.parametrize(
    ("step", "mark"),
    [
        (Verify(), "verify"),
        (Gate("g", "lead"), "approval"),
        (Gate("g", "lead", quorum=2), "2 approvals"),
        (Shift(5), "5%"),
        (Soak(90), "soak 90 s"),
        (Observe(300), "observe 5 min"),
        (SyncCommands("greeter", "additions"), "new commands"),
        (SyncCommands("greeter", "all"), "commands"),
    ],
)
def test_steps_have_a_mark_in_the_cards_row(step: Step, mark: str) -> None:
    assert kind_of(step).mark(step, wording_for("traffic")) == mark


def test_the_effects_that_a_step_waits_for_are_those_that_report() -> None:
    assert reported_effects() == ["run_checks", "run_sync", "run_step"]
    assert set(step_effects()) == {"run_checks", "run_sync", "restore_commands", "run_step", "stop_runs"}
