"""Words for tests of the rollout machine: a team, a plan, and a rollout that is told what happens to it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.domain.judge import judge
from bot.domain.judge.evidence.ticks import Counts, Tick
from bot.domain.rollout.events import (
    Acted,
    Applied,
    ApplyFailed,
    Crashed,
    Effect,
    Event,
    HostAborted,
    Measured,
    Notify,
    Reported,
    SetDesired,
    TimerDue,
    Transition,
)
from bot.domain.rollout.machine import machine
from bot.domain.rollout.model import Action, Actor, Lane, Plan, Policy, Release, Rollout, Step
from bot.domain.rollout.steps import Gate, HttpCheck, Observe, Shift, Soak, Verify
from tests.support.actors import DEV, LEAD, ONCALL

T0 = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LANE = Lane("checkout", "production")
OLD = Release("checkout", "1.4.0", "sha256:old")
NEW = Release("checkout", "1.5.0", "sha256:new")
IRREVERSIBLE = replace(NEW, irreversible="drops the table coupons")


VERIFY = Verify((HttpCheck("/healthz"),))
GATE = Gate("production", "release-manager")
SOAK_S = 30.0
TICK_S = 5.0
CANARY = (VERIFY, GATE, Shift(5), Soak(SOAK_S), Shift(100), Observe(SOAK_S))

ERRORS = judge.Objective("errors", "errors", 0.01)
JUDGE = judge.JudgePolicy(objectives=(ERRORS,), phi=1.0, min_requests=50, error_limit_s=20.0, tick_s=TICK_S)
POLICY = Policy(
    judge=JUDGE,
    tick_s=TICK_S,
    hold_deadline_s=600.0,
    rollback_roles=("on-call", "release-manager"),
    operate_roles=("deployer", "release-manager"),
    notify_roles=("on-call",),
)


class Story:
    """A rollout and everything that came of it. Time moves only by what is told."""

    def __init__(
        self,
        steps: Iterable[Step] = CANARY,
        *,
        stable: Release | None = OLD,
        candidate: Release = NEW,
        requester: Actor = DEV,
        reason: str = "new prices",
        **policy: Any,
    ) -> None:
        more = {
            name: policy.pop(name)
            for name in ("known_good", "gated", "shout", "readiness", "changes", "undone")
            if name in policy
        }
        self.at = T0
        self.effects: list[Effect] = []
        self.transitions: list[Transition] = []
        self.rollout: Rollout
        self.before: Rollout | None = None  # the rollout as the last event found it
        begun = machine.begin(
            id=7,
            guild_id=99,
            lane=LANE,
            stable=stable,
            candidate=candidate,
            plan=Plan("canary", tuple(steps)),
            policy=replace(POLICY, **policy),
            requester=requester,
            reason=reason,
            at=T0,
            generation=3,
            **more,
        )
        self._keep(begun)

    def _keep(self, stepped: machine.Stepped) -> None:
        self.rollout = stepped.rollout
        self.last = stepped
        self.effects += stepped.effects
        self.transitions += stepped.transitions

    # ---- telling -------------------------------------------------------------------------------------------

    def tell(self, event: Event) -> Story:
        self.before = self.rollout
        self._keep(machine.step(self.rollout, event))
        return self

    def later(self, seconds: float) -> Story:
        self.at += timedelta(seconds=seconds)
        return self

    def applied(self, weight: int | None = None) -> Story:
        """The target got where the newest generation wants it."""
        observed = self.rollout.weight if weight is None else weight
        return self.tell(Applied(self.rollout.generation, self.at, observed))

    def apply_failed(self, why: str = "no room", *, unsafe: bool = False, newest: int = 0) -> Story:
        return self.tell(ApplyFailed(self.rollout.generation, self.at, why, unsafe, newest))

    def verified(self, passed: bool = True, *findings: str) -> Story:
        return self.tell(Reported("run_checks", self.rollout.step, self.at, passed, findings))

    def synced(self, passed: bool = True, *findings: str) -> Story:
        return self.tell(Reported("run_sync", self.rollout.step, self.at, passed, findings))

    def crashed(self) -> Story:
        return self.tell(Crashed(self.at, "exit code 1"))

    def host_aborted(self, generation: int = 50, why: str = "it burns") -> Story:
        return self.tell(HostAborted(generation, self.at, "root", why))

    def due(self, name: str) -> Story:
        """The timer of that name comes due, however long that takes."""
        self.at = max(self.at, machine.timers(self.rollout)[name])
        return self.tell(TimerDue(name, self.rollout.step, self.at))

    def tick(
        self,
        total: int = 100,
        bad: int = 0,
        *,
        errors: tuple[str, ...] = (),
        stable_bad: int = 0,
        instances: Mapping[str, Counts] | None = None,
    ) -> Story:
        """The judge looks once, `TICK_S` later. instances: what each of the candidate's did of that."""
        self.later(TICK_S)
        return self.tell(
            Measured(
                self.at,
                Tick(
                    self.at.timestamp(),
                    TICK_S,
                    {"errors": Counts(total, bad)},
                    {"errors": Counts(1000, stable_bad)},
                    errors,
                    instances=instances or {},
                ),
            )
        )

    def soaked(self, seconds: float = SOAK_S) -> Story:
        """As many good looks as the soak takes."""
        for _ in range(int(seconds / TICK_S)):
            self.tick()
        return self

    def act(self, actor: Actor, action: Action, **more: Any) -> Story:
        return self.tell(Acted(action, actor, self.at, **more))

    # ---- going there ---------------------------------------------------------------------------------------

    def to_gate(self) -> Story:
        return self.applied().verified()

    def to_shift(self) -> Story:
        return self.to_gate().act(LEAD, Action.APPROVE)

    def to_soak(self) -> Story:
        return self.to_shift().applied()

    def to_hold(self) -> Story:
        """Held, since nothing can be read."""
        return self.to_soak().blinded()

    def blinded(self) -> Story:
        """Nothing can be read until people are asked."""
        for _ in range(99):
            if self.rollout.hold is not None:
                return self
            self.blind()
        raise AssertionError("however long nothing can be read, it is not held")

    def blind(self) -> Story:
        return self.tick(0, errors=("router: connection refused",))

    def to_rolling_back(self) -> Story:
        return self.to_soak().act(ONCALL, Action.ROLL_BACK)

    def to_halted(self) -> Story:
        return self.to_rolling_back().apply_failed()

    # ---- looking -------------------------------------------------------------------------------------------

    @property
    def phase(self) -> str:
        return str(self.rollout.phase)

    def ordered(self) -> list[tuple[str | None, str | None, int]]:
        """Every desired state in order: stable's version, candidate's, weight."""
        wanted = [e.desired for e in self.effects if isinstance(e, SetDesired)]
        return [
            (d.stable.version if d.stable else None, d.candidate.version if d.candidate else None, d.weight)
            for d in wanted
        ]

    def posted(self) -> list[Notify]:
        return [e for e in self.effects if isinstance(e, Notify)]

    def seen(self, kind: type[Any]) -> list[Any]:
        return [e for e in self.effects if isinstance(e, kind)]
