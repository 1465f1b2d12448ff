"""Scene for presses: one sandbox with a crowd of people, a bare bot and Slipway, each in its own process."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import psutil

from benchmarks.discord.bare_bot import PREFIX
from benchmarks.engine.catalog import catalog
from bot.adapters.embedded_postgres import EmbeddedPostgres
from demo.launcher import Demo
from demo.stories.stage import Stage, Transcript

Json = dict[str, Any]

_COMPONENTS_V2 = 1 << 15
ASKERS, CROWD = 400, 1200  # requesters of rollouts, and all people
_PLAN = "[{gate: {role: release-manager, quorum: 20, expires: 2h}}, {shift: 100}, {observe: 10s}]"
_SERVICE = """
  {name}:
    releases:
      kind: listed
      spec: {{command: ["{{python}}", -m, http.server, "{{port}}"]}}
      versions: [{{version: 1.0.0}}]
    environments: {{production: {{}}}}
"""


def person(number: int) -> str:
    return f"person-{number}"


def _world() -> Json:
    """A server in which everyone may deploy and approve; permissions are still checked at every press."""
    named = ({"name": person(i), "roles": ["deployer", "release-manager"]} for i in range(CROWD))
    people = [*named, {"name": "dev", "roles": ["deployer"]}]
    return {"guilds": [{"name": "harbor", "people": people}], "rate_limits": False}


@dataclass(frozen=True)
class Waiting:
    """A rollout that waits at a gate, with what its card's buttons refer to."""

    rollout: int
    step: int
    seal: str

    def custom_id(self, action: str, prefix: str = "slipway:") -> str:
        return f"{prefix}{self.rollout}:{self.step}:{action}:{self.seal}"


class Scene:
    """The running programs. `bare`, `slipway`: the two bots' processes."""

    def __init__(self, demo: Demo, stage: Stage, bare: psutil.Process) -> None:
        self.demo = demo
        self.stage = stage
        self.bare = bare
        self.slipway = psutil.Process(demo.child("bot").process.pid)

    async def restart(self) -> None:
        """Restart Slipway on the same data."""
        await self.demo.end_bot()
        self.slipway = psutil.Process((await self.demo.start_bot()).process.pid)

    async def ask_for(self, services: Sequence[str], at_once: int = 8) -> list[Waiting]:
        """`/deploy` each service by another person; returns the rollouts, waiting at their gates."""
        turns = asyncio.Semaphore(at_once)

        async def ask(number: int, service: str) -> None:
            async with turns:
                body: Json = {"user": person(number % ASKERS), "channel": "deploys", "command": "deploy"}
                body["options"] = {"service": service, "version": "1.0.0", "environment": "production"}
                begun = await self.stage.call("POST", "commands", body)
                await self.stage.answer(begun["interaction"])

        await asyncio.gather(*(ask(number, service) for number, service in enumerate(services)))
        async with truth(self.demo) as connection:
            rows = await connection.fetch(
                "SELECT id, (state->>'step')::int AS step, charter->>'seal' AS seal FROM rollouts "
                "WHERE phase = 'gated' ORDER BY id"
            )
        return [Waiting(row["id"], row["step"], row["seal"]) for row in rows]

    async def card(self) -> str:
        """Message of any card: a button's id says which rollout it is about."""
        return str((await self.stage.message("deploys", button="Approve", timeout_s=60))["id"])

    async def bare_card(self, card: str) -> str:
        """Message of the bare bot that is a copy of a card, with buttons of its own: both bots get the same payload."""
        channel = await _channel(self.stage)
        base = f"{self.demo.child('sandbox').ready['api_base']}/channels/{channel}/messages"
        headers = {"Authorization": f"Bot {_bare_token(self.demo)}"}
        async with aiohttp.ClientSession(headers=headers, raise_for_status=True) as session:
            async with session.get(f"{base}/{card}") as found:
                shown = await found.text()
            shown = json.loads(shown.replace('"custom_id":"slipway:', f'"custom_id":"{PREFIX}'))
            body = {"components": shown["components"], "flags": _COMPONENTS_V2}
            async with session.post(base, json=body) as posted:
                return str((await posted.json())["id"])

    def postgres(self) -> list[psutil.Process]:
        """The processes of the bot's PostgreSQL."""
        with contextlib.suppress(FileNotFoundError):
            pid = int((self.demo.folder / "data" / "postgres" / "postmaster.pid").read_text().split()[0])
            server = psutil.Process(pid)
            return [server, *server.children(recursive=True)]
        return []


def _bare_token(demo: Demo) -> str:
    applications = demo.child("sandbox").ready["applications"]
    return str(next(one["token"] for one in applications if one["name"] == "greeter"))


async def _channel(stage: Stage) -> str:
    channels = (await stage.call("GET", "state"))["channels"]
    return str(next(one["id"] for one in channels if one["name"] == "deploys"))


async def listening(stage: Stage) -> None:
    """Wait until Discord has the bot's commands, which is shortly after the bot is healthy."""

    async def look() -> bool | None:
        known = (await stage.call("GET", "state"))["applications"]
        names = {command["name"] for one in known for command in one["commands"]}
        return True if "deploy" in names else None

    await stage.until("/deploy being known", look)


@asynccontextmanager
async def truth(demo: Demo) -> AsyncIterator[Any]:
    """A connection to the bot's PostgreSQL, for reading."""
    async with EmbeddedPostgres(demo.folder / "data") as server:
        connection = await asyncpg.connect(server.dsn)
        try:
            yield connection
        finally:
            await connection.close()


@asynccontextmanager
async def scene(
    services: Sequence[str], environment: Mapping[str, str] | None = None
) -> AsyncIterator[Scene]:
    """Run the scene in a temporary folder. environment: more variables for Slipway."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slipway-bench-")))
        folder.chmod(0o755)
        (folder / "config").mkdir()
        entries = "".join(_SERVICE.format(name=name) for name in services)
        text = catalog(plan=_PLAN, policy="{objectives: {errors: 1%}}", services=entries)
        (folder / "config" / "catalog.yaml").write_text(text)
        demo = Demo(
            folder / "run",
            lanes=(),
            config=folder / "config",
            world=_world(),
            restart_bot=False,
            environment=environment,
        )
        await stack.enter_async_context(demo)
        stage = await stack.enter_async_context(Stage(demo.url, Transcript(lambda line: None)))
        await listening(stage)
        bare = await stack.enter_async_context(bare_bot(demo))
        yield Scene(demo, stage, bare)


@asynccontextmanager
async def bare_bot(demo: Demo) -> AsyncIterator[psutil.Process]:
    """The bare bot on the sandbox's second application."""
    told = demo.child("sandbox").ready
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.discord.bare_bot",
        env={
            **os.environ,
            "BARE_TOKEN": _bare_token(demo),
            "BARE_API": told["api_base"],
            "BARE_GATEWAY": told["gateway_url"],
        },
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        await asyncio.wait_for(process.stdout.readline(), 30)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        await process.wait()
