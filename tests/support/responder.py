"""A whole face for the tests: the real client and announcer on a real sandbox, over a fake engine."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from discord_sandbox import Sandbox, World

from bot.domain.rollout.events import DrawCard, LogLine, Notify
from bot.ports.notifications import Notice
from bot.ui.announcer import DiscordAnnouncer
from bot.ui.gateway.client import GatewayConnection, SlipwayBot, point_at
from bot.ui.gateway.identify_budget import IdentifyBudget
from bot.ui.gateway.supervisor import run_supervised
from bot.ui.interactions.responder import HealthLine, Responder
from bot.ui.message_budget import MessageBudget
from cogs import COGS
from tests.fakes.appcommands import FakeCommands
from tests.fakes.books import FakeBooks, FakeLimiter
from tests.fakes.engine import FakeEngine
from tests.support import rollouts
from tests.support.clocks import FrozenClock
from tests.support.discord import discord_world
from tests.support.waiting import PATIENCE_S

Json = dict[str, Any]


@dataclass
class Stand:
    """Everything a test touches. `say` and friends play people; `speak` lets the announcer do what was ordered."""

    sandbox: Sandbox
    http: aiohttp.ClientSession
    engine: FakeEngine
    service: FakeCommands
    books: FakeBooks
    limiter: FakeLimiter
    clock: FrozenClock
    line: GatewayConnection
    announcer: DiscordAnnouncer
    supervisor: asyncio.Task[None]
    responder: Responder
    seen: list[tuple[str, str]] = field(default_factory=list)
    spoken: int = 0

    async def call(self, method: str, path: str, body: Json | None = None) -> Json:
        async with self.http.request(method, f"{self.sandbox.url}/sandbox/v1/{path}", json=body) as answer:
            found: Json = await answer.json() if answer.status != 204 else {}
            assert answer.status < 400, found
            return found

    async def slash(self, user: str, command: str, channel: str = "deploys", **options: Any) -> Json:
        body = {"user": user, "channel": channel, "command": command, "options": options}
        return await self.settled((await self.call("POST", "commands", body))["interaction"])

    async def suggest(
        self, user: str, command: str, option: str, value: str = "", **options: Any
    ) -> list[Json]:
        body = {
            "user": user,
            "channel": "deploys",
            "command": command,
            "option": option,
            "value": value,
            "options": options,
        }
        choices: list[Json] = (await self.call("POST", "autocomplete", body))["choices"]
        return choices

    async def press(
        self, user: str, message: str, button: str | None = None, *, raw: str | None = None
    ) -> Json:
        what = {"button": button} if raw is None else {"custom_id": raw}
        begun = await self.call("POST", "presses", {"user": user, "message": message, **what})
        return await self.settled(begun["interaction"])

    async def choose(self, user: str, message: str, select: str, *values: str) -> Json:
        body = {"user": user, "message": message, "select": select, "values": list(values)}
        return await self.settled((await self.call("POST", "selects", body))["interaction"])

    async def submit(self, user: str, interaction: str, **fields: str) -> Json:
        begun = await self.call(
            "POST", "modals", {"user": user, "interaction": interaction, "fields": fields}
        )
        return await self.settled(begun["interaction"])

    async def settled(self, interaction: str) -> Json:
        return await self.call("GET", f"interactions/{interaction}?wait={PATIENCE_S:g}")

    async def messages(self, channel: str = "deploys", as_: str = "dev") -> list[Json]:
        found: list[Json] = (await self.call("GET", f"channels/{channel}/messages?as={as_}"))["messages"]
        return found

    async def fault(self, kind: str, **more: Any) -> Json:
        return await self.call("POST", "faults", {"kind": kind, **more})

    async def requests(self, method: str, route: str) -> list[Json]:
        """REST calls of the bot to routes like `route`."""
        found = (await self.call("GET", "requests?limit=5000"))["requests"]
        return [r for r in found if r["method"] == method and route in r["path"]]

    async def speak(self) -> None:
        """Do the announcer's part of everything that the machine ordered since the last time."""
        ordered, self.spoken = self.engine.effects[self.spoken :], len(self.engine.effects)
        for number, (rollout_id, effect) in enumerate(ordered, self.spoken - len(ordered)):
            key = f"e-{rollout_id}-{number}"
            if isinstance(effect, DrawCard):
                await self.announcer.draw_card(rollout_id)
            elif isinstance(effect, LogLine):
                await self.announcer.log_line(rollout_id, key, effect.text, self.clock.now())
            elif isinstance(effect, Notify):
                await self.announcer.notify(notice(rollout_id, key, effect))

    async def card(self, rollout_id: int = 1) -> Json:
        ref = self.books.cards[rollout_id]
        return await self.call("GET", f"messages/{ref.message_id}?as=dev")

    async def until(
        self, what: Callable[[], Awaitable[Any]] | Callable[[], Any], timeout_s: float = PATIENCE_S
    ) -> Any:
        """Looks until there is something true; fails after a bounded time."""
        async with asyncio.timeout(timeout_s):
            while True:
                found = what()
                if isinstance(found, Awaitable):
                    found = await found
                if found:
                    return found
                await asyncio.sleep(0.05)


def notice(rollout_id: int, key: str, effect: Notify) -> Notice:
    return Notice(key, rollout_id, effect.what, effect.text, effect.mention_roles, effect.mention_users)


async def healthy() -> Sequence[HealthLine]:
    return [HealthLine("database", True, "PostgreSQL"), HealthLine("Redis", None, "not configured")]


@contextlib.asynccontextmanager
async def standing(
    folder: Path,
    world: World | None = None,
    *,
    offline_s: float = 1.5,
    connect: bool = True,
    presences: bool = False,
    **announcer: Any,
) -> AsyncIterator[Stand]:
    """A stand that is connected and has its commands, unless `connect` is off. presences: of the client."""
    async with (
        Sandbox(world or discord_world(rate_limits=False), port=0) as sandbox,
        aiohttp.ClientSession() as http,
    ):
        point_at(sandbox.api_base, sandbox.gateway_url)
        clock, books, limiter, line = FrozenClock(), FakeBooks(), FakeLimiter(), GatewayConnection()
        engine = rollouts.engine(int(sandbox.guild_id()), clock)
        seen: list[tuple[str, str]] = []
        service = FakeCommands(engine)

        def watch(command: str, outcome: str, _: float) -> None:
            seen.append((command, outcome))

        responder = Responder(engine, lambda: engine.catalog, limiter, clock, healthy, watch, service)
        budget = IdentifyBudget(books, clock, "test", folder, free=50)
        spoken = DiscordAnnouncer(
            line.rest,
            engine.card,
            books,
            books,
            lambda: engine.catalog,
            clock,
            measured=engine.view,
            alerts=engine.store.alerts,
            **{"budget": MessageBudget(burst=50), **announcer},
        )
        token = sandbox.token("slipway")
        supervisor = asyncio.create_task(
            run_supervised(
                lambda: SlipwayBot(responder, COGS, books, budget, presences=presences),
                token,
                line,
                budget,
                offline_s=offline_s,
            )
        )
        stand = Stand(
            sandbox, http, engine, service, books, limiter, clock, line, spoken, supervisor, responder, seen
        )
        try:
            if connect:
                await stand.until(lambda: line.connected and ("commands", _key(books)) in books.notes)
            yield stand
        finally:
            supervisor.cancel()
            await asyncio.gather(supervisor, return_exceptions=True)
            await spoken.close()


def _key(books: FakeBooks) -> str:
    return next((key for kind, key in books.notes if kind == "commands"), "")
