"""What people do to running rollouts: presses, and the panic stop."""

from __future__ import annotations

import asyncio
from datetime import datetime

import structlog

from bot.domain.config import Catalog
from bot.domain.errors import Refused, UserError
from bot.domain.formatting import clean
from bot.domain.records import AuditEntry, Lock
from bot.domain.rollout.events import Acted
from bot.domain.rollout.model import Action, Actor, Lane, Rollout
from bot.engine import api
from bot.engine.lanes import Lanes
from bot.engine.requests import preflight
from bot.engine.stepper import Contended, Stepper
from bot.ports.coordination import Clock
from bot.ports.errors import Unreachable
from bot.ports.store import Store

log = structlog.get_logger(__name__)

PANIC = "panic"
# A thousand rollouts are held in a second or two without taking every connection there is.
_AT_ONCE = 4


class Actions:
    """Records what a person asked for before it is done."""

    def __init__(self, store: Store, stepper: Stepper, clock: Clock) -> None:
        self._store = store
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
        )
        done = await self._stepper.apply(
            request.rollout_id,
            lambda _: event,
            guild_id=request.guild_id,
            interaction=request.interaction,
        )
        if done.changed or done.sentence:
            return api.ActResult(done.rollout, done.sentence, done.repeated)
        return api.ActResult(
            done.rollout, f"That was done already. {done.rollout.outcome}".strip(), repeated=True
        )

    async def panic(self, catalog: Catalog, guild_id: int, actor: Actor, reason: str, on: bool) -> int:
        """Hold, or let go, every rollout of the guild; while it is on, nothing new starts."""
        self._check_panic(catalog, guild_id, actor)
        at, reason = self._clock.now(), clean(reason)
        note = {"on": on, "by": actor.name, "by_id": actor.id, "reason": reason, "since": at.isoformat()}
        await self._store.notes.put_note(PANIC, str(guild_id), note)
        event = Acted(Action.PAUSE if on else Action.RESUME, actor, at, reason=reason, panic=True)
        active = await self._store.rollouts.active(guild_id)
        few, away = asyncio.Semaphore(_AT_ONCE), []

        async def one(rollout_id: int) -> bool:
            async with few:
                try:
                    return await self._panic_one(rollout_id, event)
                except (Unreachable, Contended) as error:
                    away.append(error)
                except Exception:
                    log.exception("panic_missed", rollout=rollout_id)
                return False

        held = sum(await asyncio.gather(*(one(rollout.id) for rollout in active)))
        if away:
            # All others are held; asking again is safe, and reaches those that are left.
            raise Unreachable(f"{len(away)} of {len(active)} rollouts could not be reached: {away[0]}")
        return held

    async def join_panic(self, rollout: Rollout) -> Rollout:
        """Hold a rollout that began in the moment in which everything was stopped."""
        note = await self._store.notes.note(PANIC, str(rollout.guild_id))
        if note is None or not note.get("on"):
            return rollout
        actor = Actor(int(str(note.get("by_id") or 0)), str(note.get("by")))
        reason = str(note.get("reason") or "")
        event = Acted(Action.PAUSE, actor, self._clock.now(), reason=reason, panic=True)
        await self._panic_one(rollout.id, event)
        loaded = await self._store.rollouts.load(rollout.id)
        return loaded.rollout if loaded else rollout

    async def _panic_one(self, rollout_id: int, event: Acted) -> bool:
        def held_by_panic(rollout: Rollout) -> Acted | None:
            # What a person paused by hand is not let go with the panic.
            paused = rollout.pause is not None and rollout.pause.panic
            return event if event.action is Action.PAUSE or paused else None

        try:
            return (await self._stepper.apply(rollout_id, held_by_panic)).changed
        except UserError:
            # It is over by now, or on its way back: nothing moves forward there.
            return False

    def _check_panic(self, catalog: Catalog, guild_id: int, actor: Actor) -> None:
        guild = catalog.guilds.get(guild_id)
        if guild is None:
            raise UserError("This server is not in the catalog.", rule="unknown_guild")
        if actor.via != "system" and not actor.roles & set(guild.panic_roles):
            named = (
                " or ".join(f"`{role}`" for role in guild.panic_roles) or "nobody: the catalog names no role"
            )
            raise Refused(f"The panic stop is for {named}.", rule="role", remedy="Ask somebody who has it.")


class Locks:
    """A lock has an owner; the lock roles may also lift somebody else's, and the audit says whose it was."""

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
            raise Refused(
                "That lock would be over before it began.",
                rule="expires",
                remedy="Give a time that is to come.",
            )
        held = (await self._store.lanes.locks(now)).get(config.lane)
        if held is not None and held.owner_id != actor.id:
            preflight.lock(held, "").require()
        lock = Lock(config.lane, actor.id, actor.name, reason, now, expires, held.digest if held else "")
        details = {"expires": expires.isoformat() if expires else None}
        await self._store.lanes.lock(
            lock, AuditEntry(config.lane, actor, now, "locked", reason, guild_id, details=details)
        )
        return lock

    async def unlock(self, guild_id: int, actor: Actor, lane: Lane) -> None:
        config = self._lanes.catalog.lane(guild_id, lane.service, lane.environment)
        preflight.role(config.lock_roles, actor, "unlock").require()
        now = self._lanes.now()
        held = (await self._store.lanes.locks(now)).get(config.lane)
        if held is None:
            raise Refused(f"{config.lane} is not locked.", rule="not_locked")
        details = {"owner": held.owner, "owner_id": held.owner_id, "digest": held.digest}
        why = f"Lifted the lock of {held.owner}: {held.reason}"
        entry = AuditEntry(config.lane, actor, now, "unlocked", why, guild_id, details=details)
        if not await self._store.lanes.unlock(config.lane, entry):
            raise Refused(f"{config.lane} is not locked.", rule="not_locked")
