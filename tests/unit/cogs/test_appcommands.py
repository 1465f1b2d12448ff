"""The group as Discord gets it: it must pass what Slipway asks of everybody's commands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import discord
import discord.ext.commands
import pytest
from discord import app_commands

from bot.domain.appcommands.validation import validate
from bot.ui.gateway import command_registration
from bot.ui.interactions.responder import Responder
from cogs import COGS
from cogs.appcommands_answers import Answers
from tests.fakes.appcommands import FakeCommands
from tests.fakes.books import FakeLimiter
from tests.support import rollouts
from tests.support.clocks import FrozenClock


async def well() -> list[Any]:
    return []


@pytest.fixture
def responder() -> Responder:
    engine = rollouts.engine()
    return Responder(
        engine,
        lambda: engine.catalog,
        FakeLimiter(),
        FrozenClock(),
        well,
        commands=FakeCommands(engine),
    )


@pytest.fixture
async def tree(responder: Responder) -> Any:
    client = discord.ext.commands.Bot("!", intents=discord.Intents.none())
    for make in COGS:
        await client.add_cog(make(responder))
    return client.tree


def leaves(group: app_commands.Group) -> Iterator[app_commands.Command[Any, ..., Any]]:
    for command in group.walk_commands():
        if isinstance(command, app_commands.Command):
            yield command


async def test_our_own_commands_pass_our_own_validation(tree: Any) -> None:
    assert validate(command_registration.manifest(tree)) == []


async def test_every_subcommand_suggests_what_it_asks_for(tree: Any) -> None:
    group = tree.get_command("commands-sync")
    names = {command.name for command in leaves(group)}
    assert names == {"diff", "validate", "apply", "backups", "rollback", "status", "history"}
    for command in leaves(group):
        suggested = {p.name for p in command.parameters if p.autocomplete}
        asked = {p.name for p in command.parameters} - {"reason", "emergency"}
        assert suggested == asked, command.name


def test_scopes_are_called_by_the_servers_names(responder: Responder) -> None:
    from bot.domain.appcommands.applications import GLOBAL, Scope

    place = Answers(responder).place()
    assert [place(GLOBAL), place(Scope(rollouts.GUILD)), place(Scope(5))] == [
        "everywhere (global)",
        "server harbor",
        "server 5",
    ]
