"""Status, history and detection of slash commands: what people and pipelines read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.domain.appcommands.applications import PRODUCTION, STAGING, Application, Scope
from bot.domain.appcommands.records import ScopeReading, StoredChange, version_of
from bot.domain.rollout.model import Lane
from bot.engine.appcommands import api
from bot.engine.appcommands.comparison import Comparer
from bot.engine.appcommands.findings import FINDING, WHATS, finding_key
from bot.engine.lanes import Lanes
from bot.ports.appcommands import AppCommandStore
from bot.ports.store import Store

_TREND = 24
_RATE_OVER = timedelta(days=30)


class Reports:
    """Reads the database only; Discord is not asked."""

    def __init__(
        self,
        store: Store,
        lanes: Lanes,
        comparer: Comparer,
        records: AppCommandStore,
    ) -> None:
        self._store = store
        self._lanes = lanes
        self._comparer = comparer
        self._records = records

    def view(self, application: Application) -> api.ApplicationView:
        environments = {e: application.scopes(e) for e in (STAGING, PRODUCTION)}
        return api.ApplicationView(application.name, application.id, _where(application), environments)

    async def status(self, application: Application) -> api.ApplicationStatus:
        environments = [await self._environment(application, e) for e in (STAGING, PRODUCTION)]
        return api.ApplicationStatus(
            application.name, application.id, _where(application), tuple(environments)
        )

    async def _environment(self, application: Application, environment: str) -> api.EnvironmentStatus:
        lane = application.lane(environment)
        now = self._lanes.now()
        situation = await self._store.lanes.situation(lane, now)
        trend: list[api.ScopeStatus] = []
        newest: list[api.ScopeStatus] = []
        findings: list[api.WatchFinding] = []
        drifts, served, created = [], [], 0
        for scope in application.scopes(environment):
            found = [
                reading_of(r) for r in await self._records.readings.newest(application.id, scope, _TREND)
            ]
            newest += found[:1]
            trend += reversed(found)
            findings += await self._findings(lane, scope)
            created += await self._comparer.created_today(application, environment, scope)
            if found and found[0].digest:
                drifts.append(await self._comparer.drift(application, environment, scope, found[0].digest))
                served.append(await self._served(application, scope, found[0].digest))
        stable = situation.stable
        return api.EnvironmentStatus(
            environment=environment,
            desired_version=stable.version if stable else None,
            served_version=" + ".join(dict.fromkeys(served)) or None,
            drift="; ".join(drift for drift in drifts if drift),
            readings=tuple(newest),
            trend=tuple(trend),
            findings=tuple(findings),
            active=situation.active,
            lock=situation.lock,
            created_today=created,
        )

    async def _served(self, application: Application, scope: Scope, digest: str) -> str:
        if scope.is_global:
            return version_of(digest)
        same = await self._records.manifests.with_guild_digest(digest, application.name)
        return version_of(same[0] if same else digest)

    async def _findings(self, lane: Lane, scope: Scope) -> list[api.WatchFinding]:
        found = []
        for what in WHATS:
            note = await self._store.notes.note(FINDING, finding_key(lane, scope, what))
            if note is not None and note.get("on"):
                since = datetime.fromisoformat(str(note["since"]))
                found.append(api.WatchFinding(what, str(note["sentence"]), since))
        return found

    async def history(self, applications: Sequence[str], before: int | None, limit: int) -> api.History:
        lines = await self._records.history.changes(applications, before, limit)
        succeeded, finished = await self._records.history.rate(applications, self._lanes.now() - _RATE_OVER)
        return api.History(tuple(map(line_of, lines)), succeeded, finished)

    async def detect(self, application: Application, wanted: api.ManifestView) -> api.Detection:
        applied: dict[str, str | None] = {}
        pending: list[str] = []
        for environment in (STAGING, PRODUCTION):
            accepted = await self._records.states.accepted(application.lane(environment))
            digest = accepted.wanted if accepted else ""
            applied[environment] = version_of(digest) if digest else None
            if digest != wanted.digest:
                pending.append(environment)
        return api.Detection(application.name, wanted, applied, tuple(pending))


def _where(application: Application) -> str:
    """Where the manifest comes from, in one line without secrets."""
    return application.source.where if application.source else "nowhere"


def reading_of(stored: ScopeReading) -> api.ScopeStatus:
    return api.ScopeStatus(stored.scope, stored.at, stored.ms, stored.count, stored.digest, stored.error)


def line_of(stored: StoredChange) -> api.HistoryLine:
    change = stored.change
    return api.HistoryLine(
        id=stored.id,
        application=change.application,
        environment=change.environment,
        scope=change.scope,
        who=stored.who,
        reason=stored.reason,
        at=stored.began_at,
        from_version=version_of(change.from_digest),
        to_version=version_of(change.to_digest),
        result=stored.result,
        detail=stored.detail,
        creates=change.creates,
        calls=stored.calls,
        ms=stored.ms,
        rollout_id=stored.rollout_id,
    )
