"""Hand-overs: people are told in #alerts who is on call now, once for each change."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import structlog

from bot.domain import phrasebook
from bot.domain.config import Catalog, GuildConfig
from bot.domain.rollout.events import CallPeople
from bot.domain.watch.oncall.schedule import OnCallShift
from bot.engine.watch.oncall.rota import ICON, Rota
from bot.engine.watch.oncall.service import OnCall
from bot.ports.watch.oncall import OnCallStore, Told

log = structlog.get_logger(__name__)


class HandOvers:
    """Compares who is on call with who people were last told of.

    What was told is a row, and changes in one transaction with the message: a hand-over is announced once, whatever
    restarts, also one from when no process ran. The first look at a schedule announces nothing.
    """

    def __init__(self, on_call: OnCall, store: OnCallStore, catalog: Callable[[], Catalog]) -> None:
        self._on_call = on_call
        self._store = store
        self._catalog = catalog

    async def once(self) -> bool:
        """One round of the loop."""
        if not self._catalog().on_call:
            return False
        rota, told = await self._on_call.rota(), await self._store.told()
        for name in rota.schedules:
            if not rota.unread(name):
                await self._look(rota, name, told.get(name))
        return False

    async def _look(self, rota: Rota, name: str, before: Told | None) -> None:
        shift = rota.on_call(name)
        person = shift.person
        if before is not None and before.person_id == (person.id if person else None):
            return
        since = shift.since if before is not None and shift.since else rota.at
        now = Told(name, person.id if person else None, person.name if person else "", since)
        calls: list[CallPeople] = []
        if before is not None:
            for guild in self._catalog().guilds_of_schedule(name):
                calls.append(await self._call(guild, rota, before, now))
        if await self._store.tell(before, now, calls):
            log.info("hand_over", schedule=name, person=now.person_id, before=before and before.person_id)

    async def _call(self, guild: GuildConfig, rota: Rota, before: Told, now: Told) -> CallPeople:
        shift, after = rota.on_call(now.schedule), rota.next(now.schedule)
        people = [each for each in (shift.person, after.person if after else None) if each is not None]
        asked = [each.id for each in people] + ([before.person_id] if before.person_id is not None else [])
        gone = await self._on_call.gone(guild, asked)
        reachable = now.person_id is not None and now.person_id not in gone
        plan = _plan(shift, after)
        lines = [f"Before: {before.person}. {plan}" if before.person_id is not None else plan]
        lines += [f"⚠️ {phrasebook.left_the_server(each.name)}" for each in people if each.id in gone]
        if not reachable:
            lines.append(phrasebook.TAKE_OVER)
        mentioned = [who for who in (now.person_id, before.person_id) if who is not None and who not in gone]
        return CallPeople(
            key=_key(guild.id, now),
            guild_id=guild.id,
            title=f"{now.schedule}: {now.person or 'no one'} is on call",
            text="\n".join(lines),
            # While no one can be reached, this concerns all who may be called.
            mention_roles=() if reachable else (guild.oncall_role,),
            mention_users=tuple(mentioned),
            icon=ICON if reachable else "",
            queue=f"on-call/{guild.id}/{now.schedule}",
        )


def _plan(shift: OnCallShift, after: OnCallShift | None) -> str:
    """What comes next."""
    to = after.person if after is not None else None
    if shift.person is not None:
        if shift.until is None:
            return phrasebook.no_hand_over(shift.person.name)
        return phrasebook.hands_over(shift.person.name, to.name if to else "", shift.until)
    if to is None or shift.until is None:
        return f"{shift.why} {phrasebook.ON_CALL_LATER}".strip()
    return f"{shift.why} {phrasebook.takes_over(to.name, shift.until)}".strip()


def _key(guild_id: int, now: Told) -> str:
    text = f"{guild_id}/hand-over/{now.schedule}/{now.person_id}/{now.since.isoformat()}"
    return hashlib.sha256(text.encode()).hexdigest()[:24]
