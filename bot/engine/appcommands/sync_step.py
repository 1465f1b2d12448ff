"""Slash commands as a step of another service's rollout: deployed and rolled back with the release."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from bot.domain.appcommands.applications import PRODUCTION, STAGING, Application
from bot.domain.appcommands.normalization import key_of
from bot.domain.appcommands.records import EMPTY, Manifest
from bot.domain.appcommands.validation import validate
from bot.domain.errors import UserError
from bot.domain.formatting import counted, duration
from bot.domain.records import AuditEntry, LaneRow, Situation
from bot.domain.rollout import plans
from bot.domain.rollout.machine import approvals
from bot.domain.rollout.model import SYSTEM, Desired, Lane, Release, Rollout
from bot.domain.rollout.steps import Gate, RestoreCommands, RunSync
from bot.engine.lanes import PATIENT_S, Lanes
from bot.engine.requests import preflight
from bot.ports.appcommands import AppCommandStore, ManifestSource
from bot.ports.errors import ManifestUnavailable, StaleGeneration, TargetRefused
from bot.ports.retention import NoteKind
from bot.ports.store import Store

_NOTE: NoteKind = "commands_sync"
_OVER: NoteKind = "commands_sync_over"
VERIFIED: NoteKind = "commands_verified"
_SHOWN = 5
_TRIES = 5


class SyncStep:
    """Implements `bot.ports.appcommands.AppCommandsSync`. Records what was there before it changes anything."""

    def __init__(
        self,
        store: Store,
        lanes: Lanes,
        *,
        manifests: ManifestSource,
        records: AppCommandStore,
    ) -> None:
        self._store = store
        self._lanes = lanes
        self._manifests = manifests
        self._records = records

    async def sync(self, rollout_id: int, effect: RunSync) -> list[str]:
        application = self._lanes.catalog.applications.get(effect.application)
        if application is None:
            return [f"the catalog has no application {effect.application}"]
        try:
            source = await self._manifests.of_release(application, effect.release)
        except ManifestUnavailable as error:
            return [str(error)]
        mistakes = await asyncio.to_thread(validate, source.content)
        if mistakes:
            return [f"{len(mistakes)} mistakes", *(str(mistake) for mistake in mistakes[:_SHOWN])]
        manifest = Manifest.of(source.content)
        await self._records.manifests.put(manifest, application.name, source.where, source.commit)
        try:
            return await self._sync(rollout_id, effect, application, manifest)
        except (TargetRefused, StaleGeneration, UserError) as error:
            return [str(error)]

    async def _sync(
        self, rollout_id: int, effect: RunSync, application: Application, manifest: Manifest
    ) -> list[str]:
        loaded = await self._store.rollouts.load(rollout_id)
        if loaded is None:
            return [f"there is no rollout #{rollout_id}"]
        rollout = loaded.rollout
        lane = application.lane(PRODUCTION if self._gated(rollout) else STAGING)
        # Read before the check for a rollback: an order of a rollback in between raises the lane's generation, and this
        # sync is then refused.
        situation = await self._lanes.situation(lane)
        if situation.active is not None:
            return [f"rollout #{situation.active.id} is active in {lane}"]
        if refused := await self._refused(rollout, application, situation, manifest):
            return refused
        former = await self._former(rollout_id, application, lane)
        if former is None:
            return ["the rollout is on its way back"]
        wanted = manifest
        if effect.mode == "additions":
            wanted = additions(former, manifest)
            await self._records.manifests.put(wanted, application.name, f"additions of {manifest.version}")
        why = f"Rollout #{rollout_id} of {effect.lane} brings {wanted.version}."
        await self._serve(lane, situation, wanted, why)
        return []

    def _gated(self, rollout: Rollout) -> bool:
        """Whether production's commands go with this rollout: those of an environment where people decide."""
        if rollout.binding is not None:
            return rollout.gated
        config = self._lanes.catalog.lanes.get(rollout.lane)
        return plans.gated(config.plan if config else rollout.plan)

    async def _refused(
        self, rollout: Rollout, application: Application, situation: Situation, manifest: Manifest
    ) -> list[str]:
        """What the application itself has against it: its lock, its gate, its prerequisite. A way back has none."""
        if rollout.known_good:
            return []
        if situation.lock is not None:
            return [preflight.lock(situation.lock).sentence]
        row = situation.row
        config = self._lanes.catalog.lanes.get(row.lane) if row else None
        serving = situation.stable
        if row is None or config is None or (serving is not None and serving.digest == manifest.digest):
            return []
        missing = [
            f"the commands of {application.name} need {counted(gate.quorum, 'approval')} from {gate.role}, "
            "which this rollout does not have"
            for gate in config.plan.steps
            if isinstance(gate, Gate) and not approvals.covers(rollout, gate)
        ]
        if missing or config.prerequisite is None:
            return missing
        first = application.lane(config.prerequisite.environment)
        since = rollout.created_at - timedelta(seconds=config.prerequisite.max_age_s)
        succeeded = await self._succeeded_at(application, first, manifest)
        if succeeded is not None and succeeded >= since:
            return []
        age = duration(config.prerequisite.max_age_s)
        return [f"{manifest.version} has not succeeded in {first} within {age} before this rollout"]

    async def _succeeded_at(
        self, application: Application, lane: Lane, manifest: Manifest
    ) -> datetime | None:
        """When the manifest was last known to work in a lane: by its own rollout, a look, or a step of a rollout."""
        note = await self._store.notes.note(VERIFIED, f"{application.name}:{manifest.digest}")
        row = (await self._store.lanes.situation(lane, self._lanes.now())).row
        stable = row.desired.stable if row else None
        found = [
            await self._store.history.succeeded_at(lane, manifest.digest),
            datetime.fromisoformat(str(note["at"])) if note else None,
            row.adopted_at if row and stable and stable.digest == manifest.digest else None,
        ]
        return max((at for at in found if at is not None), default=None)

    async def restore(self, rollout_id: int, effect: RestoreCommands) -> None:
        application = self._lanes.catalog.applications.get(effect.application)
        key = f"{rollout_id}/{effect.application}"
        # Said before it is asked what a sync noted, which notes that before it asks this: one of the two finds out.
        await self._store.notes.put_note(_OVER, key, {})
        note = await self._store.notes.note(_NOTE, key)
        former = str((note or {}).get("former", ""))
        # Rollouts of earlier versions went by the environment's name.
        usual = STAGING if effect.lane.environment == STAGING else PRODUCTION
        environment = str((note or {}).get("environment", usual))
        if application is None or not former:
            return
        lane = application.lane(environment)
        manifest = EMPTY if former == EMPTY.digest else await self._records.manifests.get(former)
        if manifest is None:
            raise TargetRefused(f"the manifest {former[:12]} is not in the database")
        await self._bring_back(lane, manifest, f"Rollout #{rollout_id} of {effect.lane} was rolled back.")

    async def _former(self, rollout_id: int, application: Application, lane: Lane) -> Manifest | None:
        """What Discord had before this rollout changed it; None when it is being rolled back already."""
        key = f"{rollout_id}/{application.name}"
        note = await self._store.notes.note(_NOTE, key)
        if note is not None:
            digest = str(note["former"])
        else:
            observed = await self._lanes.look(lane, within_s=PATIENT_S)
            digest = (
                max(observed.running, key=lambda r: r.weight).digest if observed.running else EMPTY.digest
            )
            kept = {"former": digest, "environment": lane.environment}
            await self._store.notes.put_note(_NOTE, key, kept)
        if await self._store.notes.note(_OVER, key) is not None:
            return None
        return EMPTY if digest == EMPTY.digest else await self._records.manifests.get(digest)

    async def _bring_back(self, lane: Lane, manifest: Manifest, why: str) -> None:
        """Roll back, under a generation above that of the lane and of the target."""
        for _ in range(_TRIES):
            situation = await self._lanes.situation(lane)
            if situation.active is not None:
                raise TargetRefused(f"rollout #{situation.active.id} is active in {lane}")
            try:
                # A generation of its own even where nothing changes: a sync that is still under way is then too late.
                await self._serve(lane, situation, manifest, why, again=True)
                return
            except StaleGeneration:
                await self._store.lanes.newest(
                    lane, (await self._lanes.look(lane, within_s=PATIENT_S)).generation
                )
        raise TargetRefused(f"{lane} keeps changing; its commands could not be restored")

    async def _serve(
        self, lane: Lane, situation: Situation, manifest: Manifest, why: str, *, again: bool = False
    ) -> None:
        """Make the manifest the lane's stable and deploy it. Raises `StaleGeneration` when the lane has changed."""
        assert situation.row is not None
        row, release = situation.row, Release(lane.service, manifest.version, manifest.digest)
        desired = Desired(row.generation, release)
        if again or row.desired != desired:
            now, desired = self._lanes.now(), Desired(row.generation + 1, release)
            entry = AuditEntry(lane, SYSTEM, now, "commands_synced", why)
            held = LaneRow(lane, desired.generation, desired, None, now)
            if not await self._records.history.took_over(held, row, entry):
                raise StaleGeneration(f"{lane} changed meanwhile")
        await self._lanes.target(lane).apply(lane, desired)


def additions(former: Manifest, manifest: Manifest) -> Manifest:
    """The former commands unchanged, followed by those that are new."""
    there = {key_of(command) for command in former.commands}
    new = [command for command in manifest.commands if key_of(command) not in there]
    return Manifest.of([*former.commands, *new])
