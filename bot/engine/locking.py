"""Locks that people set and lift."""

from __future__ import annotations

from datetime import datetime

from bot.domain.errors import Refused
from bot.domain.model import Actor, Lane
from bot.domain.records import Entry, Lock
from bot.engine import admission
from bot.engine.clean import clean
from bot.engine.places import Places
from bot.ports import Store


class Locking:
    """A lock has an owner; the lock roles may also lift somebody else's, and the audit says whose it was."""

    def __init__(self, store: Store, places: Places) -> None:
        self._store = store
        self._places = places

    async def lock(
        self, guild_id: int, actor: Actor, lane: Lane, reason: str, expires: datetime | None
    ) -> Lock:
        config = self._places.catalog.lane(guild_id, lane.service, lane.environment)
        admission.role(config.lock_roles, actor, "lock").require()
        now, reason = self._places.now(), clean(reason)
        if expires is not None and expires <= now:
            raise Refused(
                "That lock would be over before it began.",
                rule="expires",
                remedy="Give a time that is to come.",
            )
        held = (await self._store.lanes.locks(now)).get(config.lane)
        if held is not None and held.owner_id != actor.id:
            admission.lock(held, "").require()
        lock = Lock(config.lane, actor.id, actor.name, reason, now, expires, held.digest if held else "")
        details = {"expires": expires.isoformat() if expires else None}
        await self._store.lanes.lock(
            lock, Entry(config.lane, actor, now, "locked", reason, guild_id, details=details)
        )
        return lock

    async def unlock(self, guild_id: int, actor: Actor, lane: Lane) -> None:
        config = self._places.catalog.lane(guild_id, lane.service, lane.environment)
        admission.role(config.lock_roles, actor, "unlock").require()
        now = self._places.now()
        held = (await self._store.lanes.locks(now)).get(config.lane)
        if held is None:
            raise Refused(f"{config.lane} is not locked.", rule="not_locked")
        details = {"owner": held.owner, "owner_id": held.owner_id, "digest": held.digest}
        why = f"Lifted the lock of {held.owner}: {held.reason}"
        entry = Entry(config.lane, actor, now, "unlocked", why, guild_id, details=details)
        if not await self._store.lanes.unlock(config.lane, entry):
            raise Refused(f"{config.lane} is not locked.", rule="not_locked")
