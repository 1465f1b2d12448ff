"""`/alerts`, and the buttons of alert cards."""

from __future__ import annotations

from discord import app_commands
from discord.ext import commands

from bot.domain.config import GuildConfig
from bot.domain.errors import Refused
from bot.domain.rollout.model import Actor
from bot.domain.watch.alerts.alert import Alert, AlertAction
from bot.engine.watch.alerts.api import AlertRequest, AlertRollback
from bot.engine.watch.alerts.service import Alerts
from bot.ui import escaping
from bot.ui.alerts.buttons import AlertPress, question
from bot.ui.alerts.card import headline
from bot.ui.errors import Reply
from bot.ui.interactions import lists
from bot.ui.interactions.people import AnyInteraction, id_used
from bot.ui.interactions.responder import LOOK_UP_S, Responder

_DONE = {
    AlertAction.ACKNOWLEDGE: "✅ You have alert {id} now. No one else is called while you are at it.",
    AlertAction.ESCALATE: "📣 The next people are called for alert {id}.",
    AlertAction.SILENCE: "🔕 Alert {id} is silent for an hour. Its card goes on.",
    AlertAction.UNSILENCE: "🔔 Alert {id} is no longer silent.",
    AlertAction.RESOLVE: "✅ Alert {id} is resolved.",
}


class AlertCommands(commands.Cog):
    """What is wrong now, and who has it."""

    def __init__(self, responder: Responder) -> None:
        self.responder = responder

    @app_commands.command(name="alerts", description="Show the alerts that are not over")
    async def alerts(self, interaction: AnyInteraction) -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            found = await self._service().open(guild.id)
            if not found:
                return Reply("✅ No alert is open.")
            return lists.layout([_line(alert) for alert in found], more="the worst come first")

        await self.responder.answer(interaction, "alerts", work, category="read")

    @commands.Cog.listener()
    async def on_interaction(self, interaction: AnyInteraction) -> None:
        """Presses on cards and in direct messages, even from before a restart."""
        press = AlertPress.parse(id_used(interaction))
        if press is None:
            return

        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            if press.action is None:
                return await self._roll_back(interaction, guild, actor, press)
            # A direct message offers it only while no one has the alert.
            request = AlertRequest(
                press.alert_id, press.action, actor, guild.id, unless_taken=bool(press.guild_id)
            )
            alert = await self._service().act(request)
            return Reply(_DONE[press.action].format(id=alert.id))

        name = press.action or "roll back"
        await self.responder.answer(
            interaction, f"alert:{name}", work, category=None, patience_s=LOOK_UP_S, about=press.guild_id
        )

    async def _roll_back(
        self, interaction: AnyInteraction, guild: GuildConfig, actor: Actor, press: AlertPress
    ) -> Reply:
        request = AlertRollback(
            press.alert_id,
            actor,
            guild.id,
            interaction=str(interaction.id),
            confirmed=press.confirmed,
            of_rollout=press.rollout_id,
        )
        try:
            alert, rollout = await self._service().roll_back(request)
        except Refused as refused:
            if refused.rule != "irreversible":
                raise
            asked = escaping.sentence(f"⚠️ {refused.sentence} Roll back anyway?", escaping.CONTENT)
            return Reply(view=question(asked, press), outcome="refused")
        where = escaping.plain(str(alert.lane), 100)
        return Reply(f"↩️ **Rolling back** {where} (rollout {rollout.id}). You have alert {alert.id} now.")

    def _service(self) -> Alerts:
        assert self.responder.alerts is not None, "composition gives it"
        return self.responder.alerts


def _line(alert: Alert) -> str:
    owner = f"{escaping.plain(alert.owner.name, 60)} has it" if alert.owner else "no one has it yet"
    return f"{headline(alert)}\n-# Alert {alert.id} · since {escaping.relative(alert.opened_at)} · {owner}"
