"""`/lock` and `/unlock`: block rollouts to an environment, with owner, reason and expiry."""

from __future__ import annotations

import re
from datetime import timedelta

from discord import app_commands
from discord.ext import commands

from bot.domain import phrasebook
from bot.domain.config import GuildConfig
from bot.domain.rollout.model import Actor
from bot.ui import escaping
from bot.ui.errors import Reply
from bot.ui.interactions.people import AnyInteraction
from bot.ui.interactions.responder import Choices, Responder
from cogs import choices
from cogs.deploy import suggest_environments

_UNITS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 604800}
_PART = re.compile(r"(\d{1,6})\s*(min|s|m|h|d|w)")
_LONGEST = timedelta(days=365)


def duration_of(words: str) -> timedelta | None:
    """`30m`, `2h`, `1d 12h`; None when empty. Raises `UserError` for anything else."""
    said = words.strip().lower()
    if not said:
        return None
    parts = _PART.findall(said)
    length = timedelta(seconds=sum(int(n) * _UNITS[unit] for n, unit in parts))
    if not re.fullmatch(rf"(?:{_PART.pattern}\s*)+", said) or not timedelta() < length <= _LONGEST:
        raise phrasebook.bad_duration(words)
    return length


class LockCommands(commands.Cog):
    """A locked lane takes no new rollout; returning to a known-good release stays possible."""

    def __init__(self, responder: Responder) -> None:
        self.responder = responder

    @app_commands.command(name="lock", description="Block new rollouts to an environment")
    @app_commands.rename(length="for")
    @app_commands.describe(
        service="Which service",
        environment="Which environment",
        reason="Why; shown to people who try to deploy there",
        length="For how long, such as 30m, 2h or 1d (default: until /unlock)",
    )
    async def lock(
        self,
        interaction: AnyInteraction,
        service: app_commands.Range[str, 1, 100],
        environment: app_commands.Range[str, 1, 100],
        reason: str,
        length: str = "",
    ) -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            lane = self.responder.catalog().lane(guild.id, service.strip(), environment.strip()).lane
            lasts = duration_of(length)
            expires = self.responder.clock.now() + lasts if lasts is not None else None
            lock = await self.responder.engine.lock(guild.id, actor, lane, reason.strip(), expires)
            until = f"until {escaping.moment(lock.expires)}" if lock.expires else phrasebook.NO_EXPIRY
            return Reply(
                f"🔒 **Locked** {escaping.code(lane.service)} → {escaping.code(lane.environment)} {until}."
            )

        await self.responder.answer(interaction, "lock", work, category="admin")

    @app_commands.command(name="unlock", description="Allow rollouts to an environment again")
    @app_commands.describe(
        service="Which service",
        environment="Which environment",
        reason="What has changed; needed to lift a quarantine",
    )
    async def unlock(
        self,
        interaction: AnyInteraction,
        service: app_commands.Range[str, 1, 100],
        environment: app_commands.Range[str, 1, 100],
        reason: str = "",
    ) -> None:
        async def work(guild: GuildConfig, actor: Actor) -> Reply:
            lane = self.responder.catalog().lane(guild.id, service.strip(), environment.strip()).lane
            await self.responder.engine.unlock(guild.id, actor, lane, reason)
            return Reply(
                f"🔓 **Unlocked** {escaping.code(lane.service)} → {escaping.code(lane.environment)}."
            )

        await self.responder.answer(interaction, "unlock", work, category="admin")

    @lock.autocomplete("service")
    @unlock.autocomplete("service")
    async def services(self, interaction: AnyInteraction, typed: str) -> Choices:
        async def work(guild: GuildConfig) -> Choices:
            return choices.services(self.responder.catalog(), guild, typed)

        return await self.responder.suggest(interaction, "lock", work)

    @lock.autocomplete("environment")
    @unlock.autocomplete("environment")
    async def environments(self, interaction: AnyInteraction, typed: str) -> Choices:
        return await suggest_environments(self.responder, interaction, "lock", typed)
