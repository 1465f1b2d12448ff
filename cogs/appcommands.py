"""`/commands-sync`: slash commands are deployed like anything else, with a way back."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from bot.domain.config import GuildConfig
from bot.ui.appcommands import lists
from bot.ui.appcommands.buttons import ButtonId
from bot.ui.interactions.people import AnyInteraction
from bot.ui.interactions.responder import Choices, Responder
from cogs import choices
from cogs.appcommands_answers import Answers
from cogs.deploy import quietly

_Name = app_commands.Range[str, 1, 100]


class CommandsSync(
    commands.GroupCog, group_name="commands-sync", group_description="Deploy slash commands, with a way back"
):
    """The commands and what they suggest. Presses on their answers are heard here as well."""

    def __init__(self, responder: Responder) -> None:
        self.responder = responder
        self._answers = Answers(responder)

    @app_commands.command(name="diff", description="What an apply would change; nothing is changed")
    @app_commands.describe(app="Which application", environment="Only there; without it everywhere")
    async def diff(self, interaction: AnyInteraction, app: _Name, environment: str = "") -> None:
        await self._answers.diff(interaction, app.strip(), environment.strip())

    @app_commands.command(name="validate", description="All mistakes of a manifest; Discord is not called")
    @app_commands.describe(app="Which application")
    async def validate(self, interaction: AnyInteraction, app: _Name) -> None:
        await self._answers.validate(interaction, app.strip())

    @app_commands.command(name="apply", description="Bring the manifest to staging or production")
    @app_commands.describe(
        app="Which application",
        environment="Where to; production wants the same manifest in staging first",
        reason="Why, for the card and the history",
        emergency="Production without staging: needs the role for it and a reason; everybody is told",
    )
    async def apply(
        self,
        interaction: AnyInteraction,
        app: _Name,
        environment: _Name,
        reason: str = "",
        emergency: bool = False,
    ) -> None:
        await self._answers.apply(interaction, app.strip(), environment.strip(), reason.strip(), emergency)

    @app_commands.command(name="backups", description="What was there before each change")
    @app_commands.describe(app="Which application", environment="Only this environment")
    async def backups(self, interaction: AnyInteraction, app: _Name, environment: str = "") -> None:
        await self._answers.backups(interaction, ButtonId("backups", 0, app.strip(), environment.strip()))

    @app_commands.command(name="rollback", description="Put back what a backup holds")
    @app_commands.describe(app="Which application", backup="Which backup", reason="Why, for the card")
    async def rollback(
        self, interaction: AnyInteraction, app: _Name, backup: _Name, reason: str = ""
    ) -> None:
        await self._answers.restore(interaction, backup, reason.strip(), app.strip())

    @app_commands.command(name="status", description="What Discord has, and what watching found")
    @app_commands.describe(app="Only this application")
    async def status(self, interaction: AnyInteraction, app: str = "") -> None:
        await self._answers.status(interaction, app.strip())

    @app_commands.command(name="history", description="Who changed what, when, and how it went")
    @app_commands.describe(app="Only this application")
    async def history(self, interaction: AnyInteraction, app: str = "") -> None:
        await self._answers.history(interaction, ButtonId("history", 0, app.strip()))

    @commands.Cog.listener()
    async def on_interaction(self, interaction: AnyInteraction) -> None:
        """Buttons, the select and the form of our answers."""
        data: Any = interaction.data or {}
        button_id = ButtonId.parse(str(data.get("custom_id", "")))
        kinds = (discord.InteractionType.component, discord.InteractionType.modal_submit)
        if button_id is not None and interaction.type in kinds:
            await self._answers.touched(interaction, button_id, data)

    # ---- suggestions ---------------------------------------------------------------------------------------

    @diff.autocomplete("app")
    @validate.autocomplete("app")
    @apply.autocomplete("app")
    @rollback.autocomplete("app")
    @backups.autocomplete("app")
    @status.autocomplete("app")
    @history.autocomplete("app")
    async def apps(self, interaction: AnyInteraction, typed: str) -> Choices:
        async def work(guild: GuildConfig) -> Choices:
            known = self._answers.service.applications(guild.id)
            return choices.pick(((view.name, view.source) for view in known), typed)

        return await self.responder.suggest(interaction, "commands-sync", work)

    @diff.autocomplete("environment")
    @apply.autocomplete("environment")
    @backups.autocomplete("environment")
    async def environments(self, interaction: AnyInteraction, typed: str) -> Choices:
        async def work(guild: GuildConfig) -> Choices:
            app, place = choices.given(interaction, "app"), self._answers.place()
            found: dict[str, str] = {}
            for view in self._answers.service.applications(guild.id):
                for name, scopes in view.environments.items() if app in ("", view.name) else ():
                    found.setdefault(name, ", ".join(map(place, scopes)) if app else "")
            return choices.pick(found.items(), typed)

        return await self.responder.suggest(interaction, "commands-sync", work)

    @rollback.autocomplete("backup")
    async def backup_numbers(self, interaction: AnyInteraction, typed: str) -> Choices:
        async def work(guild: GuildConfig) -> Choices:
            app = choices.given(interaction, "app")
            service = self._answers.service
            found = await quietly(service.backups(guild.id, app, limit=choices.MOST)) if app else ()
            now, place = self.responder.clock.now(), self._answers.place()
            hints = ((str(line.id), lists.backup_hint(line, now, place)) for line in found or ())
            return choices.pick(hints, typed)

        return await self.responder.suggest(interaction, "commands-sync", work)
