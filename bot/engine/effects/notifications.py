"""Notifications: effects for Discord, posted through the announcer under keys that may be repeated."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime

from bot.domain import phrasebook
from bot.domain.config import Catalog
from bot.domain.formatting import clean
from bot.domain.records import Claimed, GivenUp
from bot.domain.rollout.events import CallPeople, DrawCard, LogLine, Notify
from bot.domain.rollout.model import Lane
from bot.ports.errors import Unreachable
from bot.ports.notifications import Announcement, Announcer, Notice, UndeliveredError, UnpostedError
from bot.ports.store import EffectStore

# Alert, person (empty for a channel), and why.
Undelivered = Callable[[int, str, str], Awaitable[None]]


class NotificationHandler:
    """Posts notifications. Closes claims in batches: many small commits would be the slowest part.

    undelivered: is told of a person whom a direct message about an alert did not reach, and why; of a call that no
    channel takes, too.
    """

    def __init__(
        self, announcer: Announcer, effects: EffectStore, undelivered: Undelivered | None = None
    ) -> None:
        self._announcer = announcer
        self._undelivered = undelivered
        self._effects = effects
        self._done: list[tuple[Claimed, asyncio.Future[None]]] = []
        self._closing: asyncio.Task[None] | None = None

    async def execute(self, claim: Claimed) -> None:
        """Post one notification. Raises `Unreachable` to be retried, and `UnpostedError`: another try is of no use."""
        if isinstance(claim.effect, CallPeople):
            await self._call(claim.effect, claim.created_at)
            return
        rollout_id = claim.rollout_id
        if rollout_id is None:
            raise TypeError("a notification belongs to a rollout")
        match claim.effect:
            case DrawCard():
                await self._announcer.draw_card(rollout_id)
            case LogLine(text=text):
                await self._announcer.log_line(rollout_id, claim.key, text, claim.created_at)
            case Notify() as notify:
                await self._announcer.notify(
                    Notice(
                        key=claim.key,
                        rollout_id=rollout_id,
                        what=notify.what,
                        text=notify.text,
                        mention_roles=notify.mention_roles,
                        mention_users=notify.mention_users,
                    )
                )
            case other:
                raise TypeError(f"{other.kind} is not a notification")

    async def _call(self, call: CallPeople, made_at: datetime) -> None:
        said = _alert(call, made_at)
        try:
            await (self._announcer.direct(said) if call.direct_to else self._announcer.alert(said))
        except UndeliveredError as refused:
            if self._undelivered is not None:
                await self._undelivered(call.alert_id, refused.person, refused.why)
        except UnpostedError as refused:
            if self._undelivered is not None:
                await self._undelivered(call.alert_id, "", refused.why)
            raise

    async def record(self, claim: Claimed, outcome: None, given_up: GivenUp | None = None) -> None:
        """Close the claim, in the next batch; returns when that is done."""
        if given_up is not None:
            await self._effects.poison(claim, given_up)
            return
        closed = asyncio.get_running_loop().create_future()
        self._done.append((claim, closed))
        if self._closing is None or self._closing.done():
            # A task of its own: the first caller may be cancelled while others still wait.
            self._closing = asyncio.create_task(self._close_all())
        await closed

    async def _close_all(self) -> None:
        # What finishes while one batch is being closed makes up the next.
        while self._done:
            batch, self._done = self._done, []
            error: BaseException = Unreachable("closing was interrupted")
            try:
                await self._effects.close([claim for claim, _ in batch])
            except Exception as failed:
                error = failed
            else:
                for _, closed in batch:
                    if not closed.done():
                        closed.set_result(None)
            finally:
                _fail([closed for _, closed in batch], error)


def _alert(call: CallPeople, made_at: datetime) -> Announcement:
    return Announcement(
        key=call.key,
        guild_id=call.guild_id,
        title=call.title,
        text=call.text,
        mention_roles=call.mention_roles,
        over=call.over,
        channel=call.channel,
        mention_users=call.mention_users,
        icon=call.icon,
        button=call.button,
        room=call.room,
        room_text=call.room_text,
        direct_to=call.direct_to,
        alert_id=call.alert_id,
        bars=call.bars,
        until=call.until,
        made_at=made_at,
    )


def _fail(waiting: list[asyncio.Future[None]], error: BaseException) -> None:
    for closed in waiting:
        if not closed.done():
            closed.set_exception(error)
            closed.exception()  # raised where it is awaited; marks it as seen if the waiter is gone


class LaneAlerts:
    """Makes lane-level alerts for the guilds that see the lane."""

    def __init__(self, catalog: Callable[[], Catalog]) -> None:
        self._catalog = catalog

    def about(
        self, lane: Lane, what: str, sentence: str, once: str, *, over: bool = False
    ) -> Sequence[CallPeople]:
        """One alert for each guild that sees the lane; none for a lane that the catalog does not have.

        once: alerts with the same value are posted once. over: the end of an earlier alert, which mentions no one.
        """
        config = self._catalog().lanes.get(lane)
        if config is None:
            return ()
        roles = () if over else config.policy.notify_roles
        return [
            CallPeople(_key(guild_id, lane, once), guild_id, f"{lane}: {what}", clean(sentence), roles, over)
            for guild_id in config.guilds
        ]


def panic_call(guild_id: int, note: Mapping[str, object]) -> CallPeople:
    """What a server's channel is told of a switch of the panic stop that no card shows. note: as it is stored."""
    on = bool(note["on"])
    tell, title = (
        (phrasebook.panic_begun, "Panic stop is on") if on else (phrasebook.panic_over, "Panic stop is off")
    )
    text = tell(str(note["by"]), str(note["reason"]))
    key = _key(guild_id, "panic stop", f"{on} {note['since']}")
    queue = f"panic stop/{guild_id}"
    return CallPeople(key, guild_id, title, text, over=not on, channel="deploys", queue=queue)


def _key(guild_id: int, about: Lane | str, once: str) -> str:
    return hashlib.sha256(f"{guild_id}/{about}/{once}".encode()).hexdigest()[:24]
