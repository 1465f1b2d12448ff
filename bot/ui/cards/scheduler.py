"""Schedule of card updates: state changes at once; numbers and charts at their own pace."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import discord
import structlog

from bot.domain.config import Catalog, GuildConfig
from bot.domain.errors import UserError
from bot.domain.records import Active
from bot.domain.rollout.machine import machine
from bot.domain.rollout.model import Rollout
from bot.engine.api import RolloutView
from bot.engine.stepper import judged
from bot.ports.coordination import Clock
from bot.ports.errors import Unreachable
from bot.ports.store import CardRef, CardStore, NoteStore
from bot.ui import escaping
from bot.ui.cards.card import shape_of
from bot.ui.cards.publisher import CHART_EVERY_S, CardPublisher, CardState, ChartOf, Picture, priority_of
from bot.ui.cards.threads import Report, Threads
from bot.ui.message_budget import MessageBudget, Priority
from bot.ui.rest import ClosedError, GoneError, GuildChannels, RejectedError

_log = structlog.get_logger(__name__)

Views = Callable[[int], Awaitable[RolloutView]]

NUMBERS_EVERY_S = 2.0
SETTLE_S = 0.4
# Pause after a refusal by a server: refusals count towards a ban of our address.
CLOSED_S = 60.0


class CardScheduler:
    """Keeps cards up to date. `draw` returns once Discord has the new state; numbers and charts follow later."""

    def __init__(  # noqa: PLR0917
        self,
        rest: Callable[[], discord.Client],
        views: Views,
        book: CardStore,
        notes: NoteStore,
        catalog: Callable[[], Catalog],
        clock: Clock,
        budget: MessageBudget,
        report: Report,
        chart: ChartOf | None = None,
    ) -> None:
        self._rest = rest
        self._views = views
        self._book = book
        self._catalog = catalog
        self._clock = clock
        self._report = report
        self._threads = Threads(report)
        self._budget = budget
        self._publisher = CardPublisher(book, notes, clock, self._threads, chart)
        self._entries: dict[int, CardState] = {}
        self._closed: dict[int, float] = {}
        self._found_in: dict[int, int] = {}  # guild -> channel

    async def draw(self, rollout_id: int) -> None:
        """Bring the card up to date. Raises `Unreachable` to be retried; other errors are reported."""
        entry = self._entry(rollout_id)
        entry.asked += 1
        mine = entry.asked
        async with entry.lock:
            # A draw that finished while we waited covers this one.
            if entry.answered >= mine:
                return
            await self._draw(rollout_id, entry)

    def refresh(self, active: Sequence[Active]) -> None:
        """Show new measurements, those of the oldest cards first, as many as their channels have room for now.

        What finds no room waits for a later call: with a thousand rollouts in a channel, none is read in vain.
        """
        now = asyncio.get_running_loop().time()
        room: dict[int, int] = {}
        waiting = Counter(
            entry.channel_id or entry.place for entry in self._entries.values() if entry.later is not None
        )
        changed = [
            (entry, one)
            for one in active
            if one.judged
            and (entry := self._entry(one.id)).shown != (one.version, one.stamp)
            and entry.later is None
            and not entry.lock.locked()
            and now >= max(entry.edited_at + NUMBERS_EVERY_S, self._closed.get(one.guild_id, 0.0))
        ]
        for entry, one in sorted(changed, key=lambda pair: pair[0].edited_at):
            # Until this process has found the card, it is where another card of the guild is.
            place = entry.channel_id or self._found_in.get(one.guild_id, one.guild_id)
            if place not in room:
                room[place] = self._budget.room(place, Priority.NUMBERS) - waiting[place]
            if room[place] > 0:
                room[place] -= 1
                entry.place = place
                self._later(one.id, entry, 0.0)

    async def close(self) -> None:
        """Cancel pending updates. Nothing is lost: cards are drawn from the database."""
        pending = [e.later for e in self._entries.values() if e.later is not None]
        for task in pending:
            task.cancel()
        await asyncio.gather(*pending, return_exceptions=True)

    async def ref(self, rollout_id: int) -> CardRef | None:
        """Location of the card, posted first if necessary; None when it cannot be posted."""
        found = await self._book.card(rollout_id)
        if found is None:
            await self.draw(rollout_id)
            found = await self._book.card(rollout_id)
        return found

    async def thread(self, rollout_id: int, seen: RolloutView, gone: int | None = None) -> int | None:
        """The thread of the card, created if there is none or if it is `gone`; None when Discord refuses."""
        guild = self._guild(seen.rollout)
        ref = await self.ref(rollout_id)
        if ref is None or guild is None or ref.thread_id not in (None, gone):
            return ref.thread_id if ref is not None else None
        async with self._entry(rollout_id).lock:
            ref = await self._book.card(rollout_id) or ref
            if ref.thread_id in (None, gone):
                thread_id = await self._threads.make(GuildChannels(self._rest(), guild), ref, seen.rollout)
                ref = replace(ref, thread_id=thread_id)
                await self._book.put_card(ref)
        return ref.thread_id

    async def _draw(self, rollout_id: int, entry: CardState) -> None:
        """Show a changed state now and changed numbers later."""
        asked = entry.asked
        found = await self._seen(rollout_id, entry)
        if found is None:
            return
        seen, guild = found
        now = asyncio.get_running_loop().time()
        closed_s = self._closed.get(guild.id, 0.0) - now
        if closed_s > 0:
            self._later(rollout_id, entry, closed_s)
        elif self._shape(seen) == entry.shape:
            self._later(rollout_id, entry, entry.edited_at + NUMBERS_EVERY_S - now)
        else:
            await self._in_turn(rollout_id, entry, seen, guild)
            # The state was read after the wait: requests until then are covered.
            asked = max(asked, entry.covered)
        entry.answered = asked

    async def _in_turn(
        self, rollout_id: int, entry: CardState, seen: RolloutView, guild: GuildConfig
    ) -> None:
        channels = GuildChannels(self._rest(), guild)
        try:
            channel_id = await self._channel(channels, rollout_id, entry)
            priority = priority_of(seen.rollout)
            if priority is not Priority.URGENT:
                # Steps that take no time follow each other at once: one edit shows them all and saves the budget.
                await asyncio.sleep(entry.edited_at + SETTLE_S - asyncio.get_running_loop().time())
            await self._budget.turn(channel_id, priority)
        except (ClosedError, GoneError) as error:
            await self._shut_out(rollout_id, entry, guild, seen.rollout, error)
            return
        entry.covered = entry.asked
        seen = await self._view(rollout_id, entry)
        entry.chart_every_s = CHART_EVERY_S  # people look at a card that has changed
        # What is over is shown as it ended, numbers and chart at once: nothing after this draws it again.
        picture = await self._publisher.last_picture(entry, seen) if seen.rollout.phase.final else None
        await self._show(channels, entry, seen, picture)

    async def _show(
        self, channels: GuildChannels, entry: CardState, seen: RolloutView, picture: Picture | None
    ) -> None:
        rollout = seen.rollout
        try:
            await self._publisher.show(channels, entry, seen, picture)
        except (ClosedError, GoneError) as error:
            await self._shut_out(rollout.id, entry, channels.guild, rollout, error)
            return
        except RejectedError as error:
            _log.error("card_rejected", rollout=rollout.id, error=str(error))
        entry.shape, entry.shown = self._shape(seen), (rollout.version, rollout.stamp)
        if self._publisher.chart_due(entry, seen):
            # In a crowded channel, `refresh` takes in turn the cards of what is measured.
            if self._has_room(entry) or not judged(rollout):
                now = asyncio.get_running_loop().time()
                self._later(rollout.id, entry, max(0.1, entry.chart_at + entry.chart_every_s - now))
        elif rollout.phase.final and entry.later is None:
            self._entries.pop(rollout.id, None)

    def _later(self, rollout_id: int, entry: CardState, delay_s: float) -> None:
        due = asyncio.get_running_loop().time() + max(0.0, delay_s)
        if entry.later is not None:
            # An earlier or running update shows this too; numbers do not wait for a chart.
            if entry.later_at <= due:
                return
            entry.later.cancel()
        entry.later_at = due
        entry.later = asyncio.create_task(self._lazily(rollout_id, entry, max(0.0, delay_s)))

    async def _lazily(self, rollout_id: int, entry: CardState, delay_s: float) -> None:
        try:
            await asyncio.sleep(delay_s)
            entry.later_at = -1e9
            await self._catch_up(rollout_id, entry)
        except Unreachable as error:
            _log.debug("card_delayed", rollout=rollout_id, error=str(error))
        except Exception as error:
            _log.error("card_failed", rollout=rollout_id, exc_info=error)
        finally:
            if entry.later is asyncio.current_task():
                entry.later = None

    async def _catch_up(self, rollout_id: int, entry: CardState) -> None:
        """Show new numbers, with a new chart when it is time for one. Most numbers need one look at the rollout."""
        channel_id = entry.channel_id or await self._found(rollout_id, entry)
        if channel_id is None:
            return
        # Wait outside the lock: a rollback must not queue behind a chart of its own rollout.
        charted = self._publisher.chart_time(entry)
        await self._budget.turn(channel_id, Priority.CHART if charted else Priority.NUMBERS)
        # Drawn after the wait: it shows what is measured now, and no picture is kept meanwhile.
        picture = await self._picture(rollout_id, entry) if charted else None
        async with entry.lock:
            entry.later = None
            found = await self._seen(rollout_id, entry)
            if found is not None:
                seen, guild = found
                picture = await self._publisher.still(picture, entry, seen)
                await self._show(GuildChannels(self._rest(), guild), entry, seen, picture)

    async def _found(self, rollout_id: int, entry: CardState) -> int | None:
        """The channel of a card that this process has not seen yet; None where it cannot be shown."""
        found = await self._seen(rollout_id, entry)
        if found is None:
            return None
        seen, guild = found
        try:
            return await self._channel(GuildChannels(self._rest(), guild), rollout_id, entry)
        except (ClosedError, GoneError) as error:
            entry.later = None
            await self._shut_out(rollout_id, entry, guild, seen.rollout, error)
            return None

    async def _picture(self, rollout_id: int, entry: CardState) -> Picture | None:
        """A new chart, unless others were drawn during the wait."""
        found = await self._seen(rollout_id, entry) if self._publisher.take_chart_turn(entry) else None
        return await self._publisher.picture(entry, found[0]) if found is not None else None

    def _has_room(self, entry: CardState) -> bool:
        return entry.channel_id is None or self._budget.room(entry.channel_id, Priority.CHART) > 0

    async def _view(self, rollout_id: int, entry: CardState) -> RolloutView:
        seen = await self._views(rollout_id)
        entry.belongs_to(seen.rollout)
        return seen

    async def _seen(self, rollout_id: int, entry: CardState) -> tuple[RolloutView, GuildConfig] | None:
        try:
            seen = await self._view(rollout_id, entry)
        except UserError as error:
            _log.warning("unknown_rollout", rollout=rollout_id, error=str(error))
            return None
        guild = self._guild(seen.rollout)
        return (seen, guild) if guild is not None else None

    async def _channel(self, channels: GuildChannels, rollout_id: int, entry: CardState) -> int:
        """The channel of the card, remembered for `refresh`."""
        ref = await self._book.card(rollout_id)
        found = ref.channel_id if ref is not None else (await channels.channel("deploys")).id
        entry.channel_id = self._found_in[channels.guild.id] = found
        return found

    def _shape(self, seen: RolloutView) -> str:
        return shape_of(seen.rollout, machine.allowed_actions(seen.rollout, self._clock.now()))

    async def _shut_out(
        self, rollout_id: int, entry: CardState, guild: GuildConfig, rollout: Rollout, error: Exception
    ) -> None:
        """Handle a channel that is gone or closed to us: report it and retry later."""
        self._closed[guild.id] = asyncio.get_running_loop().time() + CLOSED_S
        what = f"{rollout.lane.service} {rollout.candidate.version} → {rollout.lane.environment}"
        _log.warning("card_channel_closed", rollout=rollout_id, error=str(error))
        sentence = (
            f"The card of {escaping.plain(what, 160)} (rollout {rollout_id}) cannot be posted: the channel is gone, "
            "or the bot may not post there. The rollout continues; `/status` shows it."
        )
        await self._report(guild, f"card:{rollout_id}", sentence)
        self._later(rollout_id, entry, CLOSED_S)

    def _entry(self, rollout_id: int) -> CardState:
        return self._entries.setdefault(rollout_id, CardState())

    def _guild(self, rollout: Rollout) -> GuildConfig | None:
        guild = self._catalog().guilds.get(rollout.guild_id)
        if guild is None:
            _log.warning("guild_not_in_catalog", guild_id=rollout.guild_id, rollout=rollout.id)
        return guild


__all__ = ["CLOSED_S", "CardScheduler", "ChartOf", "Report", "Views"]
