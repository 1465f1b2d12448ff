"""Responder: the one way in which commands and buttons answer a person."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeVar

import discord
import structlog
from discord import app_commands

from bot.domain import phrasebook
from bot.domain.config import Catalog, GuildConfig
from bot.domain.reports.report import Bar
from bot.domain.rollout.model import Actor
from bot.domain.watch.alerts.alert import Alert
from bot.engine.api import OpenedVerdict
from bot.engine.appcommands.service import AppCommandsService
from bot.engine.service import Engine
from bot.engine.watch.alerts.service import Alerts
from bot.engine.watch.incidents.service import Incidents
from bot.logs import concerning, new_trace_id, tracing
from bot.ports.coordination import Clock, RateLimiter
from bot.ports.errors import Unreachable
from bot.ports.members import Members
from bot.ports.watch.checks import Checks
from bot.ui.chart.lanes.charts import LaneCharts
from bot.ui.errors import TOO_SLOW, Reply, applied_already, explain, too_late, transient, why
from bot.ui.interactions.deadline import in_time
from bot.ui.interactions.people import AnyInteraction, actor_of, guild_of

_log = structlog.get_logger(__name__)

# Discord allows 3 s for the first answer. Without one by DEFER_S the answer is deferred, where waiting makes sense.
DEFER_S = 2.0
PRESS_S = 2.2
LOOK_UP_S = 20.0
SUGGEST_S = 0.9
# Extra patience per open press: a queue is not a dead database.
QUEUE_S = 0.02
# More open presses than one team makes: cards and log lines come after the answers.
CROWD = 16
# Deferrals come due together. Send them in parallel, but not each on a new connection.
DEFERRALS_AT_ONCE = 24
# Upper bound of an interaction's measured age: clocks differ, and a wrong one must cost no more than an unneeded
# deferral.
OLDEST_S = 1.5

Category = Literal["read", "deploy", "admin"]
Work = Callable[[GuildConfig, Actor], Awaitable[Reply]]
Choices = list[app_commands.Choice[str]]
Value = TypeVar("Value", str, int)


@dataclass(frozen=True, slots=True)
class HealthLine:
    """One line of `/health`. `ok` is None for a part that is not configured."""

    name: str
    ok: bool | None
    detail: str = ""


class HealthSource(Protocol):
    """Checks everything Slipway depends on, within 2 s even when parts hang; never raises."""

    async def __call__(self) -> Sequence[HealthLine]: ...


def _unmeasured(command: str, outcome: str, seconds: float) -> None:
    return None


@dataclass(slots=True)
class Responder:
    """Answers interactions. Calls `observed(command, outcome, seconds)` after each, for the metrics."""

    engine: Engine
    catalog: Callable[[], Catalog]
    limiter: RateLimiter
    clock: Clock
    health: HealthSource
    observed: Callable[[str, str, float], None] = _unmeasured
    commands: AppCommandsService | None = None  # for `/commands-sync`
    alerts: Alerts | None = None
    incidents: Incidents | None = None
    # Draws the chart of an opened verdict, None where there is nothing to draw. Raises ChartError.
    draw: Callable[[OpenedVerdict], Awaitable[bytes | None]] | None = None
    lane_charts: LaneCharts | None = None
    checks: Checks | None = None  # for `/health run`
    # Draws the chart of an alert in the same way.
    draw_alert: Callable[[Alert], Awaitable[bytes | None]] | None = None
    # Draws the chart of a report, likewise.
    chart: Callable[[Sequence[Bar]], Awaitable[bytes | None]] | None = None
    members: Members | None = None  # for presses in direct messages: who is in the server still
    _deferrals: asyncio.Semaphore = field(
        default_factory=lambda: asyncio.Semaphore(DEFERRALS_AT_ONCE), init=False
    )
    _open: int = field(default=0, init=False)

    @property
    def crowded(self) -> bool:
        """Whether more people wait for an answer than a team has."""
        return self._open >= CROWD

    async def answer(
        self,
        interaction: AnyInteraction,
        command: str,
        work: Work,
        *,
        category: Category | None,
        patience_s: float = PRESS_S,
        about: int = 0,
    ) -> None:
        """Do `work` and answer the person with its reply, or with the error. Never raises.

        The first answer leaves within 3 s: the reply, or a deferral when `patience_s` (or the queue) needs more time.
        `category` None is not rate-limited. about: the server that a press in a direct message is about.
        """
        # Every log line of this interaction carries one id, which is also the reference shown to the person.
        with (
            tracing(new_trace_id()),
            concerning(guild_id=interaction.guild_id, user_id=interaction.user.id),
        ):
            await self._answer(
                interaction, command, lambda: self._guarded(interaction, work, category, about), patience_s
            )

    async def _answer(
        self,
        interaction: AnyInteraction,
        command: str,
        work: Callable[[], Coroutine[Any, Any, Reply]],
        patience_s: float,
    ) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        self._open += 1
        try:
            patience = max(patience_s, PRESS_S + QUEUE_S * (self._open - 1))
            reply = await self._reply(interaction, command, work, started - _age_s(interaction), patience)
            if reply is not None:
                await self._deliver(interaction, reply)
            outcome = reply.outcome if reply is not None else TOO_SLOW
            self.observed(command, outcome, loop.time() - started)
        except Exception as error:
            _log.error("answer_failed", command=command, exc_info=error)
            self.observed(command, "lost", loop.time() - started)
        finally:
            self._open -= 1

    async def _reply(
        self,
        interaction: AnyInteraction,
        command: str,
        work: Callable[[], Coroutine[Any, Any, Reply]],
        sent: float,
        patience_s: float,
    ) -> Reply | None:
        """The reply to deliver; None when the person was told that it is not confirmed."""
        try:
            return await in_time(
                work(),
                # Wait out a little more than the direct budget; defer for more than that.
                first=sent + (DEFER_S if patience_s > PRESS_S + 0.2 else patience_s),
                last=sent + patience_s,
                defer=lambda: self._defer(interaction),
                give_up=lambda: self._deliver(interaction, explain(TimeoutError(), command=command)),
            )
        except Exception as error:
            return explain(error, command=command)

    async def _guarded(
        self, interaction: AnyInteraction, work: Work, category: Category | None, about: int
    ) -> Reply:
        config = guild_of(interaction.guild_id or about or None, self.catalog())
        actor = actor_of(interaction, config)
        # Who left the server can still press what it wrote to them.
        members = self.members if interaction.guild_id is None else None
        if members is not None and await members.gone(config, [actor.id]):
            raise phrasebook.not_in_server(config.name)
        if category is not None:
            await self.spend(category, actor)
        return await work(config, actor)

    async def spend(self, category: Category, actor: Actor) -> None:
        """Take one from the person's rate limit. Raises `Refused` that says when to try again."""
        try:
            wait_s = await self.limiter.hit(category, actor.id)
        except Unreachable:
            # An unavailable limiter must not stop people.
            return
        if wait_s > 0:
            raise phrasebook.too_fast(wait_s, category)

    async def suggest(
        self,
        interaction: AnyInteraction,
        command: str,
        work: Callable[[GuildConfig], Awaitable[list[app_commands.Choice[Value]]]],
    ) -> list[app_commands.Choice[Value]]:
        """At most 25 autocomplete choices, within a second; none on errors, since Discord cannot show them."""
        started = asyncio.get_running_loop().time()
        outcome = "ok"
        try:
            async with asyncio.timeout(SUGGEST_S):
                return (await work(guild_of(interaction.guild_id, self.catalog())))[:25]
        except Exception as error:
            outcome = "unreachable" if isinstance(error, Unreachable | TimeoutError) else "error"
            with concerning(guild_id=interaction.guild_id, user_id=interaction.user.id):
                _log.warning("suggestions_failed", command=command, error=repr(error))
            return []
        finally:
            self.observed(f"{command}:autocomplete", outcome, asyncio.get_running_loop().time() - started)

    async def _defer(self, interaction: AnyInteraction) -> None:
        try:
            async with self._deferrals:
                await interaction.response.defer(ephemeral=True, thinking=True)
        except discord.HTTPException as error:
            if not applied_already(error):
                _log.warning("defer_failed", **why(error))
        except Exception as error:
            _log.warning("defer_failed", error=repr(error))

    async def _deliver(self, interaction: AnyInteraction, reply: Reply) -> None:
        for attempt in range(3):
            try:
                return await _send(interaction, reply)
            except discord.HTTPException as error:
                if applied_already(error):
                    return None
                if too_late(error) or not transient(error):
                    _log.error("answer_rejected", **why(error))
                    return None
            except Exception as error:
                if not transient(error):
                    raise
            await asyncio.sleep(0.1 * (attempt + 1))
        _log.error("answer_undelivered", interaction=interaction.id)
        return None


def _age_s(interaction: AnyInteraction) -> float:
    """Seconds since Discord sent it: under load much of the 3 s is gone before the interaction is read here."""
    return min(max(0.0, time.time() - interaction.created_at.timestamp()), OLDEST_S)


async def _send(interaction: AnyInteraction, reply: Reply) -> None:
    what: dict[str, Any] = {"view": reply.view} if reply.view is not None else {"content": reply.content}
    what["allowed_mentions"] = discord.AllowedMentions.none()
    if interaction.response.is_done():
        if reply.uploads:
            what["attachments"] = [each.file() for each in reply.uploads]
        await interaction.edit_original_response(**what)
    else:
        if reply.uploads:
            what["files"] = [each.file() for each in reply.uploads]
        await interaction.response.send_message(ephemeral=reply.ephemeral, **what)
