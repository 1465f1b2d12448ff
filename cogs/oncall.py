"""`/oncall`: who is on call, the next weeks, and overrides."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import discord
from discord import app_commands
from discord.ext import commands

from bot.domain import phrasebook
from bot.domain.config import GuildConfig
from bot.domain.rollout.model import Actor
from bot.domain.watch.oncall.schedule import OnCallSchedule, Person
from bot.domain.watch.oncall.times import moment
from bot.engine.watch.oncall.overrides import OverrideRequest
from bot.engine.watch.oncall.pages import named_by
from bot.engine.watch.oncall.rota import Rota
from bot.ui.errors import Reply
from bot.ui.interactions import oncall
from bot.ui.interactions.people import AnyInteraction, id_used
from bot.ui.interactions.responder import Choices, Responder
from cogs import choices

_HAND_OVER = "hand-over"
_FROM = ("now", _HAND_OVER, "18:00", "tomorrow 09:00")
_UNTIL = (_HAND_OVER, "8h", "tomorrow 09:00", "monday 09:00")
_Name = app_commands.Range[str, 1, 100]


class OnCallSchedules(
    commands.GroupCog, group_name="oncall", group_description="Who is on call, and overrides"
):
    """Times are typed in the schedule's time zone, and shown in the reader's own."""

    def __init__(self, responder: Responder) -> None:
        self.responder = responder

    @app_commands.command(name="who", description="Who is on call now, until when, and who is next")
    @app_commands.describe(schedule="Only this schedule")
    async def who(self, interaction: AnyInteraction, schedule: str = "") -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            return oncall.who(await self.responder.engine.on_call.status(guild.id, schedule.strip() or None))

        await self.responder.answer(interaction, "oncall who", work, category="read")

    @app_commands.command(name="schedule", description="Who is on call in the next four weeks")
    @app_commands.describe(schedule="Only this schedule")
    async def schedule(self, interaction: AnyInteraction, schedule: str = "") -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            return oncall.weeks(
                await self.responder.engine.on_call.status(guild.id, schedule.strip() or None)
            )

        await self.responder.answer(interaction, "oncall schedule", work, category="read")

    @app_commands.command(name="override", description="Give a time on call to a person; it ends by itself")
    @app_commands.rename(since="from")
    @app_commands.describe(
        schedule="Which schedule",
        user="Who takes over",
        since="When: now, 18:00, friday 09:00, 2026-11-23 09:00, hand-over (in the schedule's time zone)",
        until="Until when: the same, or a length such as 8h or 2d",
        reason="Why; shown with the schedule",
    )
    async def override(  # noqa: PLR0917 - options of the command
        self,
        interaction: AnyInteraction,
        schedule: _Name,
        user: discord.User,
        since: _Name,
        until: _Name,
        reason: app_commands.Range[str, 1, 500],
    ) -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            on_call = self.responder.engine.on_call
            found = on_call.schedule(guild.id, schedule.strip())
            person = Person(user.id, user.display_name)
            if user.bot:
                raise phrasebook.cannot_be_on_call(person.name)
            rota = await on_call.rota()
            begin = _moment(since, rota.at, found, rota)
            request = OverrideRequest(
                guild_id=guild.id,
                actor=actor,
                schedule=found.name,
                person=next((each for each in found.people if each == person), person),
                since=begin,
                until=_moment(until, max(begin, rota.at), found, rota),
                reason=reason,
            )
            return oncall.overridden(await on_call.override(request))

        await self.responder.answer(interaction, "oncall override", work, category="admin")

    @commands.Cog.listener()
    async def on_interaction(self, interaction: AnyInteraction) -> None:
        """The button of a test page, also of one from before a restart."""
        page = named_by(id_used(interaction))
        if page is None:
            return
        schedule, due = page

        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            due_at = datetime.fromtimestamp(due, UTC)
            on_call = self.responder.engine.on_call
            return Reply(f"✅ {await on_call.answer_page(guild.id, actor, schedule, due_at)}")

        await self.responder.answer(interaction, "oncall page", work, category=None)

    # ---- suggestions ---------------------------------------------------------------------------------------

    @who.autocomplete("schedule")
    @schedule.autocomplete("schedule")
    @override.autocomplete("schedule")
    async def schedules(self, interaction: AnyInteraction, typed: str) -> Choices:
        async def work(guild: GuildConfig) -> Choices:
            known = self.responder.catalog().schedules(guild.id)
            rota = await self.responder.engine.on_call.rota()
            return choices.pick(((name, _now(rota, name)) for name in known), typed)

        return await self.responder.suggest(interaction, "oncall", work)

    @override.autocomplete("since")
    async def begins(self, interaction: AnyInteraction, typed: str) -> Choices:
        return await self._times(interaction, typed, _FROM)

    @override.autocomplete("until")
    async def ends(self, interaction: AnyInteraction, typed: str) -> Choices:
        return await self._times(interaction, typed, _UNTIL)

    async def _times(self, interaction: AnyInteraction, typed: str, usual: tuple[str, ...]) -> Choices:
        """What was typed, or else usual times, each with the time that it means."""

        async def work(guild: GuildConfig) -> Choices:
            on_call = self.responder.engine.on_call
            found = on_call.schedule(guild.id, choices.given(interaction, "schedule"))
            rota = await on_call.rota()
            after = rota.at
            if usual is _UNTIL:
                after = max(after, _parsed(choices.given(interaction, "from"), after, found, rota) or after)
            return choices.pick(_meant([typed, *usual], after, found, rota), typed)

        return await self.responder.suggest(interaction, "oncall", work)


def _meant(
    texts: list[str], after: datetime, schedule: OnCallSchedule, rota: Rota
) -> Iterator[tuple[str, str]]:
    for text in dict.fromkeys(each.strip() for each in texts):
        at = _parsed(text, after, schedule, rota)
        if at is not None:
            local = at.astimezone(ZoneInfo(schedule.time_zone))
            yield text, f"{local:%a %Y-%m-%d %H:%M} {schedule.time_zone}"


def _moment(text: str, after: datetime, schedule: OnCallSchedule, rota: Rota) -> datetime:
    """The time that is meant. Raises `UserError`."""
    found = _parsed(text, after, schedule, rota)
    if found is None:
        raise phrasebook.bad_moment(text)
    return found


def _parsed(text: str, after: datetime, schedule: OnCallSchedule, rota: Rota) -> datetime | None:
    if text.strip().lower() == _HAND_OVER:
        return rota.hand_over(schedule.name, after)
    return moment(text, after, schedule.time_zone)


def _now(rota: Rota, name: str) -> str:
    person = rota.on_call(name).person
    return f"{person.name} is on call" if person is not None else "no one is on call"
