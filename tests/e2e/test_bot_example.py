"""config/examples/discord-bot as a newcomer uses it: a bot with its slash commands, judged by their errors.

What the test changes besides addresses: the watch lasts seconds (SLIPWAY_VAR_SOAK, as the README offers), and the bot
runs as the host's user, since the interpreter of the tests may be in a folder that no other user can read.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from tests.support.e2e.newcomer import Newcomer, newcomer
from tests.support.e2e.users import NO_RELEASE, Invocations
from tests.support.paths import ROOT, TESTS

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.long, pytest.mark.timeout(1500)]

COMMANDS = {"1.0.0": ["greet"], "1.1.0": ["greet", "wave"], "1.2.0": ["dance", "greet"]}
RATE = 5  # invocations a second


def release(version: str) -> dict[str, str]:
    """`releases/greeter/VERSION`."""
    folder = f"releases/greeter/{version}"
    bot = f"env PYTHONPATH={ROOT} {sys.executable} {TESTS / 'fakes' / 'command_bot.py'}"
    manifest = [{"name": name, "description": f"Does {name}"} for name in COMMANDS[version]]
    return {
        f"{folder}/bin/greeter": f'#!/bin/sh\nexec {bot} "$1" {version}\n',
        f"{folder}/commands.json": json.dumps(manifest),
    }


async def deployed(here: Newcomer, version: str, phase: str) -> str:
    """The commands are tried in the server first, then the bot is replaced and watched; why it ended in that phase."""
    await here.stage.slash("dev", "commands-sync apply", app="greeter", environment="staging")
    await here.ends(await here.newest("greeter-commands", "staging"), "succeeded")
    id_ = await here.deploy("greeter", version, "production")
    await here.approve(id_)
    return await here.ends(id_, phase)


async def test_a_bot_that_fails_is_replaced_by_the_former_one_with_its_commands(
    dsn: str, tmp_path: Path
) -> None:
    secrets = tmp_path / "greeter.env"
    edits = [
        ("{kind: process}", "{kind: process, users: host}"),
        ("/etc/slipway/greeter.env", str(secrets)),
        ("greeter_command", "chopsticks_command"),
    ]

    async def prepare(here: Newcomer) -> None:
        token = here.tokens["chopsticks"]
        api, gateway = here.sandbox["api_base"], here.sandbox["gateway_url"]
        secrets.write_text(
            f"DISCORD_TOKEN={token}\nDISCORD_API={api}\nDISCORD_GATEWAY={gateway}\nSTAGE=production\n"
        )
        here.environment |= {
            "SLIPWAY_VAR_GREETER_ID": here.ids["chopsticks"],
            "SLIPWAY_VAR_GREETER_TOKEN": token,
        }

    async with newcomer(
        "discord-bot",
        dsn,
        edits=edits,
        variables={"SLIPWAY_VAR_SOAK": "20s"},
        files=release("1.0.0") | release("1.1.0"),
        prepare=prepare,
    ) as here:
        people = Invocations(here.stage, "chopsticks", RATE)
        async with people:
            await people.only("1.0.0", 10)
            await deployed(here, "1.1.0", "succeeded")
            await people.only("1.1.0", 15)
            # While it is replaced no command is answered; every answer was a good one.
            assert set(people.failures()) <= {NO_RELEASE}
            assert await here.app_commands("chopsticks") == COMMANDS["1.1.0"]

            before = people.count
            here.write(release("1.2.0"))
            assert "limit 2%" in await deployed(here, "1.2.0", "rolled_back")
            await people.only("1.1.0", 15)
            assert set(people.failures(before)) <= {"1.2.0", NO_RELEASE}
            assert people.failures(people.settled) == {}, "after the rollback all are answered"
        assert await here.app_commands("chopsticks") == COMMANDS["1.1.0"]
        await here.alerted("greeter", "1.2.0")
