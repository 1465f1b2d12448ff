"""Post, edit and move the message that is a rollout's card. Every operation may be repeated."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import discord
import structlog

from bot.domain.rollout.model import Phase, Rollout
from bot.engine.api import RolloutView
from bot.ports.coordination import Clock
from bot.ports.retention import NoteKind
from bot.ports.store import CardRef, CardStore, NoteStore
from bot.ui.cards.card import CHART_FILE, CardPosition, Drawn, draw, marker, pointer
from bot.ui.cards.threads import Threads
from bot.ui.message_budget import Priority
from bot.ui.rest import TOO_OLD, ClosedError, GoneError, GuildChannels, RejectedError, calling, link, texts

_log = structlog.get_logger(__name__)

# A rollout's chart, and how many seconds it covers.
ChartOf = Callable[[int], Awaitable[tuple[bytes, float] | None]]

# Discord caps edits of messages older than an hour.
MOVE_AFTER = timedelta(minutes=50)
# A chart costs some 25 ms of processor time: all cards together get two a second, and a card a new one when what it
# shows has grown by a hundredth, some seven pixels, within these bounds.
CHARTS_PACE_S, GROWN = 0.5, 0.01
CHART_EVERY_S, CHART_SELDOM_S = 10.0, 30.0
_URGENT = frozenset({Phase.GATED, Phase.HELD, Phase.ROLLING_BACK, Phase.HALTED, Phase.ROLLED_BACK})
_NOTE: NoteKind = "card"


@dataclass(slots=True)
class CardState:
    """What this process knows about one card. All of it may be lost."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    asked: int = 0
    answered: int = 0
    covered: int = 0
    requested_at: datetime | None = None
    shown: tuple[int, str] = (0, "")  # version and stamp
    numbered: tuple[int, int] | None = None  # the message, and how often the card was posted with it
    channel_id: int | None = None
    place: int | None = None  # the channel in which its waiting numbers count while its own is not known
    shape: str = ""
    edited_at: float = -1e9
    chart_at: float = -1e9
    chart_every_s: float = CHART_EVERY_S
    chart: str = ""
    kept: list[discord.Attachment] | None = None
    later: asyncio.Task[None] | None = None
    later_at: float = -1e9

    def belongs_to(self, rollout: Rollout) -> None:
        """Forget the card of another rollout with this number, when the database lost that one."""
        if self.requested_at not in (None, rollout.created_at):
            self.shown, self.shape, self.chart, self.kept = (0, ""), "", "", None
            self.channel_id = self.numbered = None
        self.requested_at = rollout.created_at


@dataclass(frozen=True, slots=True)
class Picture:
    """A new chart for a card. `tag` identifies what it shows."""

    png: bytes
    tag: str

    def file(self) -> discord.File:
        return discord.File(io.BytesIO(self.png), filename=CHART_FILE)


class CardPublisher:
    """Brings one card in Discord up to date; raises the errors of `bot.ui.rest`."""

    def __init__(
        self,
        book: CardStore,
        notes: NoteStore,
        clock: Clock,
        threads: Threads,
        chart: ChartOf | None,
    ) -> None:
        self._book = book
        self._notes = notes
        self._clock = clock
        self._threads = threads
        self._chart = chart
        self._next_chart_at = -1e9

    async def show(
        self, channels: GuildChannels, entry: CardState, seen: RolloutView, picture: Picture | None = None
    ) -> None:
        """Post, edit or move the card. `picture` replaces its chart. The caller has already waited for its turn."""
        rollout = seen.rollout
        ref = await self._book.card(rollout.id)
        if ref is None:
            await self._post(channels, entry, seen, None)
        elif not rollout.phase.final and self._clock.now() - ref.posted_at > MOVE_AFTER:
            await self._move(channels, entry, seen, ref)
        else:
            try:
                await self._edit(channels, entry, seen, ref, picture)
            except GoneError as gone:
                _log.warning("card_missing", rollout=rollout.id, error=str(gone))
                await self._post(channels, entry, seen, ref)
            except ClosedError as closed:
                if picture is None:
                    raise
                # Perhaps only files are forbidden; the card matters more than its chart.
                _log.warning("chart_refused", rollout=rollout.id, error=str(closed))
                entry.chart = picture.tag
                await self._edit(channels, entry, seen, ref, None)
            except RejectedError as error:
                if error.code != TOO_OLD:
                    raise
                await self._move(channels, entry, seen, ref)

    def chart_due(self, entry: CardState, seen: RolloutView) -> bool:
        """Whether a new chart would show more than the card's present one."""
        return (
            self._chart is not None and seen.rollout.had_traffic and entry.chart != _chart_tag(seen.rollout)
        )

    def chart_time(self, entry: CardState) -> bool:
        """Whether a card that goes on may get a new chart now, as far as the pace of charts goes."""
        now = asyncio.get_running_loop().time()
        return self._chart is not None and now >= max(
            entry.chart_at + entry.chart_every_s, self._next_chart_at
        )

    def take_chart_turn(self, entry: CardState) -> bool:
        """Whether this card's chart is the next one of all; the others wait. Taken before anything is read for it."""
        if not self.chart_time(entry):
            return False
        self._took_turn(entry)
        return True

    async def picture(self, entry: CardState, seen: RolloutView) -> Picture | None:
        """A new chart, when one is due and can be drawn, for a card that has its turn."""
        if self._chart is None or not self.chart_due(entry, seen):
            return None
        tag = _chart_tag(seen.rollout)
        try:
            drawn = await self._chart(seen.rollout.id)
        except Exception as error:
            # A card without its chart still says everything; the chart is tried again.
            _log.warning("chart_failed", rollout=seen.rollout.id, error=str(error) or type(error).__name__)
            return None
        if drawn is None:
            entry.chart = tag
            return None
        png, covers_s = drawn
        entry.chart_every_s = min(max(CHART_EVERY_S, GROWN * covers_s), CHART_SELDOM_S)
        return Picture(png, tag)

    async def last_picture(self, entry: CardState, seen: RolloutView) -> Picture | None:
        """The last chart of a rollout, which waits for no turn; None when the card has it."""
        if not self.chart_due(entry, seen):
            return None
        self._took_turn(entry)
        return await self.picture(entry, seen)

    def _took_turn(self, entry: CardState) -> None:
        entry.chart_at = now = asyncio.get_running_loop().time()
        self._next_chart_at = now + CHARTS_PACE_S

    async def still(self, picture: Picture | None, entry: CardState, seen: RolloutView) -> Picture | None:
        """`picture`, or the last chart of a rollout that has ended since it was drawn; None when the card has that."""
        if not seen.rollout.phase.final or (picture is not None and picture.tag == _chart_tag(seen.rollout)):
            return picture
        return await self.last_picture(entry, seen)

    async def _edit(
        self,
        channels: GuildChannels,
        entry: CardState,
        seen: RolloutView,
        ref: CardRef,
        picture: Picture | None,
    ) -> None:
        rollout, channel = seen.rollout, channels.at(ref.channel_id)
        message = channel.get_partial_message(ref.message_id)
        if entry.kept is None:
            old = await calling(lambda: channel.fetch_message(ref.message_id))
            entry.kept = _charts(old)
            entry.chart = "from before" if entry.kept else ""
        if entry.numbered is None or entry.numbered[0] != ref.message_id:
            note = await self._notes.note(_NOTE, str(rollout.id)) or {}
            entry.numbered = (ref.message_id, _number(note))
        drawn = self._drawn(seen, ref, entry.numbered[1], picture is not None or bool(entry.kept))
        if drawn.digest == ref.drawn and picture is None:
            return
        files: list[discord.Attachment | discord.File] = [picture.file()] if picture else [*entry.kept]
        silent = discord.AllowedMentions.none()
        edited = await calling(
            lambda: message.edit(view=drawn.view, attachments=files, allowed_mentions=silent)
        )
        _remember(entry, edited, picture.tag if picture else entry.chart)
        await self._book.redrawn(rollout.id, drawn.digest)

    async def _post(
        self, channels: GuildChannels, entry: CardState, seen: RolloutView, old: CardRef | None
    ) -> CardRef:
        """Post a new message. Its number is saved first, so that a retry looks for it before posting again."""
        rollout, key = seen.rollout, str(seen.rollout.id)
        channel = await channels.channel("deploys")
        note = await self._notes.note(_NOTE, key) or {}
        again = bool(note.get("posting"))
        number = _number(note) if again else _number(note, 0) + 1
        if not again:
            await self._notes.put_note(_NOTE, key, {"number": number, "posting": True})
        drawn = self._drawn(seen, old, number, False)
        mark = marker(rollout.id, number)
        message = await channels.find(channel, lambda m: _is_card(m, mark)) if again else None
        found = message is not None
        if message is None:
            message = await calling(lambda: channel.send(view=drawn.view, nonce=_nonce(rollout, number)))
        thread_id = old.thread_id if old is not None else None
        digest = "" if found else drawn.digest
        ref = CardRef(rollout.id, channel.id, message.id, thread_id, self._clock.now(), digest)
        await self._book.put_card(ref)
        await self._notes.put_note(_NOTE, key, {"number": number, "posting": False})
        _remember(entry, message, "")
        if thread_id is None:
            ref = replace(ref, thread_id=await self._threads.make(channels, ref, rollout))
            await self._book.put_card(ref)
        return ref

    async def _move(self, channels: GuildChannels, entry: CardState, seen: RolloutView, old: CardRef) -> None:
        """Post a new message at the end of the channel. The old one keeps its thread and links to the new one."""
        number = _number(await self._notes.note(_NOTE, str(seen.rollout.id)) or {})
        fresh = await self._post(channels, entry, seen, old)
        there = link(channels.guild.id, fresh.channel_id, fresh.message_id)
        message = channels.at(old.channel_id).get_partial_message(old.message_id)
        with contextlib.suppress(GoneError, ClosedError, RejectedError):
            view = pointer(seen.rollout, there, number)
            await calling(lambda: message.edit(view=view, attachments=[]))

    def _drawn(self, seen: RolloutView, ref: CardRef | None, number: int, chart: bool) -> Drawn:
        thread_id = ref.thread_id if ref is not None else None
        moved = ref is not None and thread_id is not None and thread_id != ref.message_id
        return draw(seen, self._clock.now(), CardPosition(max(1, number), thread_id, moved), chart=chart)


def _nonce(rollout: Rollout, number: int) -> str:
    """Another one for another rollout with the same number; at most 25 characters."""
    return f"{rollout.id}-{number}-{round(rollout.created_at.timestamp() * 1000):x}"


def _remember(entry: CardState, message: discord.Message, chart: str) -> None:
    entry.edited_at = asyncio.get_running_loop().time()
    entry.kept, entry.chart = _charts(message), chart


def _charts(message: discord.Message) -> list[discord.Attachment]:
    return [a for a in message.attachments if a.filename == CHART_FILE]


def _number(note: Mapping[str, object], otherwise: int = 1) -> int:
    """How often the card has been posted: 1, plus one each time it moved or was reposted."""
    return int(str(note.get("number", otherwise)))


def priority_of(rollout: Rollout) -> Priority:
    """Gates, holds, pauses and rollbacks come first."""
    return Priority.URGENT if rollout.phase in _URGENT or rollout.pause else Priority.STATE


def _is_card(message: discord.Message, mark: str) -> bool:
    return any(t == mark or t.startswith(f"{mark} · requested") for t in texts(message))


def _chart_tag(rollout: Rollout) -> str:
    """Changes when the chart would show more: with each tick and each step."""
    return f"{rollout.version}.{rollout.stamp}"
