"""A commands desk in memory that keeps the real rules: differences, limits and gates are the product's own."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from bot.domain.appcommands.applications import GLOBAL, STAGING, Application, Scope
from bot.domain.appcommands.diff import compare
from bot.domain.appcommands.normalization import digest
from bot.domain.appcommands.validation import validate
from bot.domain.config import LaneConfig, unknown
from bot.domain.errors import Refused
from bot.domain.rollout.model import Plan, Release, Rollout
from bot.domain.rollout.steps import Gate, Shift
from bot.engine.api import DeployRequest
from bot.engine.appcommands.api import (
    ApplicationStatus,
    ApplicationView,
    ApplyRequest,
    ApplyResult,
    Backup,
    BackupLine,
    Comparison,
    Detection,
    EnvironmentStatus,
    History,
    HistoryLine,
    InvalidManifest,
    ManifestView,
    ManualStep,
    Restored,
    RestoreRequest,
    ScopeDiff,
    ScopeStatus,
    Validation,
)
from bot.ports.errors import Unreachable
from tests.fakes.engine import FakeEngine

Json = dict[str, Any]


def command(name: str, **more: Any) -> Json:
    return {"name": name, "description": f"What {name} does", **more}


@dataclass
class FakeCommands:
    """`Commands` over a fake engine. `manifests` are what is wanted, `discord` what is there, by application and scope.

    An apply becomes a rollout of the engine and takes effect in `discord` at once. While `away`, everything that
    waits raises `Unreachable`; while `stuck_s`, it takes so long.
    """

    engine: FakeEngine
    known: dict[str, Application] = field(default_factory=dict)
    manifests: dict[str, Any] = field(default_factory=dict)
    discord: dict[tuple[str, Scope], list[Json]] = field(default_factory=dict)
    kept: dict[int, Backup] = field(default_factory=dict)
    lines: list[HistoryLine] = field(default_factory=list)
    requests: list[ApplyRequest | RestoreRequest] = field(default_factory=list)
    findings: dict[str, Any] = field(default_factory=dict)
    staged: dict[str, str] = field(default_factory=dict)  # application -> digest that succeeded in staging
    away: bool = False
    stuck_s: float = 0.0
    _answered: dict[str, ApplyResult | Restored] = field(default_factory=dict)

    # ---- for tests -----------------------------------------------------------------------------------------

    def add(self, application: Application, manifest: Any, guild_id: int) -> None:
        """An application with its lanes, as the catalog would have it."""
        self.known[application.name] = application
        self.manifests[application.name] = manifest
        sample = next(iter(self.engine.catalog.lanes.values()))
        lanes: dict[Any, LaneConfig] = dict(self.engine.catalog.lanes)
        for lane in application.lanes:
            gates = () if lane.environment == STAGING else (Gate("production", "release-manager"),)
            plan = Plan("commands", (*gates, Shift(100)))
            lanes[lane] = replace(sample, lane=lane, plan=plan, guilds=(guild_id,))
        self.engine.catalog = replace(self.engine.catalog, lanes=lanes)

    def there(self, name: str, scope: Scope) -> list[Json]:
        return self.discord.setdefault((name, scope), [])

    # ---- the protocol --------------------------------------------------------------------------------------

    def applications(self, guild_id: int) -> Sequence[ApplicationView]:
        return [
            ApplicationView(a.name, a.id, "file manifests/x.json", {e: a.scopes(e) for e in _environments(a)})
            for a in self.known.values()
            if any(guild_id in self.engine.catalog.lanes[lane].guilds for lane in a.lanes)
        ]

    async def diff(self, guild_id: int, application: str, environment: str) -> Comparison:
        await self._reached()
        known = self._application(guild_id, application)
        if environment not in _environments(known):
            raise unknown("environment", environment, _environments(known), where=f"of {application}")
        mistakes = tuple(validate(self.manifests[application]))
        wanted = self.manifests[application]
        return self._compared(known, environment, wanted if not mistakes else [], mistakes=mistakes)

    async def validate(self, guild_id: int, application: str) -> Validation:
        await self._reached()
        self._application(guild_id, application)
        wanted = self.manifests[application]
        manifest = _view(wanted) if isinstance(wanted, list) and not validate(wanted) else None
        return Validation(application, manifest, tuple(validate(wanted)), "manifests/x.json")

    async def apply(self, request: ApplyRequest) -> ApplyResult:
        await self._reached()
        if request.interaction in self._answered:
            return self._answered[request.interaction]  # type: ignore[return-value]
        self.requests.append(request)
        found = await self.diff(request.guild_id, request.application, request.environment)
        if found.mistakes:
            raise InvalidManifest(request.application, found.mistakes)
        if not found.different:
            return ApplyResult(found, None, "Nothing is different; nothing was called.")
        tried = self.staged.get(request.application) == found.wanted.digest
        if request.environment != STAGING and not tried and not request.emergency:
            raise Refused(
                "This manifest has not succeeded in staging.", rule="prerequisite", remedy="Apply it there."
            )
        done = ApplyResult(found, await self._begin(request, found), "2 created.")
        self._answered[request.interaction] = done
        return done

    async def backups(
        self,
        guild_id: int,
        application: str,
        environment: str | None = None,
        *,
        before: int | None = None,
        limit: int = 10,
    ) -> Sequence[BackupLine]:
        await self._reached()
        self._application(guild_id, application)
        found = [b.line for _, b in sorted(self.kept.items(), reverse=True)]
        fitting = [
            line
            for line in found
            if line.application == application
            and environment in (None, line.environment)
            and (before is None or line.id < before)
        ]
        return fitting[:limit]

    async def backup(self, guild_id: int, backup_id: int) -> Backup:
        await self._reached()
        if backup_id not in self.kept:
            raise Refused(f"There is no backup {backup_id}.", rule="unknown_backup")
        self._application(guild_id, self.kept[backup_id].line.application)
        return self.kept[backup_id]

    async def compare(self, guild_id: int, backup_id: int) -> Comparison:
        held = await self.backup(guild_id, backup_id)
        known = self.known[held.line.application]
        return self._compared(known, held.line.environment, list(held.commands), (held.line.scope,))

    async def restore(self, request: RestoreRequest) -> Restored:
        await self._reached()
        self.requests.append(request)
        held = await self.backup(request.guild_id, request.backup_id)
        found = await self.compare(request.guild_id, request.backup_id)
        if not found.different:
            return Restored(found, None, held.manual, "Discord has just that.")
        order = ApplyRequest(
            request.guild_id,
            request.actor,
            held.line.application,
            held.line.environment,
            request.reason,
            request.interaction,
        )
        return Restored(found, await self._begin(order, found), held.manual, "2 created.")

    async def status(self, guild_id: int, application: str | None = None) -> Sequence[ApplicationStatus]:
        await self._reached()
        names = [application] if application else [view.name for view in self.applications(guild_id)]
        return [self._status(self._application(guild_id, name)) for name in names]

    async def history(
        self,
        guild_id: int,
        application: str | None = None,
        *,
        before: int | None = None,
        limit: int = 10,
    ) -> History:
        await self._reached()
        if application:
            self._application(guild_id, application)
        fitting = [
            line
            for line in sorted(self.lines, key=lambda line: -line.id)
            if application in (None, line.application) and (before is None or line.id < before)
        ]
        ended = [line for line in self.lines if line.result != "started"]
        good = sum(line.result == "verified" for line in ended)
        return History(tuple(fitting[:limit]), good, len(ended))

    async def detect(self, guild_id: int, application: str) -> Detection:
        await self._reached()
        known = self._application(guild_id, application)
        wanted = _view(self.manifests[application])
        applied = {e: self.staged.get(application) if e == STAGING else None for e in _environments(known)}
        pending = tuple(e for e, version in applied.items() if version != wanted.digest)
        return Detection(application, wanted, applied, pending)

    # ---- parts ---------------------------------------------------------------------------------------------

    async def _reached(self) -> None:
        if self.away:
            raise Unreachable("Discord is away")
        if self.stuck_s:
            await asyncio.sleep(self.stuck_s)

    def _application(self, guild_id: int, name: str) -> Application:
        seen = [view.name for view in self.applications(guild_id)]
        if name not in seen:
            raise unknown("application", name, seen)
        return self.known[name]

    def _compared(
        self,
        application: Application,
        environment: str,
        wanted: Sequence[Mapping[str, Any]],
        scopes: Sequence[Scope] = (),
        mistakes: Any = (),
    ) -> Comparison:
        found = []
        for scope in scopes or application.scopes(environment):
            present, guild = self.there(application.name, scope), not scope.is_global
            diff = compare(present, wanted, guild=guild)
            found.append(ScopeDiff(scope, digest(present, guild=guild), len(present), diff))
        return Comparison(application.name, environment, _view(wanted), tuple(found), tuple(mistakes))

    async def _begin(self, request: ApplyRequest, found: Comparison) -> Rollout:
        known = self.known[request.application]
        release = Release(known.service, found.wanted.version, found.wanted.digest)
        self.engine._releases.append(release)
        order = DeployRequest(
            request.guild_id,
            request.actor,
            known.service,
            release.version,
            request.environment,
            request.reason,
            request.interaction,
        )
        rollout = await self.engine.deploy(order)
        assert isinstance(rollout, Rollout)
        for scope in found.scopes:
            self._change(known, request, scope, found, rollout)
        if request.environment == STAGING:
            self.staged[known.name] = found.wanted.digest
        return rollout

    def _change(
        self,
        known: Application,
        request: ApplyRequest,
        scope: ScopeDiff,
        found: Comparison,
        rollout: Rollout,
    ) -> None:
        number, at = len(self.kept) + 1, self.engine.clock.now()
        present = list(self.there(known.name, scope.scope))
        version = _view(present).version
        line = BackupLine(
            number,
            known.name,
            request.environment,
            scope.scope,
            at,
            scope.present_digest,
            version,
            len(present),
            f"rollout {rollout.id}",
            request.actor.name,
            rollout.id,
            1,
        )
        step = ManualStep(scope.scope, "greet", "was allowed to the role deployer alone")
        self.kept[number] = Backup(line, present, {}, (step,))
        self.discord[known.name, scope.scope] = [
            {**c, "id": str(900 + n)} for n, c in enumerate(found.wanted.commands)
        ]
        self.lines.append(
            HistoryLine(
                number,
                known.name,
                request.environment,
                scope.scope,
                request.actor.name,
                request.reason,
                at,
                version,
                found.wanted.version,
                "verified",
                "",
                scope.diff.creates,
                1,
                120.0,
                rollout.id,
            )
        )

    def _status(self, known: Application) -> ApplicationStatus:
        found = []
        for environment in _environments(known):
            at = self.engine.clock.now()
            readings = tuple(
                ScopeStatus(scope, at, 42.0, len(self.there(known.name, scope)), "d")
                for scope in known.scopes(environment)
            )
            past = tuple(
                replace(r, at=at - timedelta(minutes=5 * n), ms=40.0 + n) for r in readings for n in (2, 1)
            )
            lane = known.lane(environment)
            active = [r for r in self.engine.rollouts.values() if r.lane == lane and not r.phase.final]
            found.append(
                EnvironmentStatus(
                    environment,
                    self.staged.get(known.name, "")[:12] or None,
                    self.staged.get(known.name, "")[:12] or None,
                    "",
                    readings,
                    (*past, *readings),
                    tuple(self.findings.get(environment, ())),
                    active[0] if active else None,
                    self.engine.locks.get(lane),
                    3,
                )
            )
        return ApplicationStatus(known.name, known.id, "file manifests/x.json", tuple(found))


def _environments(application: Application) -> list[str]:
    return [lane.environment for lane in application.lanes if application.scopes(lane.environment)]


def _view(commands: Sequence[Mapping[str, Any]]) -> ManifestView:
    whole = digest(commands)
    return ManifestView(whole, whole[:12], tuple(commands), "manifests/x.json")


__all__ = ["GLOBAL", "FakeCommands", "command"]
