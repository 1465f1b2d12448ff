"""Keeps one card for each rollout: posts it, edits it, moves it before it is too old, makes it anew when it is gone."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

import discord
import structlog

from bot.domain import machine
from bot.domain.config import Catalog, GuildConfig
from bot.domain.errors import UserError
from bot.domain.model import Phase, Rollout
from bot.engine.api import RolloutView
from bot.ports import CardBook, CardRef, Clock, Notebook, Unreachable
from bot.ui import text
from bot.ui.card import CHART_FILE, Drawn, Place, draw, marker, pointer, shape_of
from bot.ui.pace import Pace, Priority
from bot.ui.posting import (
    TOO_OLD,
    ClosedError,
    GoneError,
    RejectedError,
    Room,
    calling,
    link,
    texts,
)
from bot.ui.threads import Threads

_log = structlog.get_logger(__name__)

Views = Callable[[int], Awaitable[RolloutView]]
ChartOf = Callable[[RolloutView], Awaitable[bytes | None]]
Report = Callable[[GuildConfig, str, str], Awaitable[None]]

# Discord caps edits of messages older than an hour.
MOVE_AFTER = timedelta(minutes=50)
NUMBERS_EVERY_S, CHART_EVERY_S = 2.0, 10.0
# A channel that refused us is left alone for so long: refusals count towards a ban of the address.
CLOSED_S = 60.0
_URGENT = frozenset({Phase.GATED, Phase.HELD, Phase.ROLLING_BACK, Phase.HALTED, Phase.ROLLED_BACK})


@dataclass(slots=True)
class _Entry:
    """What this process knows of one card; everything in it may be lost."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    asked: int = 0
    answered: int = 0
    shape: str = ""
    edited_at: float = -1e9
    chart_at: float = -1e9
    chart: str = ""
    kept: list[discord.Attachment] | None = None
    later: asyncio.Task[None] | None = None


class Cards:
    """`draw` returns when Discord has what changed; mere numbers and charts follow by themselves, at their pace."""

    def __init__(  # noqa: PLR0917
        self,
        rest: Callable[[], discord.Client],
        views: Views,
        book: CardBook,
        notes: Notebook,
        catalog: Callable[[], Catalog],
        clock: Clock,
        pace: Pace,
        report: Report,
        chart: ChartOf | None = None,
    ) -> None:
        self._rest = rest
        self._views = views
        self._book = book
        self._notes = notes
        self._catalog = catalog
        self._clock = clock
        self._pace = pace
        self._report = report
        self._chart = chart
        self._entries: dict[int, _Entry] = {}
        self._threads = Threads()
        self._closed: dict[int, float] = {}

    async def draw(self, rollout_id: int) -> None:
        """Bring the card up to date. Raises `Unreachable` to be tried again; everything else is reported."""
        entry = self._entry(rollout_id)
        entry.asked += 1
        mine = entry.asked
        async with entry.lock:
            # Whoever drew while we waited has drawn for us too.
            if entry.answered >= mine:
                return
            covers = entry.asked
            await self._draw(rollout_id, entry, lazy=False)
            entry.answered = covers

    async def close(self) -> None:
        """Stop what is under way. Nothing is lost: cards are drawn from the database."""
        pending = [e.later for e in self._entries.values() if e.later is not None]
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)

    async def ref(self, rollout_id: int) -> CardRef | None:
        """Where the card is, posted first if there is none; None when it cannot be posted."""
        found = await self._book.card(rollout_id)
        if found is None:
            await self.draw(rollout_id)
            found = await self._book.card(rollout_id)
        return found

    async def thread(self, rollout_id: int, seen: RolloutView, gone: int | None = None) -> int | None:
        """The thread under the card, made if there is none, or if `gone` is the one that was; None when refused."""
        guild = self._guild(seen.rollout)
        ref = await self.ref(rollout_id)
        if ref is None or guild is None or ref.thread_id not in (None, gone):
            return ref.thread_id if ref is not None else None
        async with self._entry(rollout_id).lock:
            ref = await self._book.card(rollout_id) or ref
            if ref.thread_id in (None, gone):
                thread_id = await self._threads.make(Room(self._rest(), guild), ref, seen.rollout)
                ref = replace(ref, thread_id=thread_id)
                await self._book.put_card(ref)
        return ref.thread_id

    # ---- one draw ------------------------------------------------------------------------------------------

    async def _draw(self, rollout_id: int, entry: _Entry, *, lazy: bool) -> None:
        try:
            seen = await self._views(rollout_id)
        except UserError as error:
            _log.warning("card_without_rollout", rollout=rollout_id, error=str(error))
            return
        guild = self._guild(seen.rollout)
        if guild is None:
            return
        now = asyncio.get_running_loop().time()
        if now < self._closed.get(guild.id, 0.0):
            self._later(rollout_id, entry, self._closed[guild.id] - now)
            return
        shape = shape_of(seen.rollout, machine.actions(seen.rollout, self._clock.now()))
        ref = await self._book.card(rollout_id)
        if not lazy and ref is not None and shape == entry.shape:
            self._later(rollout_id, entry, entry.edited_at + NUMBERS_EVERY_S - now)
            return
        try:
            await self._show(Room(self._rest(), guild), entry, seen, ref, lazy=lazy)
        except (ClosedError, GoneError) as error:
            await self._shut_out(rollout_id, entry, guild, seen.rollout, error)
            return
        except RejectedError as error:
            _log.error("card_rejected", rollout=rollout_id, error=str(error))
        entry.shape = shape
        if self._chart_due(entry, seen):
            self._later(rollout_id, entry, max(0.0, entry.chart_at + CHART_EVERY_S - now))
        elif seen.rollout.phase.final and entry.later is None:
            self._entries.pop(rollout_id, None)

    async def _show(
        self, room: Room, entry: _Entry, seen: RolloutView, ref: CardRef | None, *, lazy: bool
    ) -> None:
        rollout = seen.rollout
        if ref is None:
            await self._post(room, entry, seen, None)
            return
        if not rollout.phase.final and self._clock.now() - ref.posted_at > MOVE_AFTER:
            await self._move(room, entry, seen, ref)
            return
        try:
            await self._edit(room, entry, seen, ref, lazy=lazy)
        except GoneError as gone:
            _log.warning("card_gone", rollout=rollout.id, error=str(gone))
            await self._post(room, entry, seen, ref)
        except RejectedError as error:
            if error.code != TOO_OLD:
                raise
            await self._move(room, entry, seen, ref)

    async def _edit(self, room: Room, entry: _Entry, seen: RolloutView, ref: CardRef, *, lazy: bool) -> None:
        rollout, channel = seen.rollout, room.at(ref.channel_id)
        message = channel.get_partial_message(ref.message_id)
        if entry.kept is None:
            old = await calling(lambda: channel.fetch_message(ref.message_id))
            entry.kept = [a for a in old.attachments if a.filename == CHART_FILE]
            entry.chart = "kept" if entry.kept else ""
        file, tag = await self._picture(entry, seen) if lazy else (None, entry.chart)
        number = await self._number(rollout.id)
        drawn = self._drawn(seen, ref, number, bool(tag))
        if drawn.digest == ref.drawn and file is None:
            return
        await self._pace.turn(ref.channel_id, self._priority(rollout, lazy, file is not None))
        files: list[discord.Attachment | discord.File] = [file] if file is not None else [*entry.kept]
        edited = await calling(
            lambda: message.edit(
                view=drawn.view, attachments=files, allowed_mentions=discord.AllowedMentions.none()
            )
        )
        self._remember(entry, edited, tag, fresh=file is not None)
        latest = await self._book.card(rollout.id) or ref
        await self._book.put_card(replace(latest, drawn=drawn.digest))

    async def _post(self, room: Room, entry: _Entry, seen: RolloutView, old: CardRef | None) -> CardRef:
        """A new message. Its number is noted before, so that a later attempt looks for it before it posts again."""
        rollout = seen.rollout
        channel = await room.channel("deploys")
        note = await self._notes.note("card", str(rollout.id)) or {}
        number, again = int(str(note.get("number", 0))), bool(note.get("posting"))
        if not again:
            number += 1
            await self._notes.put_note("card", str(rollout.id), {"number": number, "posting": True})
        thread_id = old.thread_id if old is not None else None
        entry.kept, entry.chart = [], ""
        drawn = self._drawn(seen, old, number, False)
        mark = marker(rollout.id, number)
        message = await room.find(channel, lambda m: _is_card(m, mark)) if again else None
        if message is None:
            await self._pace.turn(channel.id, self._priority(rollout, False, False))
            message = await calling(
                lambda: channel.send(view=drawn.view, nonce=f"card-{rollout.id}-{number}")
            )
        posted_at = self._clock.now()
        ref = CardRef(rollout.id, channel.id, message.id, thread_id, posted_at, "" if again else drawn.digest)
        await self._book.put_card(ref)
        await self._notes.put_note("card", str(rollout.id), {"number": number, "posting": False})
        self._remember(entry, message, "", fresh=False)
        if thread_id is None:
            ref = replace(ref, thread_id=await self._threads.make(room, ref, rollout))
            await self._book.put_card(ref)
        return ref

    async def _move(self, room: Room, entry: _Entry, seen: RolloutView, old: CardRef) -> None:
        """A new message at the end of the channel; the old one keeps its thread and points to the new one."""
        number = await self._number(seen.rollout.id)
        fresh = await self._post(room, entry, seen, old)
        there = link(room.guild.id, fresh.channel_id, fresh.message_id)
        message = room.at(old.channel_id).get_partial_message(old.message_id)
        with contextlib.suppress(GoneError, ClosedError, RejectedError):
            await self._pace.turn(old.channel_id, Priority.LOG)
            view = pointer(seen.rollout, there, number)
            await calling(lambda: message.edit(view=view, attachments=[]))

    # ---- parts ---------------------------------------------------------------------------------------------

    def _drawn(self, seen: RolloutView, ref: CardRef | None, number: int, chart: bool) -> Drawn:
        thread_id = ref.thread_id if ref is not None else None
        moved = ref is not None and thread_id is not None and thread_id != ref.message_id
        return draw(seen, self._clock.now(), Place(max(1, number), thread_id, moved), chart=chart)

    async def _number(self, rollout_id: int) -> int:
        note = await self._notes.note("card", str(rollout_id)) or {}
        return int(str(note.get("number", 1)))

    def _remember(self, entry: _Entry, message: discord.Message, chart: str, *, fresh: bool) -> None:
        now = asyncio.get_running_loop().time()
        entry.edited_at = now
        entry.kept = [a for a in message.attachments if a.filename == CHART_FILE]
        entry.chart = chart
        if fresh:
            entry.chart_at = now

    async def _picture(self, entry: _Entry, seen: RolloutView) -> tuple[discord.File | None, str]:
        """A new chart when one is due, and the word by which the drawn card knows its chart."""
        now = asyncio.get_running_loop().time()
        if self._chart is None or not self._chart_due(entry, seen) or now < entry.chart_at + CHART_EVERY_S:
            return None, entry.chart
        try:
            png = await self._chart(seen)
        except Exception as error:
            # A card without its picture still tells everything; a card that is not drawn tells nothing.
            _log.error("chart_failed", rollout=seen.rollout.id, exc_info=error)
            png = None
        if png is None:
            entry.chart_at = now
            return None, entry.chart
        return discord.File(io.BytesIO(png), filename=CHART_FILE), _chart_tag(seen)

    def _chart_due(self, entry: _Entry, seen: RolloutView) -> bool:
        return self._chart is not None and len(seen.series) >= 2 and entry.chart != _chart_tag(seen)

    def _priority(self, rollout: Rollout, lazy: bool, picture: bool) -> Priority:
        if picture:
            return Priority.CHART
        if lazy:
            return Priority.NUMBERS
        return Priority.URGENT if rollout.phase in _URGENT else Priority.STATE

    def _later(self, rollout_id: int, entry: _Entry, delay_s: float) -> None:
        if entry.later is None:
            entry.later = asyncio.create_task(self._lazily(rollout_id, entry, max(0.0, delay_s)))

    async def _lazily(self, rollout_id: int, entry: _Entry, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        try:
            async with entry.lock:
                entry.later = None
                await self._draw(rollout_id, entry, lazy=True)
        except Unreachable as error:
            _log.debug("card_later", rollout=rollout_id, error=str(error))
        except Exception as error:
            _log.error("card_failed", rollout=rollout_id, exc_info=error)

    async def _shut_out(
        self, rollout_id: int, entry: _Entry, guild: GuildConfig, rollout: Rollout, error: Exception
    ) -> None:
        """The channel is gone or closed to us: say so elsewhere, and look again in a while."""
        self._closed[guild.id] = asyncio.get_running_loop().time() + CLOSED_S
        what = f"{rollout.lane.service} {rollout.candidate.version} → {rollout.lane.environment}"
        _log.warning("card_shut_out", rollout=rollout_id, error=str(error))
        sentence = (
            f"The card of {text.plain(what, 160)} (rollout {rollout_id}) cannot be shown in its channel: the channel "
            "is gone, or the bot may not post there. The rollout goes on; `/status` shows it."
        )
        await self._report(guild, f"card:{rollout_id}", sentence)
        if not rollout.phase.final:
            self._later(rollout_id, entry, CLOSED_S)

    def _entry(self, rollout_id: int) -> _Entry:
        return self._entries.setdefault(rollout_id, _Entry())

    def _guild(self, rollout: Rollout) -> GuildConfig | None:
        guild = self._catalog().guilds.get(rollout.guild_id)
        if guild is None:
            _log.warning("guild_not_in_catalog", guild=rollout.guild_id, rollout=rollout.id)
        return guild


def _is_card(message: discord.Message, mark: str) -> bool:
    return any(t == mark or t.startswith(f"{mark} · asked for") for t in texts(message))


def _chart_tag(seen: RolloutView) -> str:
    """Changes when the chart would show more: a new tick, or another last one."""
    return f"{len(seen.series)}@{seen.series[-1].at.isoformat()}"
