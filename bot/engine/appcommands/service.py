"""Application commands service: diff, validate, apply, back up, restore. Every change is a rollout with its gates."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.domain import phrasebook
from bot.domain.appcommands.applications import STAGING, Application
from bot.domain.appcommands.records import Manifest, StoredBackup
from bot.domain.config import LaneConfig, unknown
from bot.domain.formatting import duration
from bot.domain.records import AuditEntry, LaneRow
from bot.domain.rollout.model import SYSTEM, Actor, Desired, Release, Rollout
from bot.engine.api import DeployRequest, RollbackRequest
from bot.engine.appcommands import api
from bot.engine.appcommands.backups import backup_of, line_of, manual_steps
from bot.engine.appcommands.comparison import Comparer, begun, changes, viewed
from bot.engine.appcommands.reports import Reports
from bot.engine.appcommands.sync_step import VERIFIED
from bot.engine.lanes import PATIENT_S, Lanes
from bot.engine.requests import preflight
from bot.engine.service import Engine
from bot.ports.appcommands import AppCommandStore, CommandsReader, ManifestSource
from bot.ports.store import Store

_MOST = 50


class AppCommandsService:
    """Slash commands for people and pipelines: diff, validate, apply, back up, restore.

    All methods raise `UserError` with a sentence (`InvalidManifest` with all mistakes), or `Unreachable`. They take
    as long as Discord and the manifest's source do (about five seconds each): defer before calling one.
    """

    def __init__(
        self,
        engine: Engine,
        store: Store,
        lanes: Lanes,
        *,
        manifests: ManifestSource,
        reader: CommandsReader,
        records: AppCommandStore,
    ) -> None:
        self._engine = engine
        self._store = store
        self._lanes = lanes
        self._reader = reader
        self._records = records
        self._comparer = Comparer(manifests, reader, records, lanes.now)
        self._reports = Reports(store, lanes, self._comparer, records)

    # ---- looking ----

    def applications(self, guild_id: int) -> Sequence[api.ApplicationView]:
        """Applications that this guild may see, in catalog order. Answers at once, for autocomplete."""
        return [self._reports.view(found) for found in self._visible(guild_id)]

    async def diff(self, guild_id: int, application: str, environment: str) -> api.Comparison:
        """Compare the manifest with what Discord has now. Mistakes are listed in it, not raised."""
        found, _ = self._lane(guild_id, application, environment)
        validation = await self._comparer.validated(found)
        if validation.manifest is None:
            nothing = api.ManifestView("", "", (), validation.where)
            return api.Comparison(found.name, environment, nothing, (), validation.mistakes)
        return await self._comparer.compare(found, environment, validation.manifest)

    async def validate(self, guild_id: int, application: str) -> api.Validation:
        return await self._comparer.validated(self._application(guild_id, application))

    async def status(self, guild_id: int, application: str | None = None) -> Sequence[api.ApplicationStatus]:
        found = [self._application(guild_id, application)] if application else self._visible(guild_id)
        return [await self._reports.status(each) for each in found]

    async def history(
        self, guild_id: int, application: str | None = None, *, before: int | None = None, limit: int = 10
    ) -> api.History:
        found = [self._application(guild_id, application)] if application else self._visible(guild_id)
        return await self._reports.history([each.name for each in found], before, _bounded(limit))

    async def detect(self, guild_id: int, application: str) -> api.Detection:
        found = self._application(guild_id, application)
        return await self._reports.detect(found, await self._wanted(found))

    # ---- applying ----

    async def apply(self, request: api.ApplyRequest) -> api.ApplyResult:
        application, config = self._lane(request.guild_id, request.application, request.environment)
        preflight.role(config.deploy_roles, request.actor, "apply commands").require()
        wanted = await self._wanted(application)
        comparison = await self._comparer.compare(application, request.environment, wanted)
        if not comparison.different:
            return await self._nothing(application, config, comparison, request.actor)
        if comparison.mistakes:
            raise phrasebook.no_more_commands_today(comparison.mistakes[0].sentence)
        await self._take_over(application, config, request.actor)
        rollout = await self._engine.deploy(
            DeployRequest(
                guild_id=request.guild_id,
                actor=request.actor,
                service=application.service,
                version=wanted.version,
                environment=request.environment,
                reason=request.reason,
                interaction=request.interaction,
                release=_release(application, comparison),
                emergency=request.emergency,
                verified_at=await self._verified_at(application, wanted.digest),
            )
        )
        assert isinstance(rollout, Rollout)
        return api.ApplyResult(comparison, rollout, begun(comparison, rollout))

    async def _nothing(
        self, application: Application, config: LaneConfig, comparison: api.Comparison, actor: Actor
    ) -> api.ApplyResult:
        """The result when nothing differs. In staging it confirms that the last success still stands."""
        wanted, environment = comparison.wanted, config.lane.environment
        sentence = f"Nothing is different: {environment} of {application.name} has {wanted.version} already."
        now = self._lanes.now()
        if environment == STAGING:
            note = {"at": now.isoformat(), "by": actor.name}
            await self._store.notes.put_note(VERIFIED, f"{application.name}:{wanted.digest}", note)
            age = self._production_age(application)
            sentence += f" Production may have it within {duration(age)}." if age else ""
        await self._store.lanes.record(AuditEntry(config.lane, actor, now, "commands_unchanged", sentence))
        return api.ApplyResult(comparison, None, sentence)

    async def _verified_at(self, application: Application, digest: str) -> datetime | None:
        note = await self._store.notes.note(VERIFIED, f"{application.name}:{digest}")
        return datetime.fromisoformat(str(note["at"])) if note else None

    async def _take_over(self, application: Application, config: LaneConfig, actor: Actor) -> None:
        """Make what Discord has now the lane's stable: where the rollout starts, and what a rollback returns to."""
        lane = config.lane
        accepted = await self._records.states.accepted(lane)
        if accepted is not None and accepted.withdrawn:
            await self._records.states.withdraw(lane, "")
        observed = await self._lanes.look(lane, within_s=PATIENT_S)
        situation = await self._lanes.situation(lane)
        serving = max(observed.running, key=lambda running: running.weight, default=None)
        if serving is None or situation.row is None or situation.active is not None:
            return
        stable = situation.row.desired.stable
        if stable is not None and stable.digest == serving.digest:
            return
        found = Release(application.service, serving.version, serving.digest)
        generation = max(situation.row.generation, observed.generation) + 1
        now = self._lanes.now()
        row = LaneRow(lane, generation, Desired(generation, found), None, now)
        was = stable.version if stable else "nothing"
        why = f"Discord has {found.version} instead of {was}: that is what the next change starts from."
        await self._records.history.took_over(
            row, situation.row, AuditEntry(lane, SYSTEM, now, "found_changed", why)
        )

    # ---- backups ----

    async def backups(
        self,
        guild_id: int,
        application: str,
        environment: str | None = None,
        *,
        before: int | None = None,
        limit: int = 10,
    ) -> Sequence[api.BackupLine]:
        found = self._application(guild_id, application)
        stored = await self._records.history.backups(found.name, environment, before, _bounded(limit))
        return [line_of(each) for each in stored]

    async def backup(self, guild_id: int, backup_id: int) -> api.Backup:
        return backup_of((await self._stored(guild_id, backup_id))[1])

    async def compare(self, guild_id: int, backup_id: int) -> api.Comparison:
        """The changes that a restore would make, from what Discord has now to the backup."""
        application, stored = await self._stored(guild_id, backup_id)
        wanted = viewed(Manifest.of(stored.backup.commands), f"backup {stored.id}")
        return await self._comparer.compare(application, stored.environment, wanted)

    async def restore(self, request: api.RestoreRequest) -> api.Restored:
        application, stored = await self._stored(request.guild_id, request.backup_id)
        _, config = self._lane(request.guild_id, application.name, stored.environment)
        roles = tuple(dict.fromkeys((*config.policy.rollback_roles, *config.deploy_roles)))
        preflight.role(roles, request.actor, "restore commands").require()
        manifest = Manifest.of(stored.backup.commands)
        await self._records.manifests.put(manifest, application.name, f"backup {stored.id}", found=True)
        wanted = viewed(manifest, f"backup {stored.id}")
        comparison = await self._comparer.compare(application, stored.environment, wanted)
        if not comparison.different:
            sentence = f"Nothing is different: {stored.environment} of {application.name} is as in backup {stored.id}."
            return api.Restored(comparison, None, (), sentence)
        served = [await self._reader.read(application, stored.scope)] if stored.backup.permissions else []
        there = {str(command.get("id")) for one in served for command in one.commands}
        await self._take_over(application, config, request.actor)
        rollout = await self._engine.roll_back(
            RollbackRequest(
                guild_id=request.guild_id,
                actor=request.actor,
                service=application.service,
                environment=stored.environment,
                version=wanted.version,
                reason=request.reason or f"restore of backup {stored.id}",
                interaction=request.interaction,
                release=_release(application, comparison),
            )
        )
        manual = manual_steps(stored, there)
        return api.Restored(comparison, rollout, manual, begun(comparison, rollout))

    # ---- lookup ----

    async def _wanted(self, application: Application) -> api.ManifestView:
        validation = await self._comparer.validated(application)
        if validation.manifest is None:
            raise api.InvalidManifest(application.name, validation.mistakes)
        return validation.manifest

    async def _stored(self, guild_id: int, backup_id: int) -> tuple[Application, StoredBackup]:
        stored = await self._records.history.backup(backup_id)
        visible = {application.name: application for application in self._visible(guild_id)}
        if stored is None or stored.application not in visible:
            raise phrasebook.no_backup(backup_id)
        return visible[stored.application], stored

    def _visible(self, guild_id: int) -> list[Application]:
        lanes = {config.lane for config in self._lanes.catalog.visible(guild_id)}
        found = self._lanes.catalog.applications.values()
        return [application for application in found if lanes & set(application.lanes)]

    def _application(self, guild_id: int, name: str) -> Application:
        visible = {application.name: application for application in self._visible(guild_id)}
        if name not in visible:
            raise unknown("application", name, visible)
        return visible[name]

    def _lane(self, guild_id: int, name: str, environment: str) -> tuple[Application, LaneConfig]:
        application = self._application(guild_id, name)
        return application, self._lanes.catalog.lane(guild_id, application.service, environment)

    def _production_age(self, application: Application) -> float:
        config = self._lanes.catalog.lanes[application.lanes[1]]
        return config.prerequisite.max_age_s if config.prerequisite else 0.0


def _release(application: Application, comparison: api.Comparison) -> Release:
    """The release that stands for a manifest; its `changes` are shown to approvers on the card."""
    wanted, shown = comparison.wanted, {"changes": changes(comparison)}
    return Release(application.service, wanted.version, wanted.digest, spec=shown)


def _bounded(limit: int) -> int:
    return max(1, min(limit, _MOST))
