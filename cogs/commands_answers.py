"""What `/commands-sync` and the presses on its answers do: the desk is asked, the person is told."""

from __future__ import annotations

import asyncio
from typing import Any

import discord

from bot.domain.config import GuildConfig, unknown
from bot.domain.errors import Refused, UserError
from bot.domain.model import Actor
from bot.engine.commands.api import (
    ApplicationView,
    ApplyRequest,
    Commands,
    InvalidManifest,
    RestoreRequest,
)
from bot.ui import commands_lists, commands_sync, text
from bot.ui.buttons import reason_in
from bot.ui.commands_buttons import RestoreForm, Touch
from bot.ui.commands_words import Place, place_of
from bot.ui.errors import Reply
from bot.ui.face import Face
from bot.ui.people import AnyInteraction
from bot.ui.presses import ask
from cogs.deploy import channel

# Discord and the manifest's source may take five seconds each, and tries again.
_PATIENCE_S = 60.0


class Answers:
    """One method for each thing that a person may ask; each answers the interaction. Names are as they were typed."""

    def __init__(self, face: Face) -> None:
        self.face = face

    @property
    def desk(self) -> Commands:
        if self.face.commands is None:
            raise Refused(
                "Slipway looks after no application's commands.",
                rule="no_applications",
                remedy="Whoever runs Slipway can name them under `applications` in the catalog.",
            )
        return self.face.commands

    def place(self) -> Place:
        return place_of({guild.id: guild.name for guild in self.face.catalog().guilds.values()})

    def application(self, guild: GuildConfig, name: str) -> ApplicationView:
        """Raises `UserError` with the nearest names."""
        known = {view.name: view for view in self.desk.applications(guild.id)}
        if name not in known:
            raise unknown("application", name, known)
        return known[name]

    # ---- looking -------------------------------------------------------------------------------------------

    async def diff(self, interaction: AnyInteraction, app: str, environment: str) -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            view = self.application(guild, app)
            wanted = [environment] if environment else list(view.environments)
            found = await asyncio.gather(*(self.desk.diff(guild.id, app, one) for one in wanted))
            return commands_sync.difference(found, self.place())

        await self._read(interaction, "diff", work)

    async def validate(self, interaction: AnyInteraction, app: str) -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            return commands_sync.validation(await self.desk.validate(guild.id, app))

        await self._read(interaction, "validate", work)

    async def status(self, interaction: AnyInteraction, app: str) -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            return commands_lists.status(await self.desk.status(guild.id, app or None), self.place())

        await self._read(interaction, "status", work)

    async def backups(self, interaction: AnyInteraction, page: Touch) -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            found = await self.desk.backups(
                guild.id,
                page.application,
                page.environment or None,
                before=page.number or None,
                limit=commands_lists.PAGE + 1,
            )
            return commands_lists.backups(
                found, page.application, page.environment, self.place(), first=not page.number
            )

        await self._read(interaction, "backups", work)

    async def history(self, interaction: AnyInteraction, page: Touch) -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            found = await self.desk.history(
                guild.id, page.application or None, before=page.number or None, limit=commands_lists.PAGE + 1
            )
            return commands_lists.history(found, page.application, self.place(), first=not page.number)

        await self._read(interaction, "history", work)

    async def backup(self, interaction: AnyInteraction, backup_id: int) -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            return commands_lists.backup(await self.desk.backup(guild.id, backup_id), self.place())

        await self._read(interaction, "backup", work)

    async def compare(self, interaction: AnyInteraction, backup_id: int) -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            found = await self.desk.compare(guild.id, backup_id)
            heading = f"What restoring backup {backup_id} would change"
            return commands_sync.difference([found], self.place(), heading=heading, backup=backup_id)

        await self._read(interaction, "compare", work)

    # ---- changing ------------------------------------------------------------------------------------------

    async def apply(
        self, interaction: AnyInteraction, app: str, environment: str, reason: str, emergency: bool
    ) -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            if emergency and not reason:
                raise UserError(
                    "An emergency needs a reason.",
                    rule="reason",
                    remedy="Say in `reason` what cannot wait for staging.",
                )
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
                done = await self.desk.apply(request)
            except InvalidManifest as error:
                return commands_sync.mistakes(app, error.mistakes)
            return commands_sync.applied(done, self.place(), channel(interaction, guild))

        await self.face.answer(
            interaction, "commands-sync apply", work, category="deploy", patience_s=_PATIENCE_S
        )

    async def restore(
        self, interaction: AnyInteraction, backup: str, reason: str, app: str | None = None
    ) -> None:
        """`app`: whose backup the person takes it for. Never limited for on-call people."""

        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            backup_id = _number(backup)
            if guild.oncall_role not in actor.roles:
                await self.face.spend("deploy", actor)
            if app is not None:
                await self._is_of(guild, backup_id, app)
            request = RestoreRequest(guild.id, actor, backup_id, reason, str(interaction.id))
            try:
                done = await self.desk.restore(request)
            except InvalidManifest as error:
                return commands_sync.mistakes(f"backup {backup_id}", error.mistakes)
            return commands_sync.restored(done, self.place(), channel(interaction, guild))

        await self.face.answer(
            interaction, "commands-sync rollback", work, category=None, patience_s=_PATIENCE_S
        )

    async def _is_of(self, guild: GuildConfig, backup_id: int, app: str) -> None:
        owner = (await self.desk.backup(guild.id, backup_id)).line.application
        if owner != app:
            raise UserError(
                f"Backup {backup_id} is of {text.code(owner)}, not of {text.code(app)}.",
                rule="other_application",
                remedy="`/commands-sync backups` lists those of an application.",
            )

    # ---- presses -------------------------------------------------------------------------------------------

    async def touched(self, interaction: AnyInteraction, touch: Touch, data: Any) -> None:
        """A button, the select or the form of an answer, also of one from before a restart."""
        match touch.verb:
            case "backups":
                await self.backups(interaction, touch)
            case "history":
                await self.history(interaction, touch)
            case "pick":
                await self.backup(interaction, int((data.get("values") or ["0"])[0]))
            case "compare":
                await self.compare(interaction, touch.number)
            case "restore" if interaction.type is discord.InteractionType.modal_submit:
                await self.restore(interaction, str(touch.number), reason_in(data))
            case "restore":
                await ask(interaction, lambda: RestoreForm(touch))

    async def _read(self, interaction: AnyInteraction, what: str, work: Any) -> None:
        await self.face.answer(
            interaction, f"commands-sync {what}", work, category="read", patience_s=_PATIENCE_S
        )


def _number(given: str) -> int:
    digits = given.strip().removeprefix("#")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 18:
        raise UserError(
            f"{text.code(given, 40)} is not the number of a backup.",
            rule="unknown_backup",
            remedy="`/commands-sync backups` lists them.",
        )
    return int(digits)
