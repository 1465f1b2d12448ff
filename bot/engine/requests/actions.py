"""Actions of people: button presses on rollouts, the panic stop, locks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

import structlog

from bot.domain import phrasebook
from bot.domain.config import Catalog, GuildConfig
from bot.domain.errors import UserError
from bot.domain.formatting import clean
from bot.domain.records import Active, AuditEntry, Lock
from bot.domain.rollout.events import Acted
from bot.domain.rollout.model import Action, Actor, Lane, Rollout
from bot.engine import api
from bot.engine.effects.notifications import panic_call
from bot.engine.lanes import Lanes
from bot.engine.requests import preflight
from bot.engine.stepper import Contended, Stepper
from bot.ports.coordination import Clock
from bot.ports.errors import Unreachable
from bot.ports.store import PANIC_NOTE, Store

log = structlog.get_logger(__name__)

# Holds a thousand rollouts in a second or two without using up the connection pool.
_AT_ONCE = 4


class Actions:
    """Records what a person asked for before doing it."""

    def __init__(self, store: Store, catalog: Callable[[], Catalog], stepper: Stepper, clock: Clock) -> None:
        self._store = store
        self._catalog = catalog
        self._stepper = stepper
        self._clock = clock

    async def act(self, request: api.ActRequest) -> api.ActResult:
        event = Acted(
            action=request.action,
            actor=request.actor,
            at=self._clock.now(),
            step=request.step,
            reason=clean(request.reason),
            seal=request.seal,
            seconds=request.seconds,
            confirmed=request.confirmed,
        )

        def acted(rollout: Rollout) -> Acted:
            if request.guild_id not in self._catalog().guilds_of(rollout.lane, rollout.guild_id):
                raise phrasebook.no_rollout(rollout.id)
            return self._signed(event, request.guild_id, rollout.guild_id)

        done = await self._stepper.apply(request.rollout_id, acted, interaction=request.interaction)
        if done.changed or done.sentence:
            return api.ActResult(done.rollout, done.sentence, done.repeated)
        return api.ActResult(done.rollout, phrasebook.already_done(done.rollout.outcome), repeated=True)

    async def panic(self, guild_id: int, actor: Actor, reason: str, on: bool) -> int:
        """Pause or resume every rollout that the guild sees; while on, nothing new starts. Returns how many changed.

        A lane that several servers share continues once none of them has a panic stop on.
        """
        guild = self._may_panic(guild_id, actor)
        at, reason = self._clock.now(), clean(reason)
        note = {"on": on, "by": actor.name, "by_id": actor.id, "reason": reason, "since": at.isoformat()}
        calls = [panic_call(guild_id, note)] if await self._is_unseen(guild_id, on) else []
        await self._store.rollouts.panic(guild_id, {**note, "server": guild.name}, calls)
        event = Acted(Action.PAUSE if on else Action.RESUME, actor, at, reason=reason, panic=True)
        changed = await self._tell_all(guild_id, event)
        if not on:
            await self._stopped_again(guild_id, event)
        return changed

    async def _is_unseen(self, guild_id: int, on: bool) -> bool:
        """Whether this switches the panic stop, and there is no rollout on the card of which people would see that."""
        before = await self._store.notes.note(PANIC_NOTE, str(guild_id))
        if bool(before and before.get("on")) == on:
            return False
        return not await self._concerned(guild_id, still_held=False)

    async def _tell_all(self, guild_id: int, event: Acted) -> int:
        """Returns how many rollouts changed. Raises `Unreachable` once all that can be reached have heard."""
        active = await self._concerned(guild_id, still_held=event.action is Action.RESUME)
        few, away = asyncio.Semaphore(_AT_ONCE), []

        async def one(rollout: Active) -> bool:
            async with few:
                try:
                    return await self._panic_one(rollout.id, self._signed(event, guild_id, rollout.guild_id))
                except (Unreachable, Contended) as error:
                    away.append(error)
                except Exception:
                    log.exception("panic_stop_failed", rollout=rollout.id)
                return False

        held = sum(await asyncio.gather(*(one(rollout) for rollout in active)))
        if away:
            # All others are held. A repeated request is safe and reaches the rest.
            raise Unreachable(f"{len(away)} of {len(active)} rollouts could not be reached: {away[0]}")
        return held

    async def _stopped_again(self, guild_id: int, over: Acted) -> None:
        """A panic stop that came while the last one ended may have been resumed with it: the stop wins."""
        note = await self._store.notes.note(PANIC_NOTE, str(guild_id))
        if note is None or not note.get("on"):
            return
        by = replace(over.actor, id=int(str(note["by_id"])), name=str(note["by"]))
        stop = replace(over, action=Action.PAUSE, actor=by, reason=str(note["reason"]))
        await self._tell_all(guild_id, stop)

    async def stopped(self, lane: Lane, guild_id: int) -> Mapping[str, object] | None:
        """The panic stop that keeps rollouts from starting: of this server, or of one that shares the lane.

        Another server's panic stop has its name as `where`.
        """
        for each in self._catalog().guilds_of(lane, guild_id):
            note = await self._store.notes.note(PANIC_NOTE, str(each))
            if note is not None and note.get("on"):
                return note if each == guild_id else {**note, "where": note.get("server")}
        return None

    async def _concerned(self, guild_id: int, *, still_held: bool) -> list[Active]:
        """The active rollouts of the guild; with `still_held`, without those that another server has stopped."""
        catalog = self._catalog()
        found = [
            (rollout, catalog.guilds_of(rollout.lane, rollout.guild_id))
            for rollout in await self._store.rollouts.active()
        ]
        found = [(rollout, guilds) for rollout, guilds in found if guild_id in guilds]
        if not still_held:
            return [rollout for rollout, _ in found]
        others = {guild for _, guilds in found for guild in guilds} - {guild_id}
        notes = {guild: await self._store.notes.note(PANIC_NOTE, str(guild)) or {} for guild in others}
        stopped = {guild for guild, note in notes.items() if note.get("on")}
        return [rollout for rollout, guilds in found if not stopped & set(guilds)]

    def _signed(self, event: Acted, guild_id: int, own: int) -> Acted:
        """The event with the name of the server beside the person's, when the rollout belongs to another one."""
        guild = self._catalog().guilds.get(guild_id)
        if guild is None or guild_id == own:
            return event
        actor = replace(event.actor, name=f"{event.actor.name} ({guild.name})", guild_id=guild_id)
        return replace(event, actor=actor)

    async def _panic_one(self, rollout_id: int, event: Acted) -> bool:
        def held_by_panic(rollout: Rollout) -> Acted | None:
            # Switching the panic stop off does not resume what a person paused by hand.
            paused = rollout.pause is not None and rollout.pause.panic
            return event if event.action is Action.PAUSE or paused else None

        try:
            return (await self._stepper.apply(rollout_id, held_by_panic)).changed
        except UserError:
            # Finished or rolling back by now: it does not move forward.
            return False

    def _may_panic(self, guild_id: int, actor: Actor) -> GuildConfig:
        guild = self._catalog().guilds.get(guild_id)
        if guild is None:
            raise phrasebook.unknown_server()
        if actor.via != "system" and not actor.roles & set(guild.panic_roles):
            raise phrasebook.needs_role("use the panic stop", guild.panic_roles)
        return guild


class Locks:
    """Locks of lanes. People with a lock role may remove another person's lock; the audit names its owner."""

    def __init__(self, store: Store, lanes: Lanes) -> None:
        self._store = store
        self._lanes = lanes

    async def lock(
        self, guild_id: int, actor: Actor, lane: Lane, reason: str, expires: datetime | None
    ) -> Lock:
        config = self._lanes.catalog.lane(guild_id, lane.service, lane.environment)
        preflight.role(config.lock_roles, actor, "lock").require()
        now, reason = self._lanes.now(), clean(reason)
        if expires is not None and expires <= now:
            raise phrasebook.expiry_in_past()
        held = (await self._store.lanes.locks(now)).get(config.lane)
        if held is not None and held.owner_id != actor.id:
            preflight.lock(held).require()
        lock = Lock(config.lane, actor.id, actor.name, reason, now, expires)
        if held is not None and held.digest:
            # A quarantine has no end of its own: lifting it needs a reason.
            expires = None
            lock = replace(lock, expires=None, digest=held.digest, quarantined_at=held.quarantined_at)
        details = {"expires": expires.isoformat() if expires else None}
        await self._store.lanes.lock(
            lock, AuditEntry(config.lane, actor, now, "locked", reason, guild_id, details=details)
        )
        return lock

    async def unlock(self, guild_id: int, actor: Actor, lane: Lane, reason: str = "") -> None:
        """Remove the lock. Lifting a quarantine needs a reason."""
        config = self._lanes.catalog.lane(guild_id, lane.service, lane.environment)
        preflight.role(config.lock_roles, actor, "unlock").require()
        now = self._lanes.now()
        held = (await self._store.lanes.locks(now)).get(config.lane)
        if held is None:
            raise phrasebook.not_locked(str(config.lane))
        reason = clean(reason).strip()
        if held.digest and not reason:
            raise phrasebook.quarantine_needs_reason(str(config.lane))
        details = {"owner": held.owner, "owner_id": held.owner_id, "digest": held.digest, "reason": reason}
        why = f"Removed the lock of {held.owner}: {held.reason}"
        why = f"{reason} ({why})" if reason else why
        entry = AuditEntry(config.lane, actor, now, "unlocked", why, guild_id, details=details)
        if not await self._store.lanes.unlock(config.lane, entry):
            raise phrasebook.not_locked(str(config.lane))
