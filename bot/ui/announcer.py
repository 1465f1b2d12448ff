"""Announcer: posts cards, thread lines, notices and alerts to Discord."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import discord
import structlog

from bot.domain.config import Catalog, GuildConfig
from bot.domain.errors import UserError
from bot.domain.records import Active
from bot.engine.api import RolloutView
from bot.ports.coordination import Clock
from bot.ports.errors import Unreachable
from bot.ports.notifications import Announcement, Notice, UnpostedError
from bot.ports.store import CardStore, NoteStore
from bot.ports.watch.alerts import AlertStore
from bot.ui import escaping
from bot.ui.alerts.direct_messages import DirectMessages
from bot.ui.alerts.war_rooms import WarRooms
from bot.ui.cards.scheduler import CLOSED_S, CardScheduler, Views
from bot.ui.chart.chart import ChartError
from bot.ui.errors import Upload
from bot.ui.message_budget import MessageBudget, Priority
from bot.ui.notices import ALARMS, NoticeText, alert_words, nonce, words
from bot.ui.rest import (
    THREAD_ARCHIVED,
    ClosedError,
    GoneError,
    GuildChannels,
    RejectedError,
    calling,
    link,
    mentions,
)

Chart = Callable[[RolloutView], Awaitable[bytes | None]]
# Posts the card of an alert in a server, where it has none.
CardFirst = Callable[[int, int], Awaitable[None]]
BarChart = Callable[[tuple[tuple[str, str, int, int, float | None], ...]], Awaitable[bytes | None]]

_log = structlog.get_logger(__name__)
_REPORT_EVERY = timedelta(hours=1)
# A call that has waited for so long is posted in another channel, without its card or without its war room.
_ANOTHER_WAY_AFTER = timedelta(minutes=5)


class DiscordAnnouncer:
    """Implements `bot.ports.notifications.Announcer`. `rest` returns a logged-in client or raises `Unreachable`.

    rooms: threads of war rooms. directly: direct messages.
    views: rollouts as cards say them in words. measured: the same with what charts show; `views` where there is none.
    bars: draws the chart of an announcement. card_first: set by what draws the cards of alerts.
    """

    def __init__(  # noqa: PLR0917
        self,
        rest: Callable[[], discord.Client],
        views: Views,
        scheduler: CardStore,
        notes: NoteStore,
        catalog: Callable[[], Catalog],
        clock: Clock,
        *,
        chart: Chart | None = None,
        measured: Views | None = None,
        budget: MessageBudget | None = None,
        alerts: AlertStore | None = None,
        bars: BarChart | None = None,
    ) -> None:
        self._rest = rest
        self._views = views
        self._notes = notes
        self._catalog = catalog
        self._clock = clock
        self._budget = budget or MessageBudget()

        async def charted(rollout_id: int) -> tuple[bytes, float] | None:
            assert chart is not None
            seen = await (measured or views)(rollout_id)
            png = await chart(seen)
            return (png, _covered_s(seen)) if png is not None else None

        chart_of = charted if chart is not None else None
        self._scheduler = CardScheduler(
            rest, views, scheduler, notes, catalog, clock, self._budget, self._report, chart_of
        )
        self.rooms = WarRooms(notes, self._report)
        self._bars = bars
        self.directly = DirectMessages(alerts, notes, self._post_in)
        self._alerts = alerts
        self.card_first: CardFirst | None = None
        self._began = clock.now()
        self._tried: set[str] = set()
        self._closed: dict[int, float] = {}

    async def close(self) -> None:
        await self._scheduler.close()

    async def draw_card(self, rollout_id: int) -> None:
        await self._scheduler.draw(rollout_id)

    async def refresh(self, active: Sequence[Active]) -> None:
        self._scheduler.refresh(active)

    async def log_line(self, rollout_id: int, key: str, text: str, at: datetime) -> None:
        """Post one line in the thread. A line from before this process started is looked for first: it may be there."""
        seen, guild = await self._seen(rollout_id)
        if seen is None or guild is None:
            return
        line = _line(text, at)
        again = key in self._tried or at <= self._began
        self._tried.add(key)
        gone: int | None = None
        for _ in range(2):
            thread_id = await self._scheduler.thread(rollout_id, seen, gone)
            if thread_id is None or self._is_closed(thread_id):
                break
            try:
                await self._say(
                    GuildChannels(self._rest(), guild), thread_id, line, nonce(key, "l"), again=again
                )
                break
            except GoneError:
                gone = thread_id
                _log.warning("thread_gone", rollout=rollout_id)
            except (ClosedError, RejectedError) as error:
                self._shut(thread_id)
                _log.warning("log_line_refused", rollout=rollout_id, error=str(error))
                break
        self._tried.discard(key)

    async def notify(self, notice: Notice) -> None:
        """Post a notice once in each channel that needs it, mentioning exactly the people it names."""
        seen, guild = await self._seen(notice.rollout_id)
        if seen is None or guild is None:
            return
        channels = GuildChannels(self._rest(), guild)
        names = notice.mention_roles
        if notice.what == "halted" and not names:
            names = (guild.oncall_role,)
        roles = await channels.roles(names)
        ref = await self._scheduler.ref(notice.rollout_id)
        card = link(guild.id, ref.channel_id, ref.message_id) if ref is not None else ""
        trouble: Unreachable | None = None
        for post in words(notice, seen, roles, card):
            try:
                await self._post(channels, post)
            except Unreachable as error:
                trouble = error
            except (GoneError, ClosedError, RejectedError) as error:
                await self._elsewhere(channels, guild, notice, post, error)
        if trouble is not None:
            raise trouble

    async def alert(self, alert: Announcement) -> None:
        """Implements `bot.ports.notifications.Alarm`: post in its channel, or in #deploys when that is closed to us.

        A call for an alert that is over by now, or after its time, as when Discord was away, calls no one any more. One
        that has waited for long goes to #deploys too when its channel alone does not answer: others wait for it.
        """
        guild = self._catalog().guilds.get(alert.guild_id)
        if guild is None:
            return
        if alert.until is not None and self._clock.now() > alert.until:
            _log.info("call_too_late", key=alert.key)
            return
        about = await self._alerts.load(alert.alert_id) if self._alerts and alert.alert_id else None
        if about is not None and about.over:
            _log.info("call_outdated", alert=about.id, key=alert.key)
            return
        channels = GuildChannels(self._rest(), guild)
        await self._after_card(alert)
        post = alert_words(alert, await channels.roles(alert.mention_roles))
        await self._called(channels, replace(post, upload=await self._drawn(alert)), alert)

    async def _called(self, channels: GuildChannels, post: NoticeText, alert: Announcement) -> None:
        """Post it in the first channel that takes it. Raises `Unreachable`, `UnpostedError`."""
        posted, refused = False, list[str]()
        away: Unreachable | None = None
        for name in dict.fromkeys((post.channel, "alerts" if alert.room else "deploys", "deploys")):
            try:
                message = await self._post(channels, replace(post, channel=name))
            except (GoneError, ClosedError, RejectedError) as error:
                _log.error("alert_refused", guild_id=alert.guild_id, channel=name, error=str(error))
                refused.append(f"#{name}: {error}")
            except Unreachable as error:
                if not self._waited(alert):
                    raise
                _log.warning("alert_channel_away", guild_id=alert.guild_id, channel=name, error=str(error))
                away = error
            else:
                posted = True
                if not alert.room or await self._room_opened(channels, name, message, alert):
                    return
        if not posted:
            raise away or UnpostedError(", ".join(refused))

    async def _room_opened(
        self, channels: GuildChannels, channel: str, message_id: int, alert: Announcement
    ) -> bool:
        """Whether no more is to be tried. Its message is out, so others wait for the room for some minutes at most.

        False where the room is refused: an earlier attempt may have posted in the next channel.
        """
        try:
            await self.rooms.open(channels, await channels.channel(channel), message_id, alert)
        except (GoneError, ClosedError, RejectedError) as error:
            _log.error("war_room_refused", guild_id=alert.guild_id, channel=channel, error=str(error))
            return False
        except Unreachable as error:
            if not self._waited(alert):
                raise
            _log.error("war_room_given_up", guild_id=alert.guild_id, channel=channel, error=str(error))
        return True

    def _waited(self, call: Announcement) -> bool:
        """Whether it has waited for so long that it should be posted some other way."""
        return call.made_at is not None and self._clock.now() - call.made_at > _ANOTHER_WAY_AFTER

    async def direct(self, message: Announcement) -> None:
        guild = self._catalog().guilds.get(message.guild_id)
        if guild is not None:
            channels = GuildChannels(self._rest(), guild)
            await self._after_card(message)
            await self.directly.send(channels, message)

    async def _after_card(self, call: Announcement) -> None:
        """People who are called find the card, also when both waited for Discord. Raises `Unreachable`.

        A card that still cannot be posted after some minutes keeps no one from being called.
        """
        if not call.alert_id or self.card_first is None:
            return
        try:
            await self.card_first(call.alert_id, call.guild_id)
        except Unreachable as error:
            if not self._waited(call):
                raise
            _log.warning("call_before_card", alert=call.alert_id, error=str(error))
        except Exception:
            # The call is what matters.
            _log.exception("card_before_call_failed", alert=call.alert_id)

    async def _drawn(self, alert: Announcement) -> Upload | None:
        """Its chart. The message comes without it where it cannot be drawn."""
        if not alert.bars or self._bars is None:
            return None
        try:
            picture = await self._bars(alert.bars)
        except ChartError as error:
            _log.warning("announcement_not_drawn", key=alert.key, error=str(error))
            return None
        return Upload("report.png", picture) if picture is not None else None

    # ---- one message ---------------------------------------------------------------------------------------

    async def _post(self, channels: GuildChannels, post: NoticeText) -> int:
        """Post it once in its channel; the message's id."""
        note = await self._notes.note("notice", post.nonce)
        if note is not None and (posted := int(str(note.get("message") or 0))):
            return posted
        return await self._post_in(channels, await channels.channel(post.channel), post)

    async def _post_in(
        self, channels: GuildChannels, channel: discord.PartialMessageable, post: NoticeText
    ) -> int:
        note = await self._notes.note("notice", post.nonce)
        if note is not None and (posted := int(str(note.get("message") or 0))):
            return posted
        found = None
        if note is not None:
            found = await channels.find(channel, post.is_in)
        else:
            await self._notes.put_note("notice", post.nonce, {"message": 0})
        if found is None:
            await self._budget.turn(channel.id, Priority.URGENT)
            found = await self._sent(channel, post)
        await self._notes.put_note("notice", post.nonce, {"message": str(found.id)})
        return found.id

    async def _sent(self, channel: discord.PartialMessageable, post: NoticeText) -> discord.Message:
        try:
            return await calling(lambda: _send(channel, post))
        except ClosedError:
            if post.embed is None and post.upload is None:
                raise
            # Perhaps only embeds or files are forbidden. The message must still reach the people it calls.
            return await calling(lambda: _send(channel, replace(post.spelled_out(), upload=None)))

    async def _elsewhere(
        self, channels: GuildChannels, guild: GuildConfig, notice: Notice, post: NoticeText, error: Exception
    ) -> None:
        """Handle a channel that is gone or closed: an alarm goes to the other channel."""
        _log.error("notice_refused", rollout=notice.rollout_id, channel=post.channel, error=str(error))
        if post.channel == "deploys":
            await self._report(
                guild, f"notice:{post.nonce}", f"Could not post in #deploys: {post.content[:600]}"
            )
        elif notice.what in ALARMS:
            spoken = NoticeText(
                "deploys", post.content, post.embed, post.nonce, post.mark, post.roles, post.users
            )
            try:
                await self._post(channels, spoken)
            except (GoneError, ClosedError, RejectedError) as worse:
                _log.critical("alarm_undeliverable", rollout=notice.rollout_id, error=str(worse))

    async def _say(
        self, channels: GuildChannels, channel_id: int, line: str, nonce: str, *, again: bool
    ) -> None:
        channel = channels.at(channel_id)
        if again and await channels.find(channel, lambda m: m.content == line) is not None:
            return
        await self._budget.turn(channel_id, Priority.LOG)
        try:
            await calling(lambda: channel.send(line, nonce=nonce))
        except RejectedError as error:
            if error.code != THREAD_ARCHIVED:
                raise
            await calling(lambda: channels.client.http.edit_channel(channel_id, archived=False))
            await calling(lambda: channel.send(line, nonce=nonce))

    async def _report(self, guild: GuildConfig, key: str, sentence: str) -> None:
        """Report a problem in #alerts, at most once an hour per `key`, and always in the log."""
        _log.warning("problem_reported", guild_id=guild.id, key=key, sentence=sentence)
        try:
            note = await self._notes.note("report", key)
            now = self._clock.now()
            if note is not None and now - datetime.fromisoformat(str(note["at"])) < _REPORT_EVERY:
                return
            channel = await GuildChannels(self._rest(), guild).channel("alerts")
            await self._budget.turn(channel.id, Priority.STATE)
            said = escaping.sentence(f"⚠️ {sentence}", escaping.CONTENT)
            await calling(lambda: channel.send(said, allowed_mentions=discord.AllowedMentions.none()))
            await self._notes.put_note("report", key, {"at": now.isoformat()})
        except (Unreachable, GoneError, ClosedError, RejectedError) as error:
            _log.warning("report_failed", guild_id=guild.id, error=str(error))

    async def _seen(self, rollout_id: int) -> tuple[RolloutView | None, GuildConfig | None]:
        try:
            seen = await self._views(rollout_id)
        except UserError as error:
            _log.warning("unknown_rollout", rollout=rollout_id, error=str(error))
            return None, None
        return seen, self._catalog().guilds.get(seen.rollout.guild_id)

    def _shut(self, channel_id: int) -> None:
        now = asyncio.get_running_loop().time()
        # Every rollout has a thread: drop those that may be open again.
        self._closed = {known: until for known, until in self._closed.items() if until > now}
        self._closed[channel_id] = now + CLOSED_S

    def _is_closed(self, channel_id: int) -> bool:
        return asyncio.get_running_loop().time() < self._closed.get(channel_id, 0.0)


def _covered_s(seen: RolloutView) -> float:
    """Seconds that the chart of a rollout covers."""
    points = seen.series
    return (points[-1].at - points[0].at).total_seconds() if points else 0.0


def _line(said: str, at: datetime) -> str:
    return f"{escaping.clock(at)} {escaping.sentence(said, 1800)}"


async def _send(channel: discord.PartialMessageable, post: NoticeText) -> discord.Message:
    allowed = mentions(post.roles, post.users)
    if post.embed is not None:
        return await channel.send(post.content, embed=post.embed, nonce=post.nonce, allowed_mentions=allowed)
    if post.upload is not None:
        return await channel.send(
            post.content, file=post.upload.file(), nonce=post.nonce, allowed_mentions=allowed
        )
    if post.button is not None:
        view = discord.ui.View(timeout=None)
        view.add_item(post.button())
        return await channel.send(
            post.content, nonce=post.nonce, allowed_mentions=allowed, view=view, suppress_embeds=True
        )
    return await channel.send(post.content, nonce=post.nonce, allowed_mentions=allowed, suppress_embeds=True)
