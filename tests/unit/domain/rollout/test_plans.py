"""Sound and unsound plans, how steps read, and plans that older versions stored."""

from __future__ import annotations

import pytest

from bot.adapters.postgres import serialization
from bot.domain.errors import UserError
from bot.domain.rollout import plans
from bot.domain.rollout.model import Plan, Step
from bot.domain.rollout.steps import Gate, HttpCheck, Observe, Shift, Soak, Verify

GOOD = (Verify((HttpCheck("/healthz"),)), Gate("prod", "lead"), Shift(5), Soak(60), Shift(100), Observe(300))


def _sentences(*steps: Step, exclusive: bool = False) -> list[str]:
    return [p.sentence for p in plans.check(Plan("p", steps), exclusive=exclusive)]


def test_sound_plans_have_no_problems() -> None:
    assert _sentences(*GOOD) == []
    assert _sentences(Shift(100)) == []
    assert _sentences(Shift(5), Soak(1), Gate("g", "lead"), Shift(5), Soak(1), Shift(100)) == []
    assert _sentences(Verify(), Shift(100), Observe(1), exclusive=True) == []
    assert plans.check(plans.straight(), exclusive=True) == ()


@pytest.mark.parametrize(
    ("steps", "sentence"),
    [
        ((), "no step shifts traffic"),
        ((Shift(50),), "the last shift is to 50%"),
        ((Shift(50), Soak(1), Shift(20), Soak(1), Shift(100)), "the weight falls from 50% to 20%"),
        ((Shift(50), Shift(100)), "no soak between 50% and 100%"),
        ((Shift(50), Gate("g", "lead"), Shift(100)), "no soak between 50% and 100%"),
        ((Shift(0), Soak(1), Shift(100)), "a weight of 0%"),
        ((Shift(100), Verify()), "a verify comes after traffic"),
        ((Verify(), Verify(), Shift(100)), "a plan verifies once"),
        ((Soak(1), Shift(100)), "a soak comes before any traffic"),
        ((Shift(100), Observe(1), Soak(1)), "an observe is not the last step"),
        ((Observe(1), Shift(100)), "an observe comes before any traffic"),
        ((Gate("g", "lead", quorum=0), Shift(100)), "a gate that needs 0 approvals"),
        ((Gate("g", ""), Shift(100)), "a gate without a role"),
        ((Gate("g", "lead", expires_s=0), Shift(100)), "expiry of 0 s"),
        ((Shift(100, timeout_s=-1),), "timeout of -1 s"),
        ((Verify((HttpCheck("/x", timeout_s=0),)), Shift(100)), "timeout of /x of 0 s"),
        ((Shift(100), Soak(float("nan"))), "duration of nan s"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_mistake_is_named_with_its_way_out(steps: tuple[Step, ...], sentence: str) -> None:
    problems = plans.check(Plan("p", steps))
    assert sentence in [p.sentence for p in problems]
    assert all(p.hint for p in problems)


def test_all_mistakes_are_found_at_once_with_their_steps() -> None:
    problems = plans.check(Plan("p", (Soak(0), Shift(60), Shift(20))))
    assert [p.step for p in problems] == [0, 0, 2, 2, None]


def test_an_exclusive_service_gets_all_or_nothing() -> None:
    assert _sentences(Shift(25), Soak(1), Shift(100), exclusive=True) == [
        "an exclusive service cannot have 25%",
    ]


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
    with pytest.raises(UserError, match="stored plan has version"):
        plans.upgrade({"name": "p", "version": version, "steps": []})
