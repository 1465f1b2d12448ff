"""Facts for reports and rows for exports, in memory."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta

from bot.domain.reports.records import Outage, PastAlert, PastRollout, RecordScope, ServedDays, midnight
from bot.domain.reports.tables import Table, Value
from bot.domain.rollout.events import CallPeople
from bot.domain.rollout.model import Lane, Phase
from bot.domain.watch.alerts.alert import Alert
from bot.domain.watch.alerts.findings import Severity
from bot.ports.store import NO_LANE
from tests.fakes.store.effects import call
from tests.fakes.store.tables import AlertRow, Part, Tables, statement

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)


class MemoryReports(Part):
    """Implements `bot.ports.reports.ReportStore`."""

    part = "reports"

    @statement
    def first_rollouts(self, t: Tables, now: datetime, lanes: Sequence[Lane]) -> Mapping[Lane, datetime]:
        found: dict[Lane, datetime] = {}
        for _, row in sorted(t.rollouts.items()):
            if row.rollout.lane in lanes:
                found.setdefault(row.rollout.lane, row.rollout.created_at)
        return found

    @statement
    def rollouts(
        self, t: Tables, now: datetime, lanes: Sequence[Lane], since: datetime, until: datetime, limit: int
    ) -> Sequence[PastRollout]:
        found = []
        for rollout in (row.rollout for row in t.rollouts.values()):
            if not rollout.phase.final or rollout.lane not in lanes or rollout.ended_at is None:
                continue
            lines = [a.line for a in t.audit if a.rollout_id == rollout.id]
            back = [line for line in lines if line.to_phase == Phase.ROLLING_BACK]
            shifts = [line.at for line in lines if line.to_phase == Phase.SHIFTING]
            turned = rollout.phase is Phase.ROLLED_BACK
            if since <= rollout.ended_at < until:
                found.append(
                    PastRollout(
                        id=rollout.id,
                        lane=rollout.lane,
                        phase=rollout.phase,
                        to_digest=rollout.candidate.digest,
                        from_digest=rollout.stable.digest if rollout.stable else "",
                        requested_at=rollout.created_at,
                        ended_at=rollout.ended_at,
                        had_traffic=rollout.had_traffic,
                        returns=rollout.known_good,
                        made_at=rollout.candidate.made_at,
                        shifted_at=min(shifts, default=None) if turned else None,
                        rolled_back=("automatic" if back[0].actor.via == "system" else "person")
                        if turned and back
                        else None,
                    )
                )
        return sorted(found, key=lambda each: (each.ended_at, each.id))[:limit]

    @statement
    def alerts(
        self, t: Tables, now: datetime, scope: RecordScope, since: datetime, until: datetime, limit: int
    ) -> Sequence[PastAlert]:
        return [_alert(t, row) for row in _alerts(t, scope, since, until)][:limit]

    @statement
    def incidents(
        self, t: Tables, now: datetime, scope: RecordScope, since: datetime, until: datetime
    ) -> Sequence[Outage]:
        return [
            Outage(each.lane, each.since, each.restored_at or each.closed_at)
            for each in (row.incident for _, row in sorted(t.incidents.items()))
            if since <= each.opened_at < until
            and each.severity in (Severity.CRITICAL, Severity.HIGH)
            and each.guild_id in scope.guilds
            and each.lane in scope.lanes
            and each.lane is not None
        ]

    @statement
    def served(
        self, t: Tables, now: datetime, lanes: Sequence[Lane], begins: Sequence[date], last: date
    ) -> Sequence[ServedDays]:
        found: dict[tuple[Lane, date], ServedDays] = {}
        for day, _ in t.served_days.values():
            if day.lane in lanes and begins[0] <= day.first <= last and day.seconds > 0:
                key = day.lane, max(each for each in begins if each <= day.first)
                so_far = found.get(key, ServedDays(*key, 0.0, 0, 0))
                found[key] = ServedDays(
                    *key,
                    so_far.seconds + day.seconds,
                    so_far.requests + day.requests,
                    so_far.bad + day.bad,
                )
        return list(found.values())

    @statement
    def count_days(self, t: Tables, now: datetime, at: datetime, limit: int) -> int:
        wanted: dict[tuple[Lane, date], None] = {}
        oldest = midnight(at) - timedelta(days=12)
        for lane, ticks in t.served.items():
            for day in {datetime.fromtimestamp(tick.at, UTC).date() for tick in ticks}:
                before = t.served_days.get((lane, day))
                over = datetime(day.year, day.month, day.day, tzinfo=UTC) + _DAY + timedelta(minutes=15)
                again = before is None or (before[1] < at - _HOUR and before[1] < over)
                if again and over - _DAY > oldest:
                    wanted[lane, day] = None
        for lane, day in list(wanted)[:limit]:
            counts = [
                (tick.seconds, tick.counts["errors"])
                for tick in t.served[lane]
                if datetime.fromtimestamp(tick.at, UTC).date() == day and "errors" in tick.counts
            ]
            found = ServedDays(
                lane,
                day,
                sum(seconds for seconds, _ in counts),
                sum(count.total for _, count in counts),
                sum(count.bad for _, count in counts),
            )
            t.served_days[lane, day] = (found, at)
        return min(len(wanted), limit)

    @statement
    def forget_days(self, t: Tables, now: datetime, before: date) -> bool:
        for key in [key for key in t.served_days if key[1] < before]:
            del t.served_days[key]
        return False

    @statement
    def posted(self, t: Tables, now: datetime, guild_id: int) -> datetime | None:
        return t.reports_posted.get(guild_id)

    @statement
    def post(
        self, t: Tables, now: datetime, guild_id: int, due_at: datetime, calls: Sequence[CallPeople]
    ) -> bool:
        last = t.reports_posted.get(guild_id)
        if last is not None and last >= due_at:
            return False
        t.reports_posted[guild_id] = due_at
        call(t, now, NO_LANE, calls)
        return True


class MemoryExports(Part):
    """Implements `bot.ports.reports.ExportStore`, for alerts alone."""

    part = "exports"

    async def rows(
        self, table: Table, scope: RecordScope, since: datetime, until: datetime
    ) -> AsyncGenerator[Sequence[Sequence[Value]], None]:
        if table is not Table.ALERTS:
            raise NotImplementedError("other tables are exported from PostgreSQL")
        for row in _alerts(self.database.tables, scope, since, until):
            alert = row.alert
            lane = alert.lane or NO_LANE
            first = alert.troubles[0].finding.title
            names = (lane.service, lane.environment, str(alert.severity), first, str(alert.state))
            yield [
                [alert.id, *names, alert.opened_at, None, "", alert.ended_at, alert.ended_by, alert.returns]
            ]


def _alerts(t: Tables, scope: RecordScope, since: datetime, until: datetime) -> Sequence[AlertRow]:
    found = [
        row for row in t.alerts.values() if since <= row.alert.opened_at < until and _sees(scope, row.alert)
    ]
    return sorted(found, key=lambda row: (row.alert.opened_at, row.alert.id))


def _sees(scope: RecordScope, alert: Alert) -> bool:
    if alert.lane is None:
        return scope.whole and bool(set(scope.guilds) & set(alert.guilds))
    return alert.lane in scope.lanes


def _alert(t: Tables, row: AlertRow) -> PastAlert:
    alert = row.alert
    taken = [
        entry.at
        for number, entry in t.entries
        if number == alert.id and entry.what in ("acknowledged", "rollback") and entry.by
    ]
    return PastAlert(
        id=alert.id,
        lane=alert.lane,
        severity=alert.severity,
        title=alert.troubles[0].finding.title,
        opened_at=alert.opened_at,
        acknowledged_at=min(taken, default=None),
        ended_at=alert.ended_at,
        returns=alert.returns,
    )
