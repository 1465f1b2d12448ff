"""`/incident`, and the buttons of incident cards."""

from __future__ import annotations

from dataclasses import replace

import discord
from discord import app_commands
from discord.ext import commands

from bot.domain import phrasebook
from bot.domain.config import GuildConfig
from bot.domain.rollout.model import Actor, Lane
from bot.domain.watch.alerts.alert import Owner
from bot.domain.watch.alerts.findings import Severity
from bot.domain.watch.incidents.actions import LONGEST_TITLE
from bot.domain.watch.incidents.incident import IncidentAction
from bot.engine.watch.incidents.api import (
    IncidentOpening,
    IncidentRequest,
    said_when_done,
    said_when_opened,
)
from bot.engine.watch.incidents.service import Incidents
from bot.ui import escaping
from bot.ui.errors import Reply, Upload
from bot.ui.incidents.buttons import IncidentPress
from bot.ui.incidents.card import incident_line
from bot.ui.incidents.evidence import evidence
from bot.ui.interactions import lists
from bot.ui.interactions.people import AnyInteraction, id_used
from bot.ui.interactions.responder import LOOK_UP_S, Choices, Responder
from cogs import choices
from cogs.deploy import suggest_environments

_ICONS = {
    IncidentAction.ACKNOWLEDGE: "✅",
    IncidentAction.ASSIGN: "✅",
    IncidentAction.NOTE: "📝",
    IncidentAction.RESTORE: "🟢",
    IncidentAction.CLOSE: "✅",
    IncidentAction.DOCUMENT: "📝",
}
_SEVERITIES = [app_commands.Choice(name=str(each), value=str(each)) for each in Severity]
_Number = app_commands.Range[str, 1, 20]


class IncidentCommands(
    commands.GroupCog, group_name="incident", group_description="Trouble that people work on together"
):
    """Numbers of incidents are suggested; in an incident's thread they can be left out."""

    def __init__(self, responder: Responder) -> None:
        self.responder = responder

    @app_commands.command(name="open", description="Open an incident, with a card and a thread")
    @app_commands.describe(
        title="What is wrong, in a few words",
        severity="How bad it is (default: high); sets the targets",
        service="Which service, if it is one",
        environment="Where",
        alert="Number of the alert that it is about; it has all of the above",
    )
    @app_commands.choices(severity=_SEVERITIES)
    async def open_(  # noqa: PLR0917 - options of the command
        self,
        interaction: AnyInteraction,
        title: app_commands.Range[str, 1, LONGEST_TITLE] = "",
        severity: str = str(Severity.HIGH),
        service: str = "",
        environment: str = "",
        alert: app_commands.Range[int, 1] | None = None,
    ) -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            lane = Lane(service.strip(), environment.strip()) if service or environment else None
            request = IncidentOpening(
                guild.id, actor, title, Severity(severity), lane, alert or 0, str(interaction.id)
            )
            return Reply(f"🚨 {said_when_opened(await self._service().open(request))}")

        await self.responder.answer(interaction, "incident open", work, category="admin")

    @app_commands.command(name="assign", description="Give an incident to a person, or take it yourself")
    @app_commands.describe(user="Who is to have it (default: you)", incident="Which one")
    async def assign(
        self, interaction: AnyInteraction, user: discord.User | None = None, incident: _Number | None = None
    ) -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            person = Owner(user.id, user.display_name) if user is not None else None
            return await self._act(interaction, guild, actor, IncidentAction.ASSIGN, incident, person=person)

        await self.responder.answer(interaction, "incident assign", work, category="admin")

    @app_commands.command(name="note", description="Add a line to an incident's timeline")
    @app_commands.describe(text="What happened, or was found out", incident="Which one")
    async def note(
        self,
        interaction: AnyInteraction,
        text: app_commands.Range[str, 1, 900],
        incident: _Number | None = None,
    ) -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            return await self._act(interaction, guild, actor, IncidentAction.NOTE, incident, text)

        await self.responder.answer(interaction, "incident note", work, category="admin")

    @app_commands.command(name="restored", description="Say that users are well again; work may go on")
    @app_commands.describe(incident="Which one")
    async def restored(self, interaction: AnyInteraction, incident: _Number | None = None) -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            return await self._act(interaction, guild, actor, IncidentAction.RESTORE, incident)

        await self.responder.answer(interaction, "incident restored", work, category="admin")

    @app_commands.command(
        name="close", description="Close an incident: users are well, and nothing is left to do"
    )
    @app_commands.describe(incident="Which one", reason="What it was, or what ended it")
    async def close(
        self,
        interaction: AnyInteraction,
        incident: _Number | None = None,
        reason: app_commands.Range[str, 1, 500] = "",
    ) -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            return await self._act(interaction, guild, actor, IncidentAction.CLOSE, incident, reason)

        await self.responder.answer(interaction, "incident close", work, category="admin")

    @app_commands.command(name="list", description="Incidents that are open, or the newest")
    @app_commands.describe(closed="The newest of all, with those that are closed")
    async def list_(self, interaction: AnyInteraction, closed: bool = False) -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            found = await self._service().listed(guild.id, closed=closed)
            if not found:
                return Reply(phrasebook.NO_INCIDENT_EVER if closed else f"✅ {phrasebook.NO_INCIDENT_OPEN}")
            return lists.layout([incident_line(each) for each in found], more="the worst come first")

        await self.responder.answer(interaction, "incident list", work, category="read")

    @app_commands.command(
        name="postmortem", description="A draft with timeline and deploys; or name the finished one"
    )
    @app_commands.describe(
        incident="Which one", link="Where the finished one is; no one is asked for it then"
    )
    async def postmortem(
        self,
        interaction: AnyInteraction,
        incident: _Number | None = None,
        link: app_commands.Range[str, 1, 500] = "",
    ) -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            if link:
                return await self._act(interaction, guild, actor, IncidentAction.DOCUMENT, incident, link)
            number = await self._meant(interaction, guild, incident)
            view = await self._service().view(number, guild.id)
            charts = await evidence(view.alerts, self.responder.draw_alert)
            text = await self._service().postmortem(number, guild.id, [each.name for each in charts])
            said = (
                f"📄 The draft for incident {number}. Fill in the headings, and name it in the option `link`."
            )
            return Reply(said, upload=Upload(f"postmortem-{number}.md", text), more=charts)

        await self.responder.answer(
            interaction, "incident postmortem", work, category="read", patience_s=LOOK_UP_S
        )

    # ---- buttons -------------------------------------------------------------------------------------------

    @commands.Cog.listener()
    async def on_interaction(self, interaction: AnyInteraction) -> None:
        """Presses on cards, even from before a restart."""
        press = IncidentPress.parse(id_used(interaction))
        if press is None:
            return

        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            if press.action is None:
                opening = IncidentOpening(guild.id, actor, alert_id=press.about, unless_over=True)
                opened = await self._service().open(opening)
                return Reply(f"🚨 Alert {press.about} is incident {opened.id}: its card is in #incidents.")
            # The card offers to take it only while no one has it.
            takes = press.action is IncidentAction.ACKNOWLEDGE
            request = IncidentRequest(press.about, press.action, actor, guild.id, unless_taken=takes)
            return await self._done(interaction, request)

        name = press.action or "open"
        await self.responder.answer(
            interaction, f"incident:{name}", work, category=None, patience_s=LOOK_UP_S
        )

    # ---- suggestions ---------------------------------------------------------------------------------------

    @assign.autocomplete("incident")
    @note.autocomplete("incident")
    @restored.autocomplete("incident")
    @close.autocomplete("incident")
    @postmortem.autocomplete("incident")
    async def numbers(self, interaction: AnyInteraction, typed: str) -> Choices:
        async def work(guild: GuildConfig) -> Choices:
            found = await self._service().listed(guild.id, closed=True)
            ordered = sorted(found, key=lambda each: each.over)
            return choices.pick(((str(each.id), each.title) for each in ordered), typed)

        return await self.responder.suggest(interaction, "incident", work)

    @open_.autocomplete("service")
    async def services(self, interaction: AnyInteraction, typed: str) -> Choices:
        async def work(guild: GuildConfig) -> Choices:
            return choices.services(self.responder.catalog(), guild, typed)

        return await self.responder.suggest(interaction, "incident", work)

    @open_.autocomplete("environment")
    async def environments(self, interaction: AnyInteraction, typed: str) -> Choices:
        return await suggest_environments(self.responder, interaction, "incident", typed)

    # ---- shared --------------------------------------------------------------------------------------------

    async def _act(  # noqa: PLR0917
        self,
        interaction: AnyInteraction,
        guild: GuildConfig,
        actor: Actor,
        action: IncidentAction,
        written: str | None,
        text: str = "",
        person: Owner | None = None,
    ) -> Reply:
        number = await self._meant(interaction, guild, written)
        return await self._done(interaction, IncidentRequest(number, action, actor, guild.id, text, person))

    async def _done(self, interaction: AnyInteraction, request: IncidentRequest) -> Reply:
        done = await self._service().act(replace(request, interaction=str(interaction.id)))
        said = escaping.sentence(said_when_done(done, request.action), escaping.CONTENT)
        return Reply(f"{_ICONS[request.action]} {said}")

    async def _meant(self, interaction: AnyInteraction, guild: GuildConfig, written: str | None) -> int:
        """The incident that is named, that of the thread, or the only open one. Raises `UserError`."""
        if written is not None:
            if not written.strip().isdecimal() or len(written.strip()) > 18:
                raise phrasebook.no_such_incident(written)
            return int(written)
        here = await self._service().talked_about(interaction.channel_id or 0)
        if here is not None and here.guild_id == guild.id:
            return here.id
        found = await self._service().listed(guild.id)
        if len(found) != 1:
            raise phrasebook.which_incident(len(found))
        return found[0].id

    def _service(self) -> Incidents:
        assert self.responder.incidents is not None, "composition gives it"
        return self.responder.incidents
