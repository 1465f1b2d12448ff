"""What was, and the small records, in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.judge.history.replay import JudgedTick
from bot.domain.records import RolloutSummary, SeriesPoint
from bot.domain.rollout.events import Transition
from bot.domain.rollout.model import Lane, Phase, Rollout
from bot.ports.store import CardRef
from tests.fakes.store.alerts import thin
from tests.fakes.store.tables import Part, Tables, statement


class MemoryHistory(Part):
    """Implements `bot.ports.store.HistoryStore`."""

    part = "history"

    @statement
    def history(
        self, t: Tables, now: datetime, lanes: Sequence[Lane], before: int | None, limit: int
    ) -> Sequence[RolloutSummary]:
        ids = [i for i, r in t.rollouts.items() if r.rollout.lane in lanes and (before is None or i < before)]
        return [_summary(t.rollouts[i].rollout) for i in sorted(ids, reverse=True)[:limit]]

    @statement
    def last_successes(
        self, t: Tables, now: datetime, lanes: Sequence[Lane]
    ) -> Mapping[Lane, RolloutSummary]:
        ordered = [t.rollouts[i].rollout for i in sorted(t.rollouts)]
        return {r.lane: _summary(r) for r in ordered if r.lane in lanes and r.phase is Phase.SUCCEEDED}

    @statement
    def transitions(self, t: Tables, now: datetime, rollout_id: int) -> Sequence[Transition]:
        return [row.line for row in t.audit if row.rollout_id == rollout_id][-500:]

    @statement
    def happened(
        self, t: Tables, now: datetime, lane: Lane, since: datetime, until: datetime, limit: int
    ) -> Sequence[Transition]:
        return [row.line for row in t.audit if row.lane == lane and since <= row.line.at <= until][-limit:]

    @statement
    def series(self, t: Tables, now: datetime, rollout_id: int, limit: int) -> Sequence[SeriesPoint]:
        points = sorted((p for i, p in t.samples if i == rollout_id), key=lambda p: p.at)[-limit:]
        return [replace(point, judged=None) for point in points]

    @statement
    def judged(self, t: Tables, now: datetime, rollout_id: int, limit: int) -> Sequence[JudgedTick]:
        points = sorted((p for i, p in t.samples if i == rollout_id), key=lambda p: p.at)
        return [p.judged for p in points if p.judged is not None][-limit:]

    @statement
    def succeeded_at(self, t: Tables, now: datetime, lane: Lane, digest: str) -> datetime | None:
        ends = [
            rollout.ended_at
            for rollout in (row.rollout for row in t.rollouts.values())
            if rollout.lane == lane
            and rollout.phase is Phase.SUCCEEDED
            and rollout.candidate.identity == digest
            if rollout.ended_at is not None
            and not _bad_since(t, lane, rollout.candidate.digest, rollout.ended_at)
        ]
        return max(ends, default=None)


def _bad_since(t: Tables, lane: Lane, digest: str, at: datetime) -> bool:
    known = t.releases.get((lane, digest))
    return known is not None and known.rolled_back_at is not None and known.rolled_back_at > at


class MemoryNotes(Part):
    """Implements `bot.ports.store.CardStore` and `bot.ports.store.NoteStore`."""

    part = "notes"

    @statement
    def card(self, t: Tables, now: datetime, rollout_id: int) -> CardRef | None:
        return t.cards.get(rollout_id)

    @statement
    def put_card(self, t: Tables, now: datetime, ref: CardRef) -> None:
        t.cards[ref.rollout_id] = ref

    @statement
    def redrawn(self, t: Tables, now: datetime, rollout_id: int, drawn: str) -> None:
        if rollout_id in t.cards:
            t.cards[rollout_id] = replace(t.cards[rollout_id], drawn=drawn)

    @statement
    def note(self, t: Tables, now: datetime, kind: str, key: str) -> Mapping[str, object] | None:
        return t.notes.get((kind, key))

    @statement
    def put_note(self, t: Tables, now: datetime, kind: str, key: str, value: Mapping[str, object]) -> None:
        t.notes[kind, key] = dict(value)


class MemoryHousekeeping(Part):
    """Implements `bot.ports.store.Housekeeping`."""

    part = "housekeeping"

    @statement
    def lead(self, t: Tables, now: datetime, name: str, owner: str, ttl_s: float) -> bool:
        held = t.leases.get(name)
        if held is not None and held[0] != owner and held[1] >= now:
            return False
        t.leases[name] = (owner, now + timedelta(seconds=ttl_s))
        return True

    @statement
    def resign(self, t: Tables, now: datetime, name: str, owner: str) -> None:
        if name in t.leases and t.leases[name][0] == owner:
            del t.leases[name]

    @statement
    def tidy(
        self,
        t: Tables,
        now: datetime,
        samples_before: datetime,
        effects_before: datetime,
        records_before: datetime,
    ) -> bool:
        t.samples = [(i, point) for i, point in t.samples if point.at >= samples_before]
        for e in list(t.effects.values()):
            if not e.open and e.done_at is not None and e.done_at < effects_before:
                t.drop_effect(e.id)
        for key in [key for key, (_, at) in t.interactions.items() if at < effects_before]:
            del t.interactions[key]
        _tidy_records(t, records_before)
        thin(t)
        return False

    @statement
    def queue(self, t: Tables, now: datetime) -> tuple[int, float]:
        due = [e.due_at for e in t.open.values() if e.due_at <= now]
        return len(due), (now - min(due)).total_seconds() if due else 0.0

    @statement
    def phases(self, t: Tables, now: datetime) -> Mapping[str, int]:
        return Counter(str(t.rollouts[i].rollout.phase) for i in t.active.values())

    @statement
    def ping(self, t: Tables, now: datetime) -> None:
        return None


def _tidy_records(t: Tables, before: datetime) -> None:
    for number, incident in [(n, row.incident) for n, row in t.incidents.items()]:
        if incident.closed_at is not None and incident.closed_at < before:
            del t.incidents[number]
    kept = {n for row in t.incidents.values() if not row.incident.over for n in row.incident.alerts}
    for number, alert in [(n, row.alert) for n, row in t.alerts.items()]:
        if alert.over and alert.ended_at is not None and alert.ended_at < before and number not in kept:
            del t.alerts[number]
    t.entries = [(of, entry) for of, entry in t.entries if of in t.alerts]
    t.alert_cards = {key: card for key, card in t.alert_cards.items() if key[0] in t.alerts}
    t.incident_entries = [(of, entry) for of, entry in t.incident_entries if of in t.incidents]
    for number, row in list(t.silences.items()):
        if row.settled and row.silence.over_at is not None and row.silence.over_at < before:
            del t.silences[number]
    t.overrides = [each for each in t.overrides if each.until >= before]
    for key in [key for key, page in t.pages.items() if page.due_at < before]:
        del t.pages[key]


def _summary(rollout: Rollout) -> RolloutSummary:
    return RolloutSummary(
        id=rollout.id,
        lane=rollout.lane,
        from_version=rollout.stable.version if rollout.stable else None,
        to_version=rollout.candidate.version,
        phase=rollout.phase,
        requester=rollout.requester.name,
        reason=rollout.reason,
        outcome=rollout.outcome,
        created_at=rollout.created_at,
        ended_at=rollout.ended_at,
        returns=rollout.known_good,
    )
