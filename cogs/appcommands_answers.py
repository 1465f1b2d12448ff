"""Work behind `/commands-sync` and the presses on its answers: call the service, answer the person."""

from __future__ import annotations

import asyncio
from typing import Any

import discord

from bot.domain import phrasebook
from bot.domain.config import GuildConfig, unknown
from bot.domain.rollout.model import Actor
from bot.engine.appcommands.api import (
    ApplicationView,
    ApplyRequest,
    InvalidManifest,
    RestoreRequest,
)
from bot.engine.appcommands.service import AppCommandsService
from bot.ui.appcommands import answers, lists
from bot.ui.appcommands.buttons import ButtonId, RestoreForm
from bot.ui.appcommands.wording import Place, place_of
from bot.ui.buttons import reason_in
from bot.ui.errors import Reply
from bot.ui.interactions.handlers import ask
from bot.ui.interactions.people import AnyInteraction
from bot.ui.interactions.responder import Responder
from cogs.deploy import channel

# Discord and the manifest source may take five seconds each, plus retries.
_PATIENCE_S = 60.0


class Answers:
    """One method per request; each answers the interaction. Names are as typed."""

    def __init__(self, responder: Responder) -> None:
        self.responder = responder

    @property
    def service(self) -> AppCommandsService:
        if self.responder.commands is None:
            raise phrasebook.no_applications()
        return self.responder.commands

    def place(self) -> Place:
        return place_of({guild.id: guild.name for guild in self.responder.catalog().guilds.values()})

    def application(self, guild: GuildConfig, name: str) -> ApplicationView:
        """Raises `UserError` with the nearest names."""
        known = {view.name: view for view in self.service.applications(guild.id)}
        if name not in known:
            raise unknown("application", name, known)
        return known[name]

    # ---- looking -------------------------------------------------------------------------------------------

    async def diff(self, interaction: AnyInteraction, app: str, environment: str) -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            view = self.application(guild, app)
            wanted = [environment] if environment else list(view.environments)
            found = await asyncio.gather(*(self.service.diff(guild.id, app, one) for one in wanted))
            return answers.difference(found, self.place())

        await self._read(interaction, "diff", work)

    async def validate(self, interaction: AnyInteraction, app: str) -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            return answers.validation(await self.service.validate(guild.id, app))

        await self._read(interaction, "validate", work)

    async def status(self, interaction: AnyInteraction, app: str) -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            return lists.status(await self.service.status(guild.id, app or None), self.place())

        await self._read(interaction, "status", work)

    async def backups(self, interaction: AnyInteraction, page: ButtonId) -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            found = await self.service.backups(
                guild.id,
                page.application,
                page.environment or None,
                before=page.number or None,
                limit=lists.PAGE + 1,
            )
            return lists.backups(
                found, page.application, page.environment, self.place(), first=not page.number
            )

        await self._read(interaction, "backups", work)

    async def history(self, interaction: AnyInteraction, page: ButtonId) -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            found = await self.service.history(
                guild.id, page.application or None, before=page.number or None, limit=lists.PAGE + 1
            )
            return lists.history(found, page.application, self.place(), first=not page.number)

        await self._read(interaction, "history", work)

    async def backup(self, interaction: AnyInteraction, backup_id: int) -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            return lists.backup(await self.service.backup(guild.id, backup_id), self.place())

        await self._read(interaction, "backup", work)

    async def compare(self, interaction: AnyInteraction, backup_id: int) -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            found = await self.service.compare(guild.id, backup_id)
            heading = f"What restoring backup {backup_id} would change"
            return answers.difference([found], self.place(), heading=heading, backup=backup_id)

        await self._read(interaction, "compare", work)

    # ---- changing ------------------------------------------------------------------------------------------

    async def apply(
        self, interaction: AnyInteraction, app: str, environment: str, reason: str, emergency: bool
    ) -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            if emergency and not reason:
                raise phrasebook.reason_required("Say in `reason` why it cannot wait for staging.")
            request = ApplyRequest(
                guild_id=guild.id,
                actor=actor,
                application=app,
                environment=environment,
                reason=reason,
                interaction=str(interaction.id),
                emergency=emergency,
            )
            try:
                done = await self.service.apply(request)
            except InvalidManifest as error:
                return answers.mistakes(app, error.mistakes)
            return answers.applied(done, self.place(), channel(interaction, guild))

        await self.responder.answer(
            interaction, "commands-sync apply", work, category="deploy", patience_s=_PATIENCE_S
        )

    async def restore(
        self, interaction: AnyInteraction, backup: str, reason: str, app: str | None = None
    ) -> None:
        """`app`: the application the person thinks the backup belongs to. Never rate-limited for on-call."""

        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            backup_id = _number(backup)
            if guild.oncall_role not in actor.roles:
                await self.responder.spend("deploy", actor)
            if app is not None:
                await self._is_of(guild, backup_id, app)
            request = RestoreRequest(guild.id, actor, backup_id, reason, str(interaction.id))
            try:
                done = await self.service.restore(request)
            except InvalidManifest as error:
                return answers.mistakes(f"backup {backup_id}", error.mistakes)
            return answers.restored(done, self.place(), channel(interaction, guild))

        await self.responder.answer(
            interaction, "commands-sync rollback", work, category=None, patience_s=_PATIENCE_S
        )

    async def _is_of(self, guild: GuildConfig, backup_id: int, app: str) -> None:
        owner = (await self.service.backup(guild.id, backup_id)).line.application
        if owner != app:
            raise phrasebook.other_application(backup_id, owner, app, "/commands-sync backups")

    # ---- presses -------------------------------------------------------------------------------------------

    async def touched(self, interaction: AnyInteraction, button_id: ButtonId, data: Any) -> None:
        """Handle a button, the select or the form of an answer, even from before a restart."""
        match button_id.verb:
            case "backups":
                await self.backups(interaction, button_id)
            case "history":
                await self.history(interaction, button_id)
            case "pick":
                await self.backup(interaction, int((data.get("values") or ["0"])[0]))
            case "compare":
                await self.compare(interaction, button_id.number)
            case "restore" if interaction.type is discord.InteractionType.modal_submit:
                await self.restore(interaction, str(button_id.number), reason_in(data))
            case "restore":
                await ask(interaction, lambda: RestoreForm(button_id))

    async def _read(self, interaction: AnyInteraction, what: str, work: Any) -> None:
        await self.responder.answer(
            interaction, f"commands-sync {what}", work, category="read", patience_s=_PATIENCE_S
        )


def _number(given: str) -> int:
    digits = given.strip().removeprefix("#")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 18:
        raise phrasebook.not_a_backup(given)
    return int(digits)
