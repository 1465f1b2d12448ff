"""`/silence`: maintenance silences, so that planned work calls no one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from discord import app_commands
from discord.ext import commands

from bot.domain import phrasebook
from bot.domain.config import GuildConfig
from bot.domain.formatting import with_times
from bot.domain.rollout.model import Actor
from bot.domain.watch.alerts.silences import Silence
from bot.domain.watch.oncall.times import moment
from bot.engine.watch.alerts.silencing import SilenceRequest, labels_of
from bot.ui import escaping
from bot.ui.errors import Reply
from bot.ui.interactions import lists
from bot.ui.interactions.people import AnyInteraction
from bot.ui.interactions.responder import Choices, Responder
from cogs import choices
from cogs.deploy import suggest_environments

_FROM = ("now", "18:00", "tomorrow 09:00")
_UNTIL = ("1h", "4h", "tomorrow 09:00", "monday 09:00")
_Typed = app_commands.Range[str, 1, 100]


class SilenceCommands(
    commands.GroupCog,
    group_name="silence",
    group_description="Maintenance: alerts that call no one for a time",
):
    """Times are typed in the time zone of the service's on-call schedule, else in UTC."""

    def __init__(self, responder: Responder) -> None:
        self.responder = responder

    @app_commands.command(name="add", description="For a time, show alerts and call no one")
    @app_commands.rename(since="from")
    @app_commands.describe(
        until="Until when: 2h, 18:00, friday 09:00, 2026-11-23 09:00",
        reason="Why; shown on the alerts",
        service="Which service (default: any)",
        environment="Which environment (default: any)",
        labels="Only alerts with these labels, such as check=health, pod=web-1",
        since="From when on: now (the default), 18:00, friday 09:00",
    )
    async def add(  # noqa: PLR0917 - options of the command
        self,
        interaction: AnyInteraction,
        until: _Typed,
        reason: app_commands.Range[str, 1, 500],
        service: str = "",
        environment: str = "",
        labels: app_commands.Range[str, 0, 1000] = "",
        since: app_commands.Range[str, 0, 100] = "now",
    ) -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            zone = self._zone(guild, service.strip(), environment.strip())
            now = self.responder.clock.now()
            begin = _moment(since or "now", now, zone)
            request = SilenceRequest(
                guild_id=guild.id,
                actor=actor,
                since=begin,
                until=_moment(until, max(begin, now), zone),
                reason=reason,
                service=service.strip(),
                environment=environment.strip(),
                labels=labels_of(labels),
            )
            return _added(await self.responder.engine.silences.add(request))

        await self.responder.answer(interaction, "silence add", work, category="admin")

    @app_commands.command(name="list", description="What is silenced now, and what is planned")
    async def list_(self, interaction: AnyInteraction) -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            found = await self.responder.engine.silences.standing(guild.id)
            if not found:
                return Reply(f"🔔 {phrasebook.no_silences()}")
            now = self.responder.clock.now()
            lines = [_line(each, now) for each in found]
            return lists.layout(["## Silences", *lines], more="`slipway silences list` shows all")

        await self.responder.answer(interaction, "silence list", work, category="read")

    @app_commands.command(name="end", description="End a silence now: alerts that are still open call again")
    @app_commands.describe(silence="Its number", reason="Why it ends before its time")
    async def end(
        self,
        interaction: AnyInteraction,
        silence: app_commands.Range[int, 1],
        reason: app_commands.Range[str, 0, 500] = "",
    ) -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            done = await self.responder.engine.silences.end(guild.id, actor, silence, reason)
            about = escaping.plain(done.about, 300)
            return Reply(
                f"🔔 **Silence {done.id} is over** ({about}). Alerts that still fire call people again."
            )

        await self.responder.answer(interaction, "silence end", work, category="admin")

    def _zone(self, guild: GuildConfig, service: str, environment: str) -> str:
        catalog = self.responder.catalog()
        lanes = self.responder.engine.silences.lanes(guild.id, service, environment) if service else ()
        schedules = (catalog.on_call.get(catalog.lanes[lane].on_call or "") for lane in lanes)
        return next((schedule.time_zone for schedule in schedules if schedule is not None), "UTC")

    # ---- suggestions ---------------------------------------------------------------------------------------

    @add.autocomplete("service")
    async def services(self, interaction: AnyInteraction, typed: str) -> Choices:
        async def work(guild: GuildConfig) -> Choices:
            return choices.services(self.responder.catalog(), guild, typed)

        return await self.responder.suggest(interaction, "silence", work)

    @add.autocomplete("environment")
    async def environments(self, interaction: AnyInteraction, typed: str) -> Choices:
        return await suggest_environments(self.responder, interaction, "silence", typed)

    @add.autocomplete("since")
    async def begins(self, interaction: AnyInteraction, typed: str) -> Choices:
        return await self._times(interaction, typed, _FROM)

    @add.autocomplete("until")
    async def ends(self, interaction: AnyInteraction, typed: str) -> Choices:
        return await self._times(interaction, typed, _UNTIL)

    async def _times(self, interaction: AnyInteraction, typed: str, usual: tuple[str, ...]) -> Choices:
        """What was typed, or else usual times, each with the time that it means."""

        async def work(guild: GuildConfig) -> Choices:
            given = (choices.given(interaction, option).strip() for option in ("service", "environment"))
            zone, after = self._zone(guild, *given), self.responder.clock.now()
            if usual is _UNTIL:
                after = max(after, moment(choices.given(interaction, "from") or "now", after, zone) or after)
            return choices.pick(_meant([typed, *usual], after, zone), typed)

        return await self.responder.suggest(interaction, "silence", work)


def _added(silence: Silence) -> Reply:
    said = phrasebook.silence_added(silence.about, silence.since, silence.until)
    ends = f"`/silence end silence:{silence.id}` ends it sooner."
    return Reply(
        f"🔕 **Silence {silence.id}:** {escaping.sentence(with_times(said, escaping.moment), 600)}\n-# {ends}"
    )


def _line(silence: Silence, now: datetime) -> str:
    planned = silence.since > now
    state = f"from {escaping.moment(silence.since)}" if planned else "now"
    about, by = escaping.plain(silence.about, 300), escaping.plain(silence.by, 60)
    return (
        f"{'🗓️' if planned else '🔕'} **{silence.id}** {about}: {state}, until {escaping.moment(silence.until)}\n"
        f"-# {by}: “{escaping.plain(silence.reason, 200)}”"
    )


def _meant(texts: list[str], after: datetime, zone: str) -> Iterator[tuple[str, str]]:
    for text in dict.fromkeys(each.strip() for each in texts):
        at = moment(text, after, zone)
        if at is not None:
            yield text, f"{at.astimezone(ZoneInfo(zone)):%a %Y-%m-%d %H:%M} {zone}"


def _moment(text: str, after: datetime, zone: str) -> datetime:
    """The time that is meant. Raises `UserError`."""
    found = moment(text, after, zone)
    if found is None:
        raise phrasebook.bad_moment(text)
    return found
