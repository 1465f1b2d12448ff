"""Slash commands as a step of another service's rollout: deployed and rolled back with the release."""

from __future__ import annotations

import asyncio

from bot.domain.appcommands.applications import PRODUCTION, STAGING, Application
from bot.domain.appcommands.normalization import key_of
from bot.domain.appcommands.records import EMPTY, Manifest
from bot.domain.appcommands.validation import validate
from bot.domain.errors import UserError
from bot.domain.records import AuditEntry, LaneRow, Situation
from bot.domain.rollout.model import SYSTEM, Desired, Lane, Release
from bot.domain.rollout.steps import RestoreCommands, RunSync
from bot.engine.lanes import Lanes
from bot.ports.appcommands import AppCommandStore, ManifestSource
from bot.ports.errors import ManifestUnavailable, StaleGeneration, TargetRefused
from bot.ports.store import Store

_NOTE = "commands_sync"
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
        lane = _lane(application, effect.lane)
        # Read before the check for a rollback: an order of a rollback in between raises the lane's generation, and this
        # sync is then refused.
        situation = await self._lanes.situation(lane)
        if situation.active is not None:
            return [f"rollout #{situation.active.id} is active in {lane}"]
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

    async def restore(self, rollout_id: int, effect: RestoreCommands) -> None:
        application = self._lanes.catalog.applications.get(effect.application)
        key = f"{rollout_id}/{effect.application}"
        note = await self._store.notes.note(_NOTE, key)
        # Also where nothing was changed yet: an attempt that is still under way must be refused.
        former = str((note or {}).get("former", ""))
        await self._store.notes.put_note(_NOTE, key, {"former": former, "over": True})
        if application is None or not former:
            return
        lane = _lane(application, effect.lane)
        manifest = EMPTY if former == EMPTY.digest else await self._records.manifests.get(former)
        if manifest is None:
            raise TargetRefused(f"the manifest {former[:12]} is not in the database")
        await self._bring_back(lane, manifest, f"Rollout #{rollout_id} of {effect.lane} was rolled back.")

    async def _former(self, rollout_id: int, application: Application, lane: Lane) -> Manifest | None:
        """What Discord had before this rollout changed it; None when it is being rolled back already."""
        key = f"{rollout_id}/{application.name}"
        note = await self._store.notes.note(_NOTE, key)
        if note is not None and note.get("over"):
            return None
        if note is not None:
            digest = str(note["former"])
        else:
            observed = await self._lanes.look(lane)
            digest = (
                max(observed.running, key=lambda r: r.weight).digest if observed.running else EMPTY.digest
            )
            await self._store.notes.put_note(_NOTE, key, {"former": digest})
        return EMPTY if digest == EMPTY.digest else await self._records.manifests.get(digest)

    async def _bring_back(self, lane: Lane, manifest: Manifest, why: str) -> None:
        """Roll back, under a generation above that of the lane and of the target."""
        for _ in range(_TRIES):
            situation = await self._lanes.situation(lane)
            if situation.active is not None:
                raise TargetRefused(f"rollout #{situation.active.id} is active in {lane}")
            try:
                await self._serve(lane, situation, manifest, why)
                return
            except StaleGeneration:
                await self._store.lanes.newest(lane, (await self._lanes.look(lane)).generation)
        raise TargetRefused(f"{lane} keeps changing; its commands could not be restored")

    async def _serve(self, lane: Lane, situation: Situation, manifest: Manifest, why: str) -> None:
        """Make the manifest the lane's stable and deploy it. Raises `StaleGeneration` when the lane has changed."""
        assert situation.row is not None
        row, release = situation.row, Release(lane.service, manifest.version, manifest.digest)
        desired = Desired(row.generation, release)
        if row.desired != desired:
            now, desired = self._lanes.now(), Desired(row.generation + 1, release)
            entry = AuditEntry(lane, SYSTEM, now, "commands_synced", why)
            held = LaneRow(lane, desired.generation, desired, None, now)
            if not await self._records.history.took_over(held, row.generation, entry):
                raise StaleGeneration(f"{lane} changed meanwhile")
        await self._lanes.target(lane).apply(lane, desired)


def _lane(application: Application, lane: Lane) -> Lane:
    """The lane of the commands: staging for a service's staging, production for every other environment."""
    return application.lane(STAGING if lane.environment == STAGING else PRODUCTION)


def additions(former: Manifest, manifest: Manifest) -> Manifest:
    """The former commands unchanged, followed by those that are new."""
    there = {key_of(command) for command in former.commands}
    new = [command for command in manifest.commands if key_of(command) not in there]
    return Manifest.of([*former.commands, *new])
