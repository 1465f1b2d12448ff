"""What people do to running rollouts: presses, and the panic stop."""

from __future__ import annotations

import asyncio

import structlog

from bot.domain.config import Catalog
from bot.domain.errors import Refused, UserError
from bot.domain.events import Acted
from bot.domain.model import Action, Actor, Rollout
from bot.engine import api
from bot.engine.clean import clean
from bot.engine.stepping import Contended, Stepping
from bot.ports import Clock, Store, Unreachable

log = structlog.get_logger(__name__)

PANIC = "panic"
# A thousand rollouts are held in a second or two without taking every connection there is.
_AT_ONCE = 4


class Acting:
    """Records what a person asked for before it is done."""

    def __init__(self, store: Store, stepping: Stepping, clock: Clock) -> None:
        self._store = store
        self._stepping = stepping
        self._clock = clock

    async def act(self, request: api.ActRequest) -> api.Acted:
        event = Acted(
            action=request.action,
            actor=request.actor,
            at=self._clock.now(),
            step=request.step,
            reason=clean(request.reason),
            seal=request.seal,
            seconds=request.seconds,
        )
        done = await self._stepping.apply(
            request.rollout_id,
            lambda _: event,
            guild_id=request.guild_id,
            interaction=request.interaction,
        )
        if done.changed or done.sentence:
            return api.Acted(done.rollout, done.sentence, done.repeated)
        return api.Acted(
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
            return (await self._stepping.apply(rollout_id, held_by_panic)).changed
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
