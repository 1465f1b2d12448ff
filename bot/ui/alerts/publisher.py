"""Posts and edits the cards of alerts. Every operation may be repeated."""

from __future__ import annotations

import asyncio
import sys
from collections import defaultdict
from collections.abc import Callable

import discord
import structlog

from bot.domain.config import Catalog, GuildConfig
from bot.domain.errors import UserError
from bot.domain.watch.alerts.alert import Alert
from bot.domain.watch.alerts.escalation import Responder
from bot.domain.watch.alerts.findings import Severity
from bot.domain.watch.alerts.follow_up import called_at
from bot.engine.watch.alerts.api import AlertView
from bot.engine.watch.alerts.calls import pinged_at_first
from bot.engine.watch.alerts.service import Alerts
from bot.ports.coordination import Clock
from bot.ports.store import NoteStore
from bot.ports.watch.alerts import AlertCard, AlertStore
from bot.ui.alerts.buttons import controls
from bot.ui.alerts.card import embed, headline
from bot.ui.alerts.direct_messages import DirectMessages
from bot.ui.alerts.pictures import AlertPictures, Draw, with_or_without
from bot.ui.alerts.rounds import DIRECTLY, DrawingRounds
from bot.ui.errors import Upload
from bot.ui.live_message import LiveMessages
from bot.ui.message_budget import MessageBudget
from bot.ui.rest import ClosedError, GoneError, GuildChannels, RejectedError, mentions

_log = structlog.get_logger(__name__)

_BATCH = 20
# A round does not wait longer for a server that is slow: those of others go on beside it.
_ROUND_S = 0.25
# The database does not have the alert any more: no version of it is drawn again.
_GONE = sys.maxsize
# Of a storm, this many new cards are posted in a server within ten minutes; those of critical alerts always.
MOST_CARDS, STORM_S = 20, 600.0


class AlertCards:
    """Brings cards up to date, the worst first: `once` is a round of a loop in the process that speaks to Discord.

    Each server is drawn by itself, and so is what was written directly: one that does not answer delays no other.
    """

    def __init__(
        self,
        rest: Callable[[], discord.Client],
        alerts: Alerts,
        *,
        store: AlertStore,
        notes: NoteStore,
        catalog: Callable[[], Catalog],
        clock: Clock,
        budget: MessageBudget,
        draw: Draw | None = None,
        directly: DirectMessages | None = None,
    ) -> None:
        """`draw`: the picture of an alert as a PNG, None where there is nothing to draw. directly: the direct messages
        about alerts, which develop too.
        """
        self._rest = rest
        self._alerts = alerts
        self._store = store
        self._catalog = catalog
        self._clock = clock
        self._messages = LiveMessages("alert", notes, budget)
        self._posted: dict[int, list[float]] = {}
        # Of each server: a card that is drawn later has its picture all the same.
        self._pictures = defaultdict[int, AlertPictures](lambda: AlertPictures(draw))
        self._directly = directly
        self._turns = defaultdict[int, asyncio.Lock](asyncio.Lock)
        self._rounds = DrawingRounds(self._drawn_in)

    async def once(self) -> bool:
        """Raises what kept a card from being drawn, once all others were."""
        outdated = await self._store.undrawn(_BATCH, self._rounds.waiting())
        known = self._catalog().guilds
        directly = (DIRECTLY,) if self._directly is not None else ()
        for alert, _ in outdated:
            self._rounds.add(
                alert, (*directly, *(guild_id for guild_id in alert.guilds if guild_id in known))
            )
        drawn, error = await self._rounds.go_on(_ROUND_S)
        for alert_id, version in drawn.items():
            await self._store.drawn(alert_id, version)
        if error is not None:
            raise error
        return len(outdated) == _BATCH or self._rounds.under_way

    async def close(self) -> None:
        await self._rounds.stop()

    async def _drawn_in(self, place: int, alert_id: int) -> int:
        """Draw the alert in a server, or what was written about it directly; the version that is shown there now."""
        if place == DIRECTLY:
            alert = await self._store.load(alert_id)
            if alert is not None and self._directly is not None:
                await self._directly.update(self._rest(), alert)
            return alert.version if alert is not None else _GONE
        try:
            view = await self._alerts.view(alert_id)
        except UserError:
            return _GONE
        guild = self._catalog().guilds.get(place)
        if guild is not None:
            await self._draw(view, guild, await self._pictures[place].due(view.alert))
        return view.alert.version

    async def first(self, alert_id: int, guild_id: int) -> None:
        """Post the card in this server if it has none: before a call about the alert, which leads to it.

        Raises `Unreachable`. A storm may leave it out.
        """
        guild = self._catalog().guilds.get(guild_id)
        if guild is None or any(card.guild_id == guild_id for card in await self._store.cards(alert_id)):
            return
        if await self._store.load(alert_id) is not None:
            await self._draw(await self._alerts.view(alert_id), guild, None)

    async def _draw(self, view: AlertView, guild: GuildConfig, picture: Upload | None) -> None:
        # A call may want it at the same time.
        async with self._turns[guild.id]:
            await self._brought_up_to_date(view, guild, picture)

    async def _brought_up_to_date(self, view: AlertView, guild: GuildConfig, picture: Upload | None) -> None:
        alert = view.alert
        channels = GuildChannels(self._rest(), guild)
        known = {card.guild_id: card for card in await self._store.cards(alert.id)}.get(guild.id)
        try:
            if known is not None and await self._edited(channels, view, known, picture):
                return
            if known is None and not self._room(alert, guild.id):
                _log.warning("alert_card_left_out", alert=alert.id, guild_id=guild.id)
                if self._pinged(alert):
                    await self._alerts.left_out(alert.id, MOST_CARDS, STORM_S)
                return
            await self._post(channels, view, known.message_id if known is not None else 0, picture)
        except (GoneError, ClosedError, RejectedError) as error:
            _log.error("alert_card_refused", alert=alert.id, guild_id=guild.id, error=str(error))

    async def _edited(
        self, channels: GuildChannels, view: AlertView, card: AlertCard, picture: Upload | None
    ) -> bool:
        """Whether the message is there and shows it now."""
        alert, guild_id = view.alert, channels.guild.id
        edited = await self._messages.edited(
            channels,
            card.channel_id,
            card.message_id,
            lambda message: with_or_without(
                picture,
                lambda shown: message.edit(
                    content=headline(alert),
                    embed=self._embed(view, guild_id, shown),
                    view=controls(alert),
                    allowed_mentions=discord.AllowedMentions.none(),
                    **self._pictures[guild_id].editing(alert.id, guild_id, shown),
                ),
            ),
        )
        if edited is not None:
            self._pictures[guild_id].sent(alert, guild_id, edited)
        return edited is not None

    async def _post(
        self, channels: GuildChannels, view: AlertView, gone: int, picture: Upload | None
    ) -> None:
        """Post the card, and call the people of the first step. One that an earlier attempt posted is taken.

        gone: the message that was its card before; 0 for none.
        """
        alert, guild = view.alert, channels.guild
        try:
            channel = await channels.channel("alerts")
            message = await self._sent(channels, channel, view, gone, picture)
        except (GoneError, ClosedError) as error:
            _log.error("alerts_channel_closed", guild_id=guild.id, error=str(error))
            channel = await channels.channel("deploys")
            message = await self._sent(channels, channel, view, gone, picture)
        await self._store.put_card(AlertCard(alert.id, guild.id, channel.id, message.id))
        self._pictures[guild.id].sent(alert, guild.id, message)
        self._posted.setdefault(guild.id, []).append(asyncio.get_running_loop().time())

    async def _sent(
        self,
        channels: GuildChannels,
        channel: discord.PartialMessageable,
        view: AlertView,
        gone: int,
        picture: Upload | None,
    ) -> discord.Message:
        alert, guild = view.alert, channels.guild
        reached = await self._alerts.calls.reached(alert, self._pinged(alert), guild.id, self._clock.now())
        roles = await channels.roles(reached.roles)
        pings = [*(f"<@&{role}>" for role in roles), *(f"<@{user}>" for user in reached.users)]
        content = " ".join((*pings, headline(alert)))
        return await self._messages.sent(
            channels,
            channel,
            (alert.id, f"Alert {alert.id}"),
            lambda nonce: with_or_without(
                picture,
                lambda shown: channel.send(
                    content,
                    embed=self._embed(view, guild.id, shown),
                    view=controls(alert),
                    nonce=nonce,
                    allowed_mentions=mentions(roles, reached.users),
                    **self._pictures[guild.id].posting(shown),
                ),
            ),
            gone=gone,
        )

    def _pinged(self, alert: Alert) -> tuple[Responder, ...]:
        """Whom its card calls when it is posted."""
        return pinged_at_first(alert, self._alerts.policy(alert.lane))

    def _embed(self, view: AlertView, guild_id: int, picture: Upload | None) -> discord.Embed:
        alert = view.alert
        card = embed(view, self._clock.now(), called_at(alert, self._alerts.policy(alert.lane)))
        return self._pictures[guild_id].shown(card, alert.id, guild_id, picture)

    def _room(self, alert: Alert, guild_id: int) -> bool:
        """Whether a new card may be posted: a storm must not fill the channel, and no critical alert is left out."""
        now = asyncio.get_running_loop().time()
        recent = [at for at in self._posted.get(guild_id, ()) if at > now - STORM_S]
        self._posted[guild_id] = recent
        return alert.severity is Severity.CRITICAL or len(recent) < MOST_CARDS
