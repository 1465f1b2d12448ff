"""Spans of rollouts: one trace, made of what each change saved, the same in every process and made once."""

from __future__ import annotations

import hashlib
import importlib
import pkgutil
import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, timedelta, timezone
from typing import Any

import pytest
from opentelemetry.semconv import attributes as stable
from opentelemetry.semconv._incubating import attributes as incubating

from bot.adapters.postgres import serialization
from bot.domain.errors import IllegalTransition, UserError
from bot.domain.judge.verdict import Reason
from bot.domain.records import AuditEntry, Claimed, GivenUp, RolloutChange
from bot.domain.rollout.changes import Changes
from bot.domain.rollout.events import (
    Applied,
    ApplyFailed,
    ChangesRead,
    DrawCard,
    Effect,
    Event,
    ReadChanges,
    Reported,
    ReportedEffect,
    SetDesired,
    Transition,
)
from bot.domain.rollout.machine import machine
from bot.domain.rollout.model import SYSTEM, Action, Actor, Desired, Phase, Release, Rollout
from bot.domain.rollout.steps import Gate, Run, RunCommand, Shift, Soak, StopRuns
from bot.domain.traces.effects import effect_span, effect_span_id, trace_id_of_claim
from bot.domain.traces.ended import judged
from bot.domain.traces.ids import moment, span_id_of, trace_id_of
from bot.domain.traces.rollouts import spans_of
from bot.domain.traces.spans import Span, SpanEvent, attributes, bounded, cut, person
from tests.support.actors import DEV, DEV2, LEAD, ONCALL
from tests.support.rules.story import CANARY, LANE, NEW, OLD, SOAK_S, T0, TICK_S, VERIFY, Story

ROOT = span_id_of(trace_id_of((7, T0)), "rollout")


class TracedStory(Story):
    """A story that keeps the spans of every change. Each change is computed by another process, on what is stored."""

    spans: list[Span]
    forgetful = True
    attempts = 0
    given_up = ""

    def _keep(self, stepped: machine.Stepped) -> None:
        first = not hasattr(self, "spans")
        if first:
            self.spans = []
            self.claims: list[tuple[Effect, Any]] = []
        before = None if first else self.rollout
        super()._keep(stepped)
        event = None if first else self.event
        if before is not None and stepped.rollout is before:
            return
        at = T0 if event is None else event.at
        change = RolloutChange(stepped.rollout, before, at, stepped.effects, stepped.transitions)
        if event is not None:
            change = replace(change, claim=self.claimed(event), given_up=self.gave_up())
        self.spans += spans_of(change)
        self.claims += [(effect, at) for effect in stepped.effects]
        if self.forgetful:
            self.rollout = stored(self.rollout)

    def tell(self, event: Event) -> Story:
        self.event = event
        return super().tell(event)

    def claimed(self, event: Event) -> Claimed | None:
        """The effect that the event is the outcome of, as the outbox has it."""
        kinds: Any = {
            Applied: SetDesired,
            ApplyFailed: SetDesired,
            Reported: ReportedEffect,
            ChangesRead: ReadChanges,
        }
        wanted = kinds.get(type(event))
        found = [(n, e, at) for n, (e, at) in enumerate(self.claims) if wanted and isinstance(e, wanted)]
        if not found:
            return None
        number, effect, at = found[-1]
        self.claims[number] = (DrawCard(), at)  # an effect has one outcome
        return Claimed(number, f"7.0.{number}.ab", 1, self.attempts, 7, LANE, effect, at, 1.5, T0, 99)

    def gave_up(self) -> GivenUp | None:
        return (
            GivenUp(self.given_up, AuditEntry(LANE, SYSTEM, self.at, "effect_given_up", self.given_up))
            if self.given_up
            else None
        )

    def named(self, name: str) -> Span:
        (found,) = [span for span in self.spans if span.name == name]
        return found

    @property
    def root(self) -> Span:
        return self.named(f"RUN {LANE}")


def stored(rollout: Rollout) -> Rollout:
    charter = serialization.read_charter(serialization.SCHEMA, serialization.charter_text(rollout))
    state, judge = serialization.state_text(rollout), serialization.judge_text(rollout)
    return serialization.read_rollout(charter, rollout.phase, rollout.version, state, judge)


def succeeded(story: TracedStory) -> TracedStory:
    story.later(3).applied().later(2).verified().later(600).act(LEAD, Action.APPROVE)
    story.later(1).applied().soaked().later(1).applied().soaked().later(4).applied()
    assert story.phase == "succeeded"
    return story


# ---- one trace -----------------------------------------------------------------------------------------------


def test_a_rollout_is_one_trace_of_its_steps_and_their_orders() -> None:
    story = succeeded(TracedStory())
    root = story.root
    assert {span.trace_id for span in story.spans} == {trace_id_of((7, T0))}
    assert (root.parent_id, root.start, root.end, root.kind) == (None, T0, story.at, "server")
    steps = [span for span in story.spans if "slipway.step" in span.attributes]
    assert [span.name for span in steps] == [
        "verify",
        "gate production",
        "shift 5%",
        "soak 30 s",
        "shift 100%",
        "observe 30 s",
        "take over",
    ]
    assert all(span.parent_id == root.span_id for span in steps)
    # One ends where the next begins.
    assert [span.start for span in steps] == [T0, *(span.end for span in steps[:-1])]
    assert steps[-1].end == root.end
    orders = [span for span in story.spans if span.kind == "client"]
    assert [(span.name, span.parent_id) for span in orders] == [
        ("set_desired", steps[0].span_id),
        ("run_checks", steps[0].span_id),
        ("set_desired", steps[2].span_id),
        ("set_desired", steps[4].span_id),
        ("set_desired", steps[6].span_id),
    ]
    assert [span.error for span in story.spans] == [None] * len(story.spans)


def test_attributes_follow_the_conventions_for_pipelines_and_deployments() -> None:
    release = replace(NEW, commit="c0ffee", repository="https://github.com/acme/checkout")
    story = succeeded(TracedStory(candidate=release))
    assert dict(story.root.attributes) == {
        "cicd.pipeline.name": "checkout/production",
        "cicd.pipeline.run.id": "7",
        "cicd.pipeline.action.name": "RUN",
        "cicd.pipeline.result": "success",
        "deployment.id": "7",
        "deployment.name": "checkout/production",
        "deployment.environment.name": "production",
        "deployment.status": "succeeded",
        "vcs.ref.head.revision": "c0ffee",
        "vcs.repository.url.full": "https://github.com/acme/checkout",
        "slipway.service": "checkout",
        "slipway.guild.id": "99",
        "slipway.phase": "succeeded",
        "slipway.plan": "canary",
        "slipway.candidate.version": "1.5.0",
        "slipway.candidate.digest": "sha256:new",
        "slipway.stable.version": "1.4.0",
        "slipway.reason": "new prices",
        "slipway.outcome": story.rollout.outcome,
        "slipway.returns": False,
        "user.name": "dev",
        "user.id": "11",
    }
    assert {span.attributes["cicd.pipeline.run.id"] for span in story.spans} == {"7"}
    shift = story.named("shift 5%").attributes
    assert shift["cicd.pipeline.task.run.id"] == "7.2"
    assert (shift["cicd.pipeline.task.type"], shift["slipway.weight"]) == ("deploy", 5)
    assert story.named("soak 30 s").attributes["cicd.pipeline.task.run.result"] == "success"
    order = next(
        span for span in story.spans if span.attributes.get("slipway.weight") == 5 and span.kind == "client"
    )
    assert (order.attributes["slipway.effect.attempts"], order.attributes["slipway.effect.watched_s"]) == (
        1,
        1.5,
    )
    assert order.attributes["slipway.generation"] == 5


def test_ids_are_those_of_the_rollout_whatever_process_and_time_zone_they_are_made_in() -> None:
    tokyo = T0.astimezone(timezone(timedelta(hours=9)))
    assert trace_id_of((7, T0)) == trace_id_of((7, tokyo)) == "0d0f30c932f2bfb9efb42b20252f0824"
    # A database that lost commits may give the number again.
    assert trace_id_of((7, T0 + timedelta(microseconds=1))) != trace_id_of((7, T0)) != trace_id_of((8, T0))


def test_a_process_that_was_restarted_before_each_change_makes_the_same_spans() -> None:
    class TracedProcess(TracedStory):
        forgetful = False

    assert succeeded(TracedStory()).spans == succeeded(TracedProcess()).spans


def test_a_change_is_made_into_spans_once_and_a_change_without_an_end_into_none() -> None:
    story = succeeded(TracedStory())
    assert max(Counter(span.span_id for span in story.spans).values()) == 1
    begun = TracedStory()
    assert begun.spans == []
    begun.to_soak()
    before = len(begun.spans)
    begun.tick().tick()
    assert len(begun.spans) == before


# ---- people and the judge ------------------------------------------------------------------------------------


def test_a_gate_tells_who_approved_and_when() -> None:
    two = (VERIFY, Gate("production", "release-manager", quorum=2), *CANARY[2:])
    story = TracedStory(two)
    story.to_gate().later(60).act(LEAD, Action.APPROVE).later(30).act(
        replace(LEAD, id=21, name="mia"), Action.APPROVE
    )
    gate = story.named("gate production")
    assert [(e.name, e.at, e.attributes["user.name"]) for e in gate.events] == [
        ("approved", T0 + timedelta(seconds=60), "lead"),
        ("approved", T0 + timedelta(seconds=90), "mia"),
    ]
    assert gate.attributes["slipway.decided_by"] == ("lead", "mia")
    assert (gate.end - gate.start).total_seconds() == 90
    assert (gate.attributes["slipway.gate.role"], gate.attributes["slipway.gate.quorum"]) == (
        "release-manager",
        2,
    )


def test_a_rejection_is_no_error_and_a_gate_that_expires_is() -> None:
    rejected = TracedStory()
    rejected.to_gate().act(LEAD, Action.REJECT, reason="wrong day")
    gate = rejected.named("gate production")
    assert (gate.error, gate.attributes["slipway.decided_by"]) == (None, ("lead",))
    assert gate.attributes["cicd.pipeline.task.run.result"] == "cancellation"
    assert (rejected.root.error, rejected.root.attributes["cicd.pipeline.result"]) == (None, "cancellation")
    assert "deployment.status" not in rejected.root.attributes
    expired = TracedStory()
    expired.to_gate().due("gate")
    gate = expired.named("gate production")
    assert gate.error == "The gate expired before it was approved."
    assert (gate.attributes["cicd.pipeline.task.run.result"], gate.attributes["error.type"]) == (
        "timeout",
        "gate_expired",
    )
    assert (expired.root.attributes["cicd.pipeline.result"], expired.root.attributes["error.type"]) == (
        "timeout",
        "gate_expired",
    )


def test_a_return_to_a_known_good_release_skips_its_gates() -> None:
    story = TracedStory((CANARY[1], Shift(100)), known_good=True)
    story.applied().applied()
    assert story.named("gate production").attributes["cicd.pipeline.task.run.result"] == "skip"
    assert story.root.attributes["slipway.returns"] is True


def test_a_soak_carries_the_verdict_that_ended_it() -> None:
    story = TracedStory()
    story.to_soak().soaked()
    (verdict,) = story.named("soak 30 s").events
    assert (verdict.name, verdict.attributes["slipway.verdict"]) == ("verdict", "PASS")
    assert verdict.attributes["slipway.verdict.reasons"]
    assert verdict.at == story.at


def test_a_failing_release_is_an_error_at_its_step_and_the_way_back_a_span_of_its_own() -> None:
    story = TracedStory()
    story.to_soak().tick(200, 100)
    ordered = story.at
    soak = story.named("soak 30 s")
    assert soak.error is not None and "Automatic rollback" in soak.error
    assert (soak.attributes["error.type"], soak.attributes["cicd.pipeline.task.run.result"]) == (
        "judged_fail",
        "failure",
    )
    assert soak.events[-1].attributes["slipway.verdict"] == "FAIL"
    story.later(2).applied(0)
    back = story.named("roll back")
    assert (back.start, back.end, back.parent_id, back.error) == (ordered, story.at, ROOT, None)
    assert back.attributes["slipway.stable.version"] == OLD.version
    order = [span for span in story.spans if span.kind == "client"][-1]
    assert order.parent_id == back.span_id
    assert (story.root.attributes["cicd.pipeline.result"], story.root.attributes["error.type"]) == (
        "failure",
        "rolled_back",
    )
    assert story.root.error == story.rollout.outcome


def test_a_hold_tells_what_led_to_it_and_who_decided() -> None:
    story = TracedStory(promote_role="release-manager")
    story.to_hold().later(120).act(LEAD, Action.PROMOTE, reason="known outage")
    hold, soak = story.named("on hold"), story.named("soak 30 s")
    assert hold.parent_id == soak.span_id
    assert (hold.end - hold.start).total_seconds() == 120
    assert hold.events[0].attributes["slipway.verdict"] == "ERROR"
    assert (hold.attributes["slipway.decision"], hold.attributes["slipway.decided_by"]) == (
        "promoted",
        ("lead",),
    )
    assert (soak.attributes["slipway.promoted_without_pass"], soak.attributes["slipway.decided_by"]) == (
        True,
        ("lead",),
    )
    expired = TracedStory()
    expired.to_hold().due("hold")
    assert expired.named("on hold").attributes["error.type"] == "hold_expired"
    assert expired.named("soak 30 s").attributes["cicd.pipeline.task.run.result"] == "timeout"
    recovered = TracedStory()
    recovered.to_hold().tick(500)
    assert recovered.named("on hold").attributes["slipway.decided_by"] == ("Slipway",)


def test_a_pause_is_a_span_with_who_began_and_who_ended_it() -> None:
    story = TracedStory()
    story.to_soak().act(DEV, Action.PAUSE, reason="lunch").later(300).act(DEV2, Action.RESUME)
    pause = story.named("paused")
    assert (pause.attributes["slipway.paused_by"], pause.attributes["slipway.decided_by"]) == (
        "dev",
        ("dev2",),
    )
    assert (pause.end - pause.start).total_seconds() == 300
    assert pause.parent_id == span_id_of(pause.trace_id, "step", "3")


def test_a_failed_rollback_halts_until_a_person_decides() -> None:
    story = TracedStory()
    story.to_soak().act(ONCALL, Action.ROLL_BACK).later(60).apply_failed("no route")
    halted = story.at
    back = story.named("roll back")
    assert back.error == "The rollback failed: no route"
    assert [s.error for s in story.spans if s.kind == "client"][-1] == "The rollback failed: no route"
    story.later(900).act(ONCALL, Action.ROLL_BACK).later(1).applied(0)
    wait = story.named("halted")
    assert (wait.start, (wait.end - wait.start).total_seconds()) == (halted, 900)
    assert wait.attributes["slipway.decided_by"] == ("oncall",)
    first, second = [span for span in story.spans if span.name == "roll back"]
    assert (second.start, first.span_id != second.span_id) == (wait.end, True)
    closed = TracedStory()
    closed.to_halted().act(ONCALL, Action.CLOSE)
    assert (closed.root.attributes["cicd.pipeline.result"], closed.root.attributes["error.type"]) == (
        "error",
        "closed",
    )


def test_a_rollback_that_an_earlier_version_began_is_timed_from_its_order() -> None:
    story = TracedStory()
    story.to_soak().later(5).act(ONCALL, Action.ROLL_BACK)
    ordered = story.at
    story.rollout = replace(story.rollout, back_since=None)
    story.later(2).applied(0)
    assert (story.named("roll back").start, story.named("roll back").end) == (ordered, story.at)


# ---- effects -------------------------------------------------------------------------------------------------


def test_an_effect_that_was_given_up_is_an_error_with_its_attempts() -> None:
    story = TracedStory()
    story.attempts, story.given_up = 7, "connection refused"
    story.later(30).apply_failed("Slipway could not carry this out: connection refused")
    order = story.named("set_desired")
    assert (order.error, order.attributes["slipway.effect.attempts"]) == ("connection refused", 8)
    assert story.named("verify").attributes["error.type"] == "apply_failed"
    assert story.root.attributes["cicd.pipeline.result"] == "failure"


def test_a_run_that_fails_is_the_effects_error_too() -> None:
    story = TracedStory((Run("smoke", RunCommand(("true",))), *CANARY[2:]))
    story.later(9).tell(Reported("run_step", 0, story.at, False, ("exit code 1",)))
    assert story.named("run_step").error == story.rollout.outcome
    assert "smoke failed: exit code 1" in story.rollout.outcome
    assert story.named("run smoke").attributes["error.type"] == "run_failed"


def test_effects_that_nothing_waits_for_belong_to_the_rollout_and_messages_to_no_trace() -> None:
    claim = Claimed(5, "7.3.1.ab", 1, 0, 7, LANE, StopRuns(LANE), T0, requested_at=T0)
    span = effect_span(claim, T0 + timedelta(seconds=2))
    assert span is not None
    assert (span.parent_id, span.span_id) == (ROOT, effect_span_id(trace_id_of((7, T0)), claim))
    assert effect_span(replace(claim, effect=DrawCard()), T0) is None
    assert effect_span(replace(claim, rollout_id=None), T0) is None
    assert trace_id_of_claim(replace(claim, requested_at=None)) is None
    read = TracedStory(changes=Changes("a" * 40, "b" * 40, reading=True))
    read.tell(ChangesRead(read.at, Changes("a" * 40, "b" * 40, added=1, removed=0)))
    assert read.named("read_changes").parent_id == ROOT


def test_a_clock_that_is_behind_the_databases_gives_no_span_that_ends_before_it_begins() -> None:
    claim = Claimed(5, "k", 1, 0, 7, LANE, StopRuns(LANE), T0, requested_at=T0)
    span = effect_span(claim, T0 - timedelta(seconds=1))
    assert span is not None and span.start == span.end


# ---- whatever happens ----------------------------------------------------------------------------------------


def test_values_of_people_and_releases_are_bounded() -> None:
    long = "x" * 5000
    story = TracedStory(
        candidate=Release("checkout", long, long, long), requester=Actor(1, long), reason=long
    )
    story.to_gate().act(Actor(13, long, frozenset({"release-manager"})), Action.REJECT, reason=long)
    texts: list[str] = []
    for span in story.spans:
        for values in (span.attributes, *(event.attributes for event in span.events)):
            for value in values.values():
                texts += [value] if isinstance(value, str) else value if isinstance(value, tuple) else []
        texts += [span.name, span.error or ""]
    assert max(map(len, texts)) == 256


def conventions() -> set[str]:
    """Every name of OpenTelemetry's conventions, as the library has them."""
    found: set[str] = set()
    for package in (stable, incubating):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            found |= {v for v in vars(importlib.import_module(module.name)).values() if isinstance(v, str)}
    return found


CONVENTIONS = conventions()
MOVES: tuple[tuple[str, tuple[Any, ...]], ...] = (
    *[("applied", ())] * 4,
    *[("verified", ())] * 3,
    *[("soaked", ())] * 3,
    ("tick", (200, 100)),
    ("blinded", ()),
    ("apply_failed", ()),
    ("verified", (False, "500")),
    ("crashed", ()),
    ("host_aborted", ()),
    ("due", ("gate",)),
    ("due", ("hold",)),
    *[("act", (LEAD, Action.APPROVE))] * 4,
    ("act", (LEAD, Action.REJECT)),
    ("act", (LEAD, Action.PROMOTE)),
    ("act", (DEV, Action.PAUSE)),
    *[("act", (DEV, Action.RESUME))] * 2,
    ("act", (ONCALL, Action.ROLL_BACK)),
    ("act", (DEV, Action.CANCEL)),
    ("act", (ONCALL, Action.CLOSE)),
)


@pytest.mark.parametrize("seed", range(60))
def test_every_history_is_one_whole_trace(seed: int) -> None:
    """Ids are unique, times are within the rollout, and once it is over each span's parent was sent, too."""
    chance = random.Random(seed)
    story = TracedStory(chance.choice([CANARY, (VERIFY, Shift(5), Soak(SOAK_S), Shift(100)), (Shift(100),)]))
    for _ in range(400):
        if story.rollout.phase.final:
            break
        name, given = chance.choice(MOVES)
        story.later(chance.choice([0, TICK_S, 60]))
        try:
            getattr(story, name)(*given, **({"reason": "why"} if name == "act" else {}))
        except (UserError, IllegalTransition, KeyError, AssertionError):
            continue
    names = {name for span in story.spans for name in span.attributes}
    assert {name for name in names if not name.startswith("slipway.")} <= CONVENTIONS
    known = {span.span_id for span in story.spans}
    assert len(known) == len(story.spans)
    assert all(T0 <= span.start <= span.end <= story.at for span in story.spans)
    assert all(len(span.span_id) == 16 and len(span.trace_id) == 32 for span in story.spans)
    if story.rollout.phase.final:
        assert story.root.end == story.rollout.ended_at
        # Only what ended before counts: an order that was superseded has no outcome, and so no span.
        assert {span.parent_id for span in story.spans} <= {None, *known}


# ---- as a whole ----------------------------------------------------------------------------------------------


def known_of(span: Span) -> dict[str, Any]:
    return dict(span.attributes)


def test_the_span_of_an_order_and_all_that_it_says() -> None:
    desired = Desired(5, OLD, NEW, 25)
    claim = Claimed(
        5, "7.3.1.ab", 1, 2, 7, LANE, SetDesired(LANE, desired, 60.0, urgent=True), T0, 1.23456, T0
    )
    parent = "ab" * 8
    trace = trace_id_of((7, T0))
    common = {
        "cicd.pipeline.run.id": "7",
        "deployment.environment.name": "production",
        "slipway.service": "checkout",
        "slipway.effect.kind": "set_desired",
        "slipway.effect.key": "7.3.1.ab",
        "slipway.effect.attempts": 3,
        "slipway.effect.watched_s": 1.235,
        "slipway.generation": 5,
        "slipway.weight": 25,
        "slipway.urgent": True,
        "slipway.stable.version": OLD.version,
        "slipway.candidate.version": NEW.version,
    }
    ended = T0 + timedelta(seconds=2)
    assert effect_span(claim, ended, parent, "x" * 999) == Span(
        "set_desired",
        trace,
        span_id_of(trace, "effect", "7.3.1.ab"),
        parent,
        T0,
        ended,
        common,
        (),
        f"{'x' * 255}…",
        "client",
    )
    bare = effect_span(replace(claim, effect=SetDesired(LANE, Desired(5, None), 60.0)), ended)
    assert bare is not None
    assert (bare.parent_id, bare.error, bare.attributes["slipway.urgent"]) == (ROOT, None, False)
    assert not {"slipway.stable.version", "slipway.candidate.version"} & bare.attributes.keys()


def test_ids_are_hashes_of_their_parts() -> None:
    parts = "\0".join(("rollout", "7", T0.astimezone(UTC).isoformat(timespec="microseconds")))
    trace = hashlib.sha256(parts.encode()).hexdigest()[:32]
    assert trace_id_of((7, T0)) == trace
    named = "\0".join((trace, "step", "3"))
    assert span_id_of(trace, "step", "3") == hashlib.sha256(named.encode()).hexdigest()[:16]
    assert moment(None) == ""
    assert moment(T0.astimezone(timezone(timedelta(hours=9)))) == parts.split("\0")[2]


def test_values_are_cut_where_they_are_too_long_and_left_out_where_they_are_empty() -> None:
    assert cut("x" * 256) == "x" * 256
    assert cut("x" * 257) == f"{'x' * 255}…"
    assert bounded(("x" * 300, *("y",) * 20)) == (f"{'x' * 255}…", *("y",) * 15)
    given = {"a": None, "b": "", "c": (), "d": 0, "e": False, "f": 0.0, "g": "x" * 300, "h": ("y",)}
    assert attributes(given) == {"d": 0, "e": False, "f": 0.0, "g": f"{'x' * 255}…", "h": ("y",)}
    assert person(SYSTEM) == {"user.name": SYSTEM.name}
    assert person(DEV) == {"user.name": "dev", "user.id": "11"}


def test_a_verdict_has_its_first_eight_enforced_reasons() -> None:
    def reason(n: int, *, enforced: bool = True, warning: bool = False) -> Reason:
        return replace(usual, sentence=f"{n}", enforced=enforced, warning=warning)

    story = TracedStory()
    story.to_soak().tick(200, 100)
    verdict = story.rollout.verdict
    assert verdict is not None
    usual = verdict.reasons[0]
    reasons = (reason(0, enforced=False), reason(1, warning=True), *(reason(n) for n in range(2, 12)))
    found = judged(replace(verdict, reasons=reasons), T0)
    assert found == SpanEvent(
        "verdict",
        T0,
        {"slipway.verdict": "FAIL", "slipway.verdict.reasons": tuple(str(n) for n in range(2, 10))},
    )


def test_each_step_says_its_kind_its_result_and_its_figures() -> None:
    story = succeeded(TracedStory())
    steps = [span for span in story.spans if "slipway.step" in span.attributes]

    def step(number: int, name: str, kind: str, task: str | None = None, **more: Any) -> dict[str, Any]:
        found = {
            "cicd.pipeline.run.id": "7",
            "cicd.pipeline.task.name": name,
            "cicd.pipeline.task.run.id": f"7.{number}",
            "cicd.pipeline.task.run.result": "success",
            "slipway.step": number,
            "slipway.step.kind": kind,
            **{f"slipway.{each.replace('__', '.')}": value for each, value in more.items()},
        }
        return found if task is None else {**found, "cicd.pipeline.task.type": task}

    gate = {"gate__role": "release-manager", "gate__quorum": 1, "decided_by": ("lead",)}
    assert [known_of(span) for span in steps] == [
        step(0, "verify", "verify", "test"),
        step(1, "gate production", "gate", None, **gate),
        step(2, "shift 5%", "shift", "deploy", weight=5),
        step(3, "soak 30 s", "soak", "test"),
        step(4, "shift 100%", "shift", "deploy", weight=100),
        step(5, "observe 30 s", "observe", "test"),
        step(6, "take over", "take_over", "deploy"),
    ]
    assert [span.span_id for span in steps] == [
        span_id_of(span.trace_id, "step", str(number)) for number, span in enumerate(steps)
    ]
    assert [len(span.events) for span in steps] == [0, 1, 0, 1, 0, 1, 0]
    assert dict(steps[1].events[0].attributes) == {"user.id": "13", "user.name": "lead"}
    assert {span.kind for span in steps} == {"internal"}


def test_a_pause_a_hold_and_a_halt_say_who_and_why() -> None:
    story = TracedStory()
    story.to_soak().act(DEV, Action.PAUSE, reason="lunch")
    begun = story.at
    story.later(300).act(DEV2, Action.RESUME)
    pause = story.named("paused")
    assert known_of(pause) == {
        "cicd.pipeline.run.id": "7",
        "slipway.paused_by": "dev",
        "slipway.reason": "lunch",
        "slipway.panic_stop": False,
        "slipway.decided_by": ("dev2",),
    }
    assert pause.span_id == span_id_of(pause.trace_id, "pause", moment(begun))

    held = TracedStory()
    held.to_hold()
    assert held.rollout.hold is not None
    since, why = held.rollout.hold.since, held.rollout.hold.why
    held.later(120).due("hold")
    hold = held.named("on hold")
    assert known_of(hold) == {
        "cicd.pipeline.run.id": "7",
        "slipway.reason": why,
        "slipway.decision": "hold_expired",
        "slipway.decided_by": ("Slipway",),
        "error.type": "hold_expired",
    }
    assert (hold.start, hold.error) == (since, held.named("soak 30 s").error)
    assert hold.error is not None
    assert hold.span_id == span_id_of(hold.trace_id, "hold", moment(since))
    assert [event.at for event in hold.events] == [since]

    halted = TracedStory()
    halted.to_halted()
    began = halted.rollout.back_since
    halted.later(60).act(ONCALL, Action.CLOSE)
    halt = halted.named("halted")
    assert known_of(halt) == {
        "cicd.pipeline.run.id": "7",
        "slipway.decision": "closed",
        "slipway.decided_by": ("oncall",),
    }
    assert (halt.parent_id, halt.error) == (ROOT, None)
    assert halt.span_id == span_id_of(halt.trace_id, "back", "halted", moment(began))


def test_the_way_back_says_where_to_and_what_went_wrong_on_it() -> None:
    story = TracedStory()
    story.to_soak().act(ONCALL, Action.ROLL_BACK)
    began = story.rollout.back_since
    story.later(60).apply_failed("no route")
    back = story.named("roll back")
    assert known_of(back) == {
        "cicd.pipeline.run.id": "7",
        "error.type": "halted",
        "slipway.stable.version": OLD.version,
    }
    assert back.span_id == span_id_of(back.trace_id, "back", "rolling_back", moment(began))
    fine = TracedStory()
    fine.to_soak().act(ONCALL, Action.ROLL_BACK).later(1).applied(0)
    assert known_of(fine.named("roll back")) == {
        "cicd.pipeline.run.id": "7",
        "slipway.stable.version": OLD.version,
    }
    assert fine.root.attributes["deployment.status"] == "failed"
    soak = fine.named("soak 30 s")
    assert (soak.error, soak.attributes["cicd.pipeline.task.run.result"]) == (None, "cancellation")
    assert soak.attributes["slipway.decided_by"] == ("oncall",)


def test_a_wait_that_no_transition_ended_has_no_decision() -> None:
    story = TracedStory()
    story.to_hold()
    held = story.rollout
    on = replace(held, hold=None)
    (span,) = spans_of(RolloutChange(on, held, story.at + timedelta(seconds=1), (), ()))
    assert (span.name, "slipway.decision" in span.attributes) == ("on hold", False)
    assert "slipway.decided_by" not in span.attributes
    # The same hold, and another one.
    assert spans_of(RolloutChange(held, held, story.at, (), ())) == ()
    assert held.hold is not None
    other = replace(held, hold=replace(held.hold, since=held.hold.since + timedelta(seconds=1)))
    (span,) = spans_of(RolloutChange(other, held, story.at + timedelta(seconds=1), (), ()))
    assert span.name == "on hold"
    unjudged = replace(held, verdict=None)
    (span,) = spans_of(RolloutChange(replace(unjudged, hold=None), unjudged, story.at, (), ()))
    assert span.events == ()


def test_a_rollout_that_failed_says_what_ended_it() -> None:
    story = TracedStory()
    story.to_soak().tick(200, 100)
    story.later(2).applied(0)
    root = story.root
    assert (root.attributes["error.type"], root.attributes["deployment.status"]) == ("rolled_back", "failed")
    assert root.error == story.rollout.outcome == root.attributes["slipway.outcome"]
    assert (root.start, root.end, root.parent_id) == (T0, story.rollout.ended_at, None)
    failed = TracedStory()
    failed.later(30).apply_failed("no route")
    assert failed.root.attributes["cicd.pipeline.result"] == "failure"
    assert failed.root.attributes["deployment.status"] == "failed"
    assert failed.root.attributes["error.type"] == "apply_failed"
    assert failed.named("verify").attributes["cicd.pipeline.task.run.result"] == "error"


def test_the_release_before_and_the_commit_are_left_out_where_there_is_none() -> None:
    story = succeeded(TracedStory())
    assert "vcs.ref.head.revision" not in story.root.attributes
    assert "slipway.target" not in story.root.attributes
    assert story.root.attributes["slipway.stable.version"] == OLD.version


def test_a_change_that_is_saved_before_a_rollout_was_created_by_another_clock_ends_with_it() -> None:
    story = succeeded(TracedStory())
    over = story.rollout
    early = replace(over, created_at=T0 + timedelta(days=1), ended_at=None)
    (root,) = [each for each in spans_of(RolloutChange(early, over, T0, (), ())) if each.kind == "server"]
    assert (root.start, root.end) == (T0, T0)


def test_an_order_that_is_the_outcome_of_another_phase_has_its_parent_there() -> None:
    story = TracedStory()
    story.to_soak().act(ONCALL, Action.ROLL_BACK)
    began = story.rollout.back_since
    story.later(60).apply_failed("no route")
    trace = story.spans[0].trace_id
    order = [span for span in story.spans if span.kind == "client"][-1]
    assert order.parent_id == span_id_of(trace, "back", "rolling_back", moment(began))
    assert (order.start, order.end) == (began, story.at)


def test_a_change_without_a_claim_or_without_a_before_ends_no_effect() -> None:
    story = TracedStory()
    desired = SetDesired(LANE, Desired(5, OLD), 60.0)
    claim = Claimed(5, "7.3.1.ab", 1, 0, 7, LANE, desired, T0, 0.0, T0)
    rollout = story.rollout
    assert spans_of(RolloutChange(rollout, None, T0, (), (), claim=claim)) == ()
    assert spans_of(RolloutChange(rollout, rollout, T0, (), ())) == ()
    (order,) = spans_of(RolloutChange(rollout, rollout, T0, (), (), claim=claim))
    assert (order.name, order.error) == ("set_desired", None)
    why = Transition(SYSTEM, T0, "late", "It takes long.", "verifying", "verifying")
    (order,) = spans_of(RolloutChange(rollout, rollout, T0, (), (why,), claim=claim))
    assert order.error == "It takes long."
    confirmed = replace(rollout, confirmed=5)
    (order,) = spans_of(RolloutChange(confirmed, rollout, T0, (), (why,), claim=claim))
    assert order.error is None
    (order,) = spans_of(RolloutChange(replace(rollout, confirmed=4), rollout, T0, (), (why,), claim=claim))
    assert order.error == "It takes long."


def test_a_way_back_without_a_known_beginning_or_release_is_a_span_all_the_same() -> None:
    story = TracedStory()
    story.to_halted()
    before = replace(story.rollout, back_since=None)
    at = story.at + timedelta(seconds=5)
    closed = replace(before, phase=Phase.CANCELLED)
    halt = next(span for span in spans_of(RolloutChange(closed, before, at, (), ())) if span.name == "halted")
    assert (halt.start, halt.end, halt.span_id) == (at, at, span_id_of(halt.trace_id, "back", "halted", ""))
    rolling = TracedStory()
    rolling.to_soak().act(ONCALL, Action.ROLL_BACK)
    bare = replace(rolling.rollout, stable=None)
    back = replace(bare, phase=Phase.ROLLED_BACK)
    (span,) = [each for each in spans_of(RolloutChange(back, bare, at, (), ())) if each.name == "roll back"]
    assert (dict(span.attributes), span.error) == ({"cicd.pipeline.run.id": "7"}, None)
    # While it is on its way, nothing ended.
    assert spans_of(RolloutChange(bare, bare, at, (), ())) == ()


def test_a_step_that_is_no_soak_has_a_verdict_only_where_it_turned_the_rollout_back() -> None:
    story = TracedStory()
    story.to_soak().soaked().act(ONCALL, Action.ROLL_BACK)
    assert story.rollout.verdict is not None
    assert (story.named("shift 100%").events, story.named("shift 100%").error) == ((), None)
    judged_back = TracedStory()
    judged_back.to_soak().soaked().tick(400, 300)
    (event,) = judged_back.named("shift 100%").events
    assert (event.attributes["slipway.verdict"], event.at) == ("FAIL", judged_back.at)
