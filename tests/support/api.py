"""The HTTP API over real HTTP: the real engine on a real database, with everything outside of it faked."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import aiohttp

from bot.adapters.postgres.tokens import NewToken, PostgresTokens
from bot.adapters.redis.limiter import BUDGETS, BudgetLimiter
from bot.adapters.redis.waker import EventWaker
from bot.adapters.telemetry import Telemetry
from bot.catalog import Reloaded
from bot.domain.config import GuildConfig
from bot.domain.rollout.model import Actor, Release
from bot.domain.tokens import TokenScope
from bot.engine.watch.incidents.service import Incidents
from bot.ports.changes import ChangeSource
from bot.ports.errors import Unreachable
from bot.web.api.app import create_api
from bot.web.api.dependencies import ApiDependencies
from bot.web.app import Admin, create_app, serve
from tests.support.actors import BOSS, DEV
from tests.support.catalogs import V140
from tests.support.harness import Slipway, World

EVERYTHING = tuple(TokenScope)
# For tests that are not about rates.
GENEROUS = dict.fromkeys(BUDGETS, (100000, 60))


class Answer(NamedTuple):
    status: int
    body: Any
    headers: Any


class Roles:
    """Implements `bot.ports.members.Members`: everyone has all roles of the tests, except those in `taken`."""

    def __init__(self) -> None:
        self.taken: dict[int, set[str]] = {}
        self.away = False
        self.left: set[int] = set()  # people who are not in the server any more

    async def roles(self, guild: GuildConfig, user_id: int) -> frozenset[str]:
        if self.away:
            raise Unreachable("Discord is away")
        return (BOSS.roles | set(guild.panic_roles)) - self.taken.get(user_id, set())

    async def gone(self, guild: GuildConfig, user_ids: Iterable[int]) -> frozenset[int]:
        return frozenset() if self.away else frozenset(self.left & set(user_ids))


@dataclass(slots=True)
class Api:
    """The server and its callers. `secrets`: tokens by name."""

    base: str
    slipway: Slipway
    tokens: PostgresTokens
    session: aiohttp.ClientSession
    members: Roles
    secrets: dict[str, str] = field(default_factory=dict)

    async def token(
        self, name: str, owner: Actor = DEV, scopes: tuple[TokenScope, ...] = EVERYTHING, **more: Any
    ) -> str:
        new = NewToken(
            name=name,
            guild_id=more.pop("guild_id", self.slipway.world.guild),
            owner_id=owner.id,
            owner=owner.name,
            created_by="tests",
            roles=tuple(owner.roles),
            scopes=scopes,
            **more,
        )
        made = await self.tokens.create(new)
        assert made is not None
        self.secrets[name] = made[1]
        return made[1]

    async def __call__(
        self, token: str | None, method: str, path: str, body: Any = None, **headers: str
    ) -> Answer:
        """A request with the token of that name; None: without one."""
        if token is not None:
            headers["Authorization"] = f"Bearer {self.secrets.get(token, token)}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with self.session.request(
            method, f"{self.base}/api/v1{path}", json=body, headers=named
        ) as answer:
            return Answer(answer.status, await answer.json(content_type=None), answer.headers)


@asynccontextmanager
async def serving(
    dsn: str,
    world: World | None = None,
    *,
    working: bool = True,
    budgets: dict[str, tuple[int, int]] | None = None,
    serves: Release = V140,
    changes: ChangeSource | None = None,
) -> AsyncIterator[Api]:
    world, members = world or World(dsn), Roles()
    await world.serve(serves)

    async def reloaded() -> Reloaded:
        return Reloaded(True)

    async with world.open(working=working, changes=changes) as slipway:
        tokens = PostgresTokens(slipway.database)
        parts = ApiDependencies(
            slipway.engine,
            Incidents(slipway.store, lambda: world.catalog, clock=world.clock, waker=EventWaker()),
            lambda: world.catalog,
            tokens,
            BudgetLimiter(budgets=budgets or GENEROUS),
            world.clock,
            members,
        )
        app = create_app({}, Telemetry(), Admin(None, reloaded), lambda: create_api(parts))
        runner = await serve(app, "127.0.0.1", 0)
        try:
            async with aiohttp.ClientSession() as session:
                yield Api(f"http://127.0.0.1:{runner.addresses[0][1]}", slipway, tokens, session, members)
        finally:
            await runner.cleanup()
