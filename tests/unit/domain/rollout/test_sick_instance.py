"""A candidate with a sick instance: it is held at the end of its soak, and people decide."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.judge.evidence.ticks import Counts
from bot.domain.rollout.model import Action
from bot.domain.rollout.steps import Observe, Shift, Soak
from tests.support.actors import LEAD
from tests.support.rules.story import GATE, JUDGE, POLICY, VERIFY, Story

SOAK_S = 600.0
STEPS = (VERIFY, GATE, Shift(5), Soak(SOAK_S), Shift(100), Observe(30.0))
SICK = "10.0.0.3:8001"
ONE = (
    f"{SICK}, 1 of 4 instances, is sick: 3% of its requests failed (360 of 12,000), limit 1%, but 0% on the others;"
    " if its machine is at fault, promote and replace it, else roll back"
)


def looked(story: Story, times: int, sick: int, names: tuple[str, ...] = (SICK, "b", "c", "d")) -> Story:
    each = {name: Counts(100, sick if name == SICK else 0) for name in names}
    for _ in range(times):
        story.tick(100 * len(names), sick, instances=each)
    return story


def held(**policy: object) -> Story:
    judge = replace(JUDGE, phi=None, **policy)  # type: ignore[arg-type]
    return looked(Story(STEPS, judge=judge).to_soak(), 120, 3)


def test_a_soak_with_a_sick_instance_holds_at_its_end_and_on_call_reads_which() -> None:
    story = held()
    assert story.phase == "held"
    assert story.rollout.hold is not None
    assert story.posted()[-1].what == "held"
    assert story.posted()[-1].mention_roles == POLICY.notify_roles
    assert story.rollout.outcome == f"On hold: {ONE}"
    assert story.ordered()[-1] == ("1.4.0", "1.5.0", 5)


def test_it_is_not_held_before_its_end() -> None:
    story = looked(Story(STEPS, judge=replace(JUDGE, phi=None)).to_soak(), 119, 3)
    assert story.phase == "soaking"


def test_it_goes_on_by_itself_once_the_sick_instance_was_replaced() -> None:
    story = looked(held(), 1, 0, ("b", "c", "d", "10.0.0.9:8001"))
    assert story.phase == "shifting"
    assert "No longer on hold. PASS" in " ".join(t.why for t in story.transitions)


def test_people_promote_it_or_it_is_rolled_back() -> None:
    assert held().act(LEAD, Action.PROMOTE).phase == "shifting"
    assert held().due("hold").phase == "rolling_back"


def test_where_sick_instances_are_ignored_it_goes_on_and_says_so() -> None:
    story = held(on_sick_instance="ignore")
    assert story.phase == "shifting"
    assert f"PASS: {ONE}" in " ".join(t.why for t in story.transitions)
