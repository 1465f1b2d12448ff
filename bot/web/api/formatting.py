"""Domain objects as answers of the API."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime

from bot.domain import phrasebook
from bot.domain.formatting import with_times
from bot.domain.judge.history.backtest import Backtest
from bot.domain.judge.why import Block, Line
from bot.domain.records import Lock, RolloutSummary
from bot.domain.rollout import plans
from bot.domain.rollout.changes import Changes
from bot.domain.rollout.events import Transition
from bot.domain.rollout.machine import approvals, machine, verdicts
from bot.domain.rollout.model import Approval, Observed, Phase, Rollout
from bot.domain.rollout.steps import Gate
from bot.domain.rollout.wording import wording_for
from bot.domain.traces.ids import trace_id_of
from bot.domain.watch.alerts.silences import Silence
from bot.domain.watch.oncall.schedule import OnCallShift, Person
from bot.engine.api import DryRun, LaneStatus, OpenedVerdict
from bot.engine.watch.oncall.overrides import Overridden
from bot.engine.watch.oncall.service import OnCallStatus
from bot.web.api import models

_MOST_BLOCKS = 1000


def plain(text: str) -> str:
    """A sentence without marks of bold text, and with its times in ISO 8601."""
    return with_times(text.replace("**", ""), lambda at: f"{at:%Y-%m-%dT%H:%M:%SZ}")


def rollout(found: Rollout, now: datetime) -> models.RolloutInfo:
    return models.RolloutInfo(
        id=found.id,
        service=found.lane.service,
        environment=found.lane.environment,
        from_version=found.stable.version if found.stable else None,
        to_version=found.candidate.version,
        phase=found.phase,
        final=found.phase.final,
        means=wording_for(found.policy.words).means[found.phase],
        outcome=plain(found.outcome),
        step=found.step,
        steps=list(plans.describe_plan(found.plan, found.policy.words)),
        weight=found.weight,
        observed_weight=found.observed_weight,
        verdict=str(found.verdict.outcome) if found.verdict else None,
        warnings=verdicts.warned(found),
        requester=found.requester.name,
        reason=found.reason,
        seal=found.seal,
        trace_id=trace_id_of(found.identity),
        preconditions=[
            models.FindingInfo(what=p.what, ok=p.met, sentence=plain(p.sentence)) for p in found.preconditions
        ],
        irreversible=found.candidate.irreversible,
        changes=_changes(found.changes),
        gate=_gate(found, now),
        approvals=[models.ApprovalInfo(by=a.actor_name, at=a.at) for a in _approvals(found)],
        hold=_hold(found),
        pause=_pause(found),
        actions=list(machine.allowed_actions(found, now)),
        created_at=found.created_at,
        ended_at=found.ended_at,
        mark=mark(found),
    )


def mark(found: Rollout) -> str:
    """Changes with what people would notice, and not with every measurement."""
    seen = (
        *(found.created_at, found.phase, found.step, found.step_done, found.outcome, found.weight),
        *(found.observed_weight, found.approvals, found.pause, found.hold and found.hold.why),
        *((found.changes,) if found.changes else ()),
    )
    return hashlib.sha256(repr(seen).encode(errors="replace")).hexdigest()[:16]


def _changes(found: Changes | None) -> models.ChangesInfo | None:
    if found is None:
        return None
    return models.ChangesInfo(
        before=found.before,
        after=found.after,
        reading=found.reading,
        added=found.added,
        removed=found.removed,
        authors=list(found.authors),
        others=found.others,
        link=found.link,
        problem=found.problem,
        sentence=found.sentence,
    )


def _approvals(found: Rollout) -> list[Approval]:
    passed = [approval for grant in found.grants for approval in grant.approvals]
    return [*passed, *(a for a in found.approvals if a not in passed)]


def _gate(found: Rollout, now: datetime) -> models.GateInfo | None:
    gate = found.current
    if found.phase is not Phase.GATED or not isinstance(gate, Gate):
        return None
    return models.GateInfo(role=gate.role, quorum=gate.quorum, expires_at=approvals.expiry(found, now))


def _hold(found: Rollout) -> models.HoldInfo | None:
    hold = found.hold
    if hold is None:
        return None
    return models.HoldInfo(why=plain(hold.why), deadline=hold.deadline, outcome=hold.outcome)


def _pause(found: Rollout) -> models.PauseInfo | None:
    pause = found.pause
    return models.PauseInfo(by=pause.by, reason=pause.reason, since=pause.since) if pause else None


def summary(found: RolloutSummary) -> models.SummaryInfo:
    return models.SummaryInfo(
        id=found.id,
        service=found.lane.service,
        environment=found.lane.environment,
        from_version=found.from_version,
        to_version=found.to_version,
        phase=found.phase,
        requester=found.requester,
        reason=found.reason,
        outcome=plain(found.outcome),
        created_at=found.created_at,
        ended_at=found.ended_at,
    )


def log(lines: Sequence[Transition]) -> models.LogInfo:
    return models.LogInfo(
        lines=[
            models.LogLineInfo(
                at=line.at,
                who=line.actor.name,
                via=line.actor.via,
                what=line.what,
                why=plain(line.why),
                from_phase=line.from_phase,
                to_phase=line.to_phase,
            )
            for line in lines
        ]
    )


def why(found: OpenedVerdict) -> models.WhyInfo:
    about, rollout = found.why, found.rollout
    return models.WhyInfo(
        id=rollout.id,
        service=rollout.lane.service,
        environment=rollout.lane.environment,
        to_version=rollout.candidate.version,
        phase=rollout.phase,
        verdict=str(about.outcome) if about.outcome is not None else None,
        hold=about.hold,
        at=_time(about.at) if about.at is not None else None,
        sentence=plain(about.sentence),
        figures=[plain(each) for each in about.figures],
        changes=[plain(each) for each in about.changes],
        note=about.note,
        blocks=[_block(each) for each in about.blocks[-_MOST_BLOCKS:]],
        evidence=[_evidence(each) for each in about.lines],
    )


def _block(block: Block) -> models.BlockInfo:
    return models.BlockInfo(
        since=_time(block.since),
        until=_time(block.until),
        requests=block.total,
        bad=block.bad,
        stable_requests=block.stable_total,
        stable_bad=block.stable_bad,
        odds=block.odds,
        left_out=block.left_out,
    )


def _evidence(line: Line) -> models.EvidenceInfo:
    points = [models.OddsInfo(at=_time(at), odds=odds) for at, odds in line.points[-_MOST_BLOCKS:]]
    return models.EvidenceInfo(test=line.label, needed=line.needed, points=points)


def _time(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)


def lane(found: LaneStatus, now: datetime) -> models.LaneInfo:
    return models.LaneInfo(
        service=found.lane.service,
        environment=found.lane.environment,
        desired_version=found.desired_version,
        known_good=found.known_good,
        running=_running(found.observed),
        problem=plain(found.problem),
        drift=plain(found.drift),
        lock=lock(found.lock) if found.lock else None,
        active=rollout(found.active, now) if found.active else None,
    )


def _running(observed: Observed | None) -> list[models.RunningInfo] | None:
    if observed is None:
        return None
    return [
        models.RunningInfo(
            version=r.version, digest=r.digest, weight=r.weight, state=str(r.state), detail=r.detail
        )
        for r in observed.running
    ]


def lock(held: Lock) -> models.LockInfo:
    return models.LockInfo(
        owner=held.owner,
        reason=plain(held.reason),
        since=held.since,
        expires=held.expires,
        quarantine=bool(held.digest),
    )


def dry_run(found: DryRun) -> models.DryRunInfo:
    return models.DryRunInfo(
        would_start=all(finding.ok for finding in found.findings),
        from_version=found.stable.version if found.stable else None,
        to_version=found.candidate.version,
        steps=list(found.steps),
        findings=[
            models.FindingInfo(what=f.what, ok=f.ok, sentence=plain(f.sentence)) for f in found.findings
        ],
        changes=_changes(found.changes),
        backtest=_backtest(found.backtest) if found.backtest else None,
        not_replayed=phrasebook.not_replayed(str(found.lane), found.not_replayed)
        if found.not_replayed
        else None,
        short_soaks=plain(found.short_soaks.sentence(found.lane)) if found.short_soaks else None,
    )


def _backtest(found: Backtest) -> models.BacktestInfo:
    return models.BacktestInfo(
        replays=found.replays,
        false_alarms=found.alarms,
        share=found.share,
        history_s=found.history_s,
        plan_s=found.plan_s,
        faults=[models.FaultInfo(rate=fault.rate, found_s=fault.found_s) for fault in found.faults],
        rules=[models.RuleAlarmsInfo(rule=each.rule, false_alarms=each.alarms) for each in found.rules],
        left_out=list(found.left_out),
        sentence=found.sentence(),
    )


def silence(found: Silence, now: datetime) -> models.SilenceInfo:
    return models.SilenceInfo(
        id=found.id,
        about=found.about,
        service=found.service,
        environment=found.environment,
        labels=dict(found.labels),
        since=found.since,
        until=found.until,
        active=found.active(now),
        reason=found.reason,
        by=found.by,
    )


def on_call(found: OnCallStatus) -> models.OnCallInfo:
    people = found.responders
    return models.OnCallInfo(
        schedule=found.schedule.name,
        time_zone=found.schedule.time_zone,
        now=_shift(found.now, found.gone),
        second=_person(people.second, found.gone) if people.second else None,
        lead=_person(people.lead, found.gone) if people.lead else None,
        lead_role=people.lead_role or None,
        shifts=[_shift(each, found.gone) for each in found.shifts],
        lanes=[str(lane) for lane in found.lanes],
        problem=plain(found.problem),
    )


def override(done: Overridden) -> models.OverrideInfo:
    given = done.override
    return models.OverrideInfo(
        id=given.id,
        schedule=given.schedule,
        person=_person(given.person),
        since=given.since,
        until=given.until,
        reason=given.reason,
        instead=[_shift(each) for each in done.instead],
    )


def _shift(shift: OnCallShift, gone: frozenset[int] = frozenset()) -> models.ShiftInfo:
    given = shift.override
    return models.ShiftInfo(
        person=_person(shift.person, gone) if shift.person else None,
        since=shift.since,
        until=shift.until,
        why=plain(shift.why),
        override_by=given.by if given else None,
        override_reason=given.reason if given else None,
    )


def _person(person: Person, gone: frozenset[int] = frozenset()) -> models.PersonInfo:
    return models.PersonInfo(id=str(person.id), name=person.name, here=person.id not in gone)
