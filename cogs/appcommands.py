"""`/commands-sync`: deploy slash commands like any other release, with rollback."""

from __future__ import annotations

from typing import Any

from discord import app_commands
from discord.ext import commands

from bot.domain.config import GuildConfig
from bot.ui.appcommands import lists
from bot.ui.appcommands.buttons import ButtonId
from bot.ui.interactions.people import AnyInteraction, id_used
from bot.ui.interactions.responder import Choices, Responder
from cogs import choices
from cogs.appcommands_answers import Answers
from cogs.deploy import quietly

_Name = app_commands.Range[str, 1, 100]


class CommandsSync(
    commands.GroupCog, group_name="commands-sync", group_description="Deploy slash commands, with rollback"
):
    """The commands and their autocomplete. Presses on their answers arrive here too."""

    def __init__(self, responder: Responder) -> None:
        self.responder = responder
        self._answers = Answers(responder)

    @app_commands.command(
        name="diff", description="Show what an apply would change, without changing anything"
    )
    @app_commands.describe(app="Which application", environment="Only this environment (default: all)")
    async def diff(self, interaction: AnyInteraction, app: _Name, environment: str = "") -> None:
        await self._answers.diff(interaction, app.strip(), environment.strip())

    @app_commands.command(
        name="validate", description="List all mistakes of a manifest, without calling Discord"
    )
    @app_commands.describe(app="Which application")
    async def validate(self, interaction: AnyInteraction, app: _Name) -> None:
        await self._answers.validate(interaction, app.strip())

    @app_commands.command(name="apply", description="Apply the manifest to staging or production")
    @app_commands.describe(
        app="Which application",
        environment="Where; production needs the same manifest in staging first",
        reason="Why; shown on the card and in the history",
        emergency="Production without staging: needs a role and a reason, and is announced",
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

    @app_commands.command(name="backups", description="List the commands from before each change")
    @app_commands.describe(app="Which application", environment="Only this environment")
    async def backups(self, interaction: AnyInteraction, app: _Name, environment: str = "") -> None:
        await self._answers.backups(interaction, ButtonId("backups", 0, app.strip(), environment.strip()))

    @app_commands.command(name="rollback", description="Restore a backup")
    @app_commands.describe(app="Which application", backup="Which backup", reason="Why; shown on the card")
    async def rollback(
        self, interaction: AnyInteraction, app: _Name, backup: _Name, reason: str = ""
    ) -> None:
        await self._answers.restore(interaction, backup, reason.strip(), app.strip())

    @app_commands.command(name="status", description="Show what Discord serves, and findings of the monitor")
    @app_commands.describe(app="Only this application")
    async def status(self, interaction: AnyInteraction, app: str = "") -> None:
        await self._answers.status(interaction, app.strip())

    @app_commands.command(name="history", description="List changes: who, what, when, result")
    @app_commands.describe(app="Only this application")
    async def history(self, interaction: AnyInteraction, app: str = "") -> None:
        await self._answers.history(interaction, ButtonId("history", 0, app.strip()))

    @commands.Cog.listener()
    async def on_interaction(self, interaction: AnyInteraction) -> None:
        """Buttons, the select and the form of our answers."""
        button_id = ButtonId.parse(id_used(interaction, forms=True))
        if button_id is not None:
            data: Any = interaction.data
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
