"""Roles of people, asked of the sandbox as of Discord, and what is known of them while it does not answer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import aiohttp
import pytest
from discord_sandbox import Sandbox

from bot.adapters.discord_members import DiscordMembers
from bot.domain.config import GuildConfig
from bot.ports.errors import Unreachable
from tests.fakes.store import MemoryDatabase, MemoryStore
from tests.support.clocks import FrozenClock
from tests.support.discord import discord_world

NOWHERE = "http://127.0.0.1:1/api/v10"
STRANGER = 4242


class SandboxServer:
    """The sandbox's server as the catalog names it, and a bot that asks for roles in it. `store` outlives the bot."""

    def __init__(self, sandbox: Sandbox, session: aiohttp.ClientSession) -> None:
        self.sandbox = sandbox
        self.session = session
        self.store = MemoryStore(MemoryDatabase(FrozenClock().now))
        named = {"deployer": "deployer", "on-call": sandbox.role_id("oncall"), "nothing": "No such role"}
        self.guild = GuildConfig(int(sandbox.guild_id()), "harbor", {}, named)

    async def roles(self, person: str, *, token: str = "", base: str = "") -> frozenset[str]:
        members = DiscordMembers(
            self.session,
            token or self.sandbox.token("slipway"),
            self.store.notes,
            base or self.sandbox.api_base,
        )
        return await members.roles(self.guild, int(self.sandbox.person_id(person)))

    async def give(self, person: str, roles: Sequence[str]) -> None:
        url = f"{self.sandbox.api}/people/{person}"
        async with self.session.patch(url, json={"roles": list(roles)}) as answer:
            assert answer.status == 200, await answer.text()


@pytest.fixture
async def server() -> AsyncIterator[SandboxServer]:
    async with Sandbox(discord_world(), port=0) as sandbox, aiohttp.ClientSession() as session:
        yield SandboxServer(sandbox, session)


async def test_roles_are_those_that_the_person_has_now(server: SandboxServer) -> None:
    assert await server.roles("dev") == {"deployer"}
    assert await server.roles("oncall") == {"on-call"}
    assert await server.roles("guest") == frozenset()
    await server.give("dev", [])
    assert await server.roles("dev") == frozenset()
    await server.give("dev", ["deployer", "oncall"])
    assert await server.roles("dev") == {"deployer", "on-call"}


async def test_a_person_who_is_not_in_the_server_has_none(server: SandboxServer) -> None:
    members = DiscordMembers(
        server.session, server.sandbox.token("slipway"), server.store.notes, server.sandbox.api_base
    )
    assert await members.roles(server.guild, STRANGER) == frozenset()


async def test_what_was_seen_last_counts_while_discord_is_away_also_after_a_restart(
    server: SandboxServer,
) -> None:
    with pytest.raises(Unreachable):
        await server.roles("dev", base=NOWHERE)
    assert await server.roles("dev") == {"deployer"}
    assert await server.roles("dev", base=NOWHERE) == {"deployer"}
    await server.give("dev", [])
    assert await server.roles("dev") == frozenset()
    assert await server.roles("dev", base=NOWHERE) == frozenset()


async def test_an_error_of_discord_is_no_loss_of_a_role(server: SandboxServer) -> None:
    with pytest.raises(Unreachable):
        await server.roles("dev", token="wrong")
    assert await server.roles("dev") == {"deployer"}
    assert await server.roles("dev", token="wrong") == {"deployer"}
    await server.roles("dev")
    other = GuildConfig(77, "elsewhere", {}, server.guild.roles)
    members = DiscordMembers(
        server.session, server.sandbox.token("slipway"), server.store.notes, server.sandbox.api_base
    )
    with pytest.raises(Unreachable):  # the bot is not in it
        await members.roles(other, int(server.sandbox.person_id("dev")))


async def test_people_who_left_are_gone_and_while_discord_is_away_no_one_is(server: SandboxServer) -> None:
    members = DiscordMembers(
        server.session, server.sandbox.token("slipway"), server.store.notes, server.sandbox.api_base
    )
    dev = int(server.sandbox.person_id("dev"))
    assert await members.gone(server.guild, [dev, STRANGER, dev]) == {STRANGER}
    away = DiscordMembers(server.session, "token", server.store.notes, NOWHERE)
    assert await away.gone(server.guild, [dev, STRANGER]) == frozenset()
