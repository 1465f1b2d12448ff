"""The promises of the rollout machine, over random histories with a target that is slow, late, and fails."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from bot.domain.errors import Refused
from bot.domain.judge.evidence.ticks import Counts, Tick
from bot.domain.judge.judge import Outcome
from bot.domain.rollout.events import (
    Acted,
    Applied,
    ApplyFailed,
    Crashed,
    Delayed,
    DrawCard,
    Event,
    HostAborted,
    LogLine,
    Measured,
    Reported,
    SetDesired,
    TimerDue,
)
from bot.domain.rollout.machine import machine
from bot.domain.rollout.model import Action, Desired, Phase, Release, Rollout, Step
from bot.domain.rollout.steps import Gate, Observe, RunChecks, Shift, Soak
from tests.support.actors import DEV, DEV2, GUEST, LEAD, LEAD2, ONCALL
from tests.support.rules.story import IRREVERSIBLE, NEW, OLD, VERIFY, Story

PAIR = Gate("production", "release-manager", quorum=2, expires_s=300)
ONE = Gate("more", "release-manager", expires_s=300)
PLANS: tuple[tuple[tuple[Step, ...], bool], ...] = (
    ((VERIFY, PAIR, Shift(5), Soak(15), Shift(100), Observe(15)), False),
    ((VERIFY, Shift(5), Soak(10), ONE, Shift(50), Soak(10), PAIR, Shift(100)), False),
    ((VERIFY, PAIR, Shift(100), Observe(10)), True),
    ((Shift(100),), False),
)
MILD = (
    Action.APPROVE,
    Action.PROMOTE,
    Action.EXTEND,
    Action.PAUSE,
    Action.RESUME,
    Action.RESUME,
    Action.REVOKE,
)
RARELY = st.integers(0, 9).map(lambda n: n == 0)
PEOPLE = (DEV, DEV2, LEAD, LEAD2, ONCALL, GUEST)


@dataclass
class ModelTarget:
    """What really runs. Takes generations that rise, and does what it is told: at once, late, or not at all."""

    generation: int = 3
    aborted: int = 0
    desired: Desired = field(default_factory=lambda: Desired(3, OLD))

    def apply(self, desired: Desired) -> bool:
        if desired.generation < self.generation or desired.generation <= self.aborted:
            return False
        self.generation, self.desired = desired.generation, desired
        return True

    def abort(self) -> int:
        self.generation = self.aborted = self.generation + 1
        self.desired = Desired(self.generation, self.desired.stable)
        return self.generation

    @property
    def weight(self) -> int:
        """The candidate's share of the traffic."""
        if _is_new(self.desired.stable):
            return 100
        return self.desired.weight if _is_new(self.desired.candidate) else 0


def _is_new(release: Release | None) -> bool:
    return release is not None and release.digest == NEW.digest


class Histories(RuleBasedStateMachine):
    """Whatever may happen to a rollout, in any order, with answers that come late, twice, or never."""

    def __init__(self) -> None:
        super().__init__()
        self.target = ModelTarget()
        self.orders: list[Desired] = []
        self.answers: list[Event] = []
        self.checks: list[RunChecks] = []
        self.votes: dict[int, set[int]] = {}
        self.ordered = 3

    @initialize(
        plan=st.sampled_from((PLANS[1], *PLANS)),
        first=st.sampled_from([False, False, False, True]),
        known_good=st.sampled_from([False, False, False, True]),
        outcome=st.sampled_from(["rollback", "wait"]),
        quorum=st.integers(1, 2),
        luck=st.integers(0, 8),
        candidate=st.sampled_from([NEW, NEW, IRREVERSIBLE]),
    )
    def begin(
        self,
        plan: tuple[tuple[Step, ...], bool],
        first: bool,
        known_good: bool,
        outcome: str,
        quorum: int,
        luck: int,
        candidate: Release,
    ) -> None:
        steps, exclusive = plan
        stable = None if first else OLD
        self.target.desired = Desired(3, stable)
        story = Story(
            steps,
            stable=stable,
            candidate=candidate,
            known_good=known_good,
            exclusive=exclusive,
            hold_outcome=outcome,
            promote_quorum=quorum,
        )
        self.at = story.at
        self.rollout = story.rollout
        self._take(story.rollout, machine.Stepped(story.rollout, tuple(story.effects)))
        for _ in range(luck):
            self._go_well()

    def _go_well(self) -> None:
        """One thing that moves a rollout on, so that histories get further than their first mishap."""
        rollout = self.rollout
        if rollout.phase is Phase.GATED:
            for actor in (LEAD, LEAD2):
                self.someone_presses(True, None, action=Action.APPROVE, actor=actor, panic=False, seconds=0.0)
        elif rollout.phase in (Phase.SOAKING, Phase.OBSERVING, Phase.HELD):
            self.the_judge_looks(100, 0, 3)
        elif self.checks and self.checks[-1].step == rollout.step and rollout.confirmed == rollout.generation:
            self._tell(Reported("run_checks", self.checks.pop().step, self.at, True))
        elif self.orders and self.target.apply(self.orders[-1]):
            self._tell(Applied(self.orders[-1].generation, self.at, self.target.weight))

    # ---- what happens --------------------------------------------------------------------------------------

    def _tell(self, event: Event) -> None:
        before = self.rollout
        stepped = machine.step(before, event)
        self._check_step(before, event, stepped)
        self._take(before, stepped)

    def _take(self, before: Rollout, stepped: machine.Stepped) -> None:
        self.rollout = stepped.rollout
        for effect in stepped.effects:
            if isinstance(effect, SetDesired):
                assert effect.desired.generation > self.ordered
                self.ordered = effect.desired.generation
                self.orders.append(effect.desired)
                self._check_traffic(effect.desired)
            elif isinstance(effect, RunChecks):
                self.checks.append(effect)

    @rule()
    def something_goes_well(self) -> None:
        self._go_well()

    @precondition(lambda self: self.orders)
    @rule(
        data=st.data(),
        outcome=st.sampled_from(
            ["done", "done", "done", "failed", "failed late", "unsafe", "silent", "ahead"]
        ),
    )
    def target_works(self, data: st.DataObject, outcome: str) -> None:
        """It takes any order that waits, not always the oldest, and may keep one to do it once more."""
        desired = data.draw(st.sampled_from(self.orders))
        if data.draw(st.booleans()):
            self.orders.remove(desired)
        if outcome == "ahead":
            # A failover or a restored backup: what we know is older than what the target has.
            self.target.generation = max(self.target.generation, self.ordered) + 3
        elif outcome not in ("failed", "unsafe") and not self.target.apply(desired):
            return
        answers: dict[str, Event] = {
            "done": Applied(desired.generation, self.at, self.target.weight),
            "failed": ApplyFailed(desired.generation, self.at, "no room"),
            "failed late": ApplyFailed(desired.generation, self.at, "half done"),
            "ahead": ApplyFailed(desired.generation, self.at, "ahead", newest=self.target.generation),
            "unsafe": ApplyFailed(desired.generation, self.at, "stable is gone", unsafe=True),
        }
        if outcome in answers:
            self.answers.append(answers[outcome])

    @precondition(lambda self: self.answers)
    @rule(data=st.data(), again=st.booleans())
    def an_answer_arrives(self, data: st.DataObject, again: bool) -> None:
        answer = data.draw(st.sampled_from(self.answers))
        if not again:
            self.answers.remove(answer)
        self._tell(answer)

    @precondition(lambda self: self.orders)
    @rule(data=st.data())
    def what_an_order_waits_for_is_told(self, data: st.DataObject) -> None:
        """In time or late, it changes nothing but what people read."""
        before, desired = self.rollout, data.draw(st.sampled_from(self.orders))
        self._tell(Delayed(desired.generation, self.at, "no room yet"))
        assert replace(self.rollout, delay=before.delay, version=before.version) == before

    @precondition(lambda self: self.checks)
    @rule(data=st.data(), passed=st.sampled_from([True, True, True, False]))
    def checks_end(self, data: st.DataObject, passed: bool) -> None:
        check = data.draw(st.sampled_from(self.checks))
        self.checks.remove(check)
        self._tell(
            Reported("run_checks", check.step, self.at, passed, () if passed else ("/healthz answered 500",))
        )

    @rule(total=st.sampled_from([0, 1, 100, 100]), bad=st.sampled_from([0, 0, 0, 1]), count=st.integers(1, 4))
    def the_judge_looks(self, total: int, bad: int, count: int) -> None:
        for _ in range(count):
            self._look(total, bad * total)

    @rule(count=st.integers(1, 6))
    def the_judge_is_blind(self, count: int) -> None:
        for _ in range(count):
            self._look(0, 0, errors=("router: connection refused",))

    @rule()
    def all_is_in_trouble(self) -> None:
        self._look(100, 10, stable_bad=200)

    def _look(self, total: int, bad: int, errors: tuple[str, ...] = (), stable_bad: int = 0) -> None:
        self.at += timedelta(seconds=5)
        stable = {"errors": Counts(1000, stable_bad)}
        tick = Tick(self.at.timestamp(), 5.0, {"errors": Counts(total, bad)}, stable, errors)
        self._tell(Measured(self.at, tick))

    @rule(seconds=st.sampled_from([1.0, 1.0, 10.0, 80.0, 700.0]))
    def time_passes(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        for name, due in machine.timers(self.rollout).items():
            if due <= self.at:
                self._tell(TimerDue(name, self.rollout.step, self.at))

    @rule(name=st.sampled_from(["gate", "hold", "progress"]), step=st.integers(0, 7))
    def a_stale_timer_comes(self, name: str, step: int) -> None:
        due = machine.timers(self.rollout).get(name)
        if due is None or due > self.at or step != self.rollout.step:
            before = self.rollout
            self._tell(TimerDue(name, step, self.at))
            assert self.rollout is before

    @rule(
        action=st.sampled_from([*MILD * 4, *Action]),
        actor=st.sampled_from([*PEOPLE, LEAD, LEAD2]),
        behind=st.sampled_from([None, None, 0, 1]),
        sealed=st.sampled_from([True, True, False]),
        panic=st.sampled_from([False, False, True]),
        seconds=st.sampled_from([0.0, 30.0, -1.0]),
        confirmed=st.booleans(),
    )
    def someone_presses(self, sealed: bool, behind: int | None, **pressed: Any) -> None:
        step = None if behind is None else self.rollout.step - behind
        seal = self.rollout.seal if sealed else "another"
        try:
            self._tell(Acted(at=self.at, step=step, seal=seal, reason="because", **pressed))
        except Refused as refused:
            assert refused.sentence

    @rule(rarely=RARELY)
    def the_candidate_dies(self, rarely: bool) -> None:
        if rarely and (self.target.weight or _is_new(self.target.desired.candidate)):
            self._tell(Crashed(self.at, "exit code 1"))

    @rule(rarely=RARELY, heard=st.booleans())
    def someone_aborts_on_the_machine(self, rarely: bool, heard: bool) -> None:
        if not rarely:
            return
        event = HostAborted(self.target.abort(), self.at, "root")
        if heard:
            self._tell(event)
        else:
            self.answers.append(event)

    # ---- what holds for each step --------------------------------------------------------------------------

    def _check_step(self, before: Rollout, event: Event, stepped: machine.Stepped) -> None:
        after, effects, transitions = stepped
        if after is before:
            assert effects == () == transitions
            return
        assert not before.phase.final
        assert after.version == before.version + 1
        assert effects[-1] == DrawCard()
        # 7: who, when, why for every transition, without a gap.
        if after.phase is not before.phase or after.step != before.step:
            assert transitions
            assert transitions[0].from_phase == before.phase
            assert transitions[-1].to_phase == after.phase
        assert all(a.to_phase == b.from_phase for a, b in pairwise(transitions))
        assert all(t.actor.name and t.what and t.why and t.at == event.at for t in transitions)
        assert [t.why for t in transitions] == [e.text for e in effects if isinstance(e, LogLine)]
        self._remember_votes(before, event)
        self._check_forward(before, event, after)
        # 6: only people, at the card or at the machine, lead out of HALTED.
        if before.phase is Phase.HALTED and after.phase is not Phase.HALTED:
            assert isinstance(event, Acted | HostAborted)
        self._check_irreversible(before, event, after)

    def _check_irreversible(self, before: Rollout, event: Event, after: Rollout) -> None:
        # 9: an irreversible release that had traffic goes back by a person who confirmed it, or on the machine.
        if not before.candidate.irreversible or not before.had_traffic:
            return
        if after.phase is Phase.ROLLING_BACK is not before.phase:
            assert isinstance(event, HostAborted) or (isinstance(event, Acted) and event.confirmed)
        # And once people were called, only they lead it anywhere.
        if before.hold is not None and before.hold.for_people and after.phase is not Phase.HELD:
            assert isinstance(event, Acted | HostAborted)

    def _remember_votes(self, before: Rollout, event: Event) -> None:
        if not isinstance(event, Acted) or not isinstance(before.current, Gate):
            return
        if event.action is Action.APPROVE:
            assert event.actor != DEV
            assert "release-manager" in event.actor.roles
            self.votes.setdefault(before.step, set()).add(event.actor.id)
        elif event.action is Action.REVOKE:
            self.votes[before.step].discard(event.actor.id)

    def _check_forward(self, before: Rollout, event: Event, after: Rollout) -> None:
        # 2: only an explicit PASS leaves a soak, or people, or what the policy says at a hold's deadline.
        if after.step == before.step:
            return
        assert after.step > before.step
        assert before.pause is None or (isinstance(event, Acted) and event.action is Action.RESUME)
        if not isinstance(before.current, Soak | Observe) or before.known_good:
            return
        if isinstance(event, Acted) and event.action is Action.PROMOTE:
            voters = {a.actor_id for a in before.approvals} | {event.actor.id}
            assert len(voters) >= before.policy.promote_quorum
            assert DEV.id not in voters
        else:
            assert after.verdict is not None
            assert after.verdict.outcome is Outcome.PASS

    def _check_traffic(self, desired: Desired) -> None:
        # 4: no candidate traffic is ordered past a gate that its quorum did not pass.
        if self.rollout.known_good or not (desired.weight or _is_new(desired.stable)):
            return
        for index, gate in enumerate(self.rollout.plan.steps[: self.rollout.step]):
            if isinstance(gate, Gate):
                assert len(self.votes.get(index, ())) >= gate.quorum

    # ---- what always holds ---------------------------------------------------------------------------------

    @invariant()
    def a_rollback_can_be_ordered_in_every_phase_that_is_not_final(self) -> None:
        rollout = self.rollout
        if not rollout.phase.final:
            after = machine.step(rollout, Acted(Action.ROLL_BACK, ONCALL, self.at, confirmed=True)).rollout
            back = Phase.ROLLING_BACK if rollout.stable else Phase.HALTED
            assert after.phase is (back if rollout.had_traffic else Phase.CANCELLED)

    @invariant()
    def a_failing_judge_is_heard_wherever_the_candidate_has_traffic(self) -> None:
        rollout, at = self.rollout, self.at + timedelta(hours=1)
        deaf = rollout.phase.final or rollout.phase in (Phase.ROLLING_BACK, Phase.HALTED)
        if rollout.had_traffic and not rollout.known_good and not deaf:
            bad = Tick(at.timestamp(), 5.0, {"errors": Counts(10_000, 10_000)}, {"errors": Counts(10_000, 0)})
            after = machine.step(rollout, Measured(at, bad)).rollout
            if not rollout.candidate.irreversible:
                assert after.phase is (Phase.ROLLING_BACK if rollout.stable else Phase.HALTED)
            elif rollout.verdict is None or rollout.verdict.outcome is not Outcome.FAIL:
                watched = rollout.phase in (Phase.SOAKING, Phase.OBSERVING, Phase.HELD)
                assert after.phase is (Phase.HELD if watched else Phase.HALTED)
                assert after.weight == rollout.weight

    @invariant()
    def a_candidate_without_ordered_traffic_has_none(self) -> None:
        assert self.rollout.had_traffic or self.target.weight == 0

    @invariant()
    def what_is_rolled_back_has_no_traffic(self) -> None:
        if self.rollout.phase is Phase.ROLLED_BACK:
            assert self.target.weight == self.rollout.observed_weight == 0

    @invariant()
    def what_succeeded_serves_everything(self) -> None:
        if self.rollout.phase is Phase.SUCCEEDED:
            assert self.target.weight == 100

    @invariant()
    def every_wait_for_people_has_a_deadline(self) -> None:
        rollout = self.rollout
        waits = {
            Phase.GATED: "gate",
            Phase.HELD: "hold",
        }
        paused = rollout.pause is not None and (rollout.step_done or rollout.phase is Phase.GATED)
        expected = set() if paused or rollout.phase not in waits else {waits[rollout.phase]}
        assert set(machine.timers(rollout)) == expected

    @invariant()
    def an_end_has_a_time_and_a_reason(self) -> None:
        assert self.rollout.phase.final is (self.rollout.ended_at is not None)
        assert self.rollout.outcome


TestHistories = pytest.mark.simulation(Histories.TestCase)
TestHistories.settings = settings(
    max_examples=300,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
