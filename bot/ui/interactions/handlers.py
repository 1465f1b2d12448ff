"""Button presses on cards: open a form when a reason is required, otherwise act and answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import discord
import structlog

from bot.domain import phrasebook
from bot.domain.config import GuildConfig
from bot.domain.errors import Refused
from bot.domain.rollout.model import Action, Actor
from bot.engine.api import ActRequest
from bot.ui import escaping
from bot.ui.buttons import ASKS, LABEL, PREFIX, Press, ReasonForm, question, reason_in
from bot.ui.errors import Reply, applied_already, transient, why
from bot.ui.interactions.people import AnyInteraction, id_used
from bot.ui.interactions.responder import Responder

_log = structlog.get_logger(__name__)


async def pressed(responder: Responder, interaction: AnyInteraction) -> bool:
    """Answer a press on a card, or a submitted form of one. False when the id is not a card's.

    Works from the id alone, so also for cards that were redrawn, finished or drawn before a restart.
    """
    data: Any = interaction.data or {}
    press = Press.parse(str(data.get("custom_id", "")))
    if press is None:
        return False
    submitted = interaction.type is discord.InteractionType.modal_submit
    if press.action in ASKS and not submitted:
        await ask(interaction, lambda: ReasonForm(press))
    else:
        await _act(responder, interaction, press, reason_in(data) if submitted else "")
    return True


def of_rollout(interaction: AnyInteraction) -> bool:
    """Whether it is a press on a rollout's card, or a form that such a press opened, also of another version."""
    return id_used(interaction, forms=True).startswith(PREFIX)


async def orphaned(responder: Responder, interaction: AnyInteraction) -> None:
    """Answer a button with our prefix that this version does not know, instead of failing silently."""
    if not of_rollout(interaction):
        return

    async def explain(config: GuildConfig, actor: Actor) -> Reply:
        return Reply(f"✋ {phrasebook.outdated_button()}")

    await responder.answer(interaction, "press:unknown", explain, category="read")


async def ask(interaction: AnyInteraction, form: Callable[[], discord.ui.Modal]) -> None:
    """Open a form. The second attempt uses a new one."""
    for _ in range(2):
        try:
            await interaction.response.send_modal(form())
            return
        except discord.HTTPException as error:
            if applied_already(error):
                return
            if not transient(error):
                _log.error("form_refused", **why(error))
                return
        except Exception as error:
            if not transient(error):
                raise
    return


async def _act(responder: Responder, interaction: AnyInteraction, press: Press, reason: str) -> None:
    async def work(config: GuildConfig, actor: Actor) -> Reply:
        if not (press.action is Action.ROLL_BACK and config.oncall_role in actor.roles):
            await responder.spend("deploy", actor)
        if press.action in ASKS and not reason:
            # Discord's form accepts blanks, and a decision against the judge must be justified.
            raise phrasebook.reason_required("Press the button again and say why in a sentence.")
        request = ActRequest(
            rollout_id=press.rollout_id,
            action=press.action,
            actor=actor,
            guild_id=config.id,
            step=press.step,
            seal=press.seal,
            reason=reason,
            interaction=str(interaction.id),
            confirmed=press.confirmed,
        )
        try:
            done = await responder.engine.act(request)
        except Refused as refused:
            if refused.rule != "irreversible":
                raise
            asked = escaping.sentence(f"⚠️ {refused.sentence} Roll back anyway?", escaping.CONTENT)
            return Reply(view=question(asked, press), outcome="refused")
        shape = "☑️" if done.repeated else "✅"
        said = escaping.sentence(f"{shape} {done.sentence}", escaping.CONTENT)
        return Reply(said, outcome="repeated" if done.repeated else "ok")

    await responder.answer(interaction, f"press:{LABEL[press.action].lower()}", work, category=None)
