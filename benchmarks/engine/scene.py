"""Where presses are measured: one sandbox with a crowd of people, a bare bot and Slipway, each a process of its own."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import psutil

from bot.adapters.embedded import EmbeddedPostgres
from demo.launcher import Demo
from demo.stories.stage import Stage, Transcript

Json = dict[str, Any]

ASKERS, CROWD = 400, 1200  # who asks for rollouts, and everybody
_GUILD_ID = "1459747831315891395"  # the sandbox derives ids from names: this is `harbor`
_COMMON = f"""
guilds:
  harbor:
    id: "{_GUILD_ID}"
    channels: {{deploys: deploys, alerts: alerts}}
    roles: {{deployer: deployer, release-manager: release-manager, on-call: oncall}}
defaults:
  target: local
  metrics: [router]
  policy: web
  plan: gated
  roles: {{deploy: [deployer], rollback: [on-call], operate: [deployer], lock: [on-call], notify: [on-call]}}
environments: {{production: {{}}}}
targets: {{local: {{kind: process}}}}
metrics: {{router: {{kind: router}}}}
plans: {{gated: [{{gate: {{role: release-manager, quorum: 20, expires: 2h}}}}, {{shift: 100}}, {{observe: 10s}}]}}
policies: {{web: {{objectives: {{errors: 1%}}}}}}
services:
"""
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
    """Everybody may ask and approve: who may is decided at every press all the same."""
    named = ({"name": person(i), "roles": ["deployer", "release-manager"]} for i in range(CROWD))
    people = [*named, {"name": "dev", "roles": ["deployer"]}]
    return {"guilds": [{"name": "harbor", "people": people}], "rate_limits": False}


@dataclass(frozen=True)
class Waiting:
    """A rollout that waits at a gate, as its card's buttons name it."""

    rollout: int
    step: int
    seal: str

    def custom_id(self, action: str) -> str:
        return f"slipway:{self.rollout}:{self.step}:{action}:{self.seal}"


class Scene:
    """What runs. `bare` and `slipway` are the processes; `bare_message` has the bare bot's button."""

    def __init__(self, demo: Demo, stage: Stage, bare: psutil.Process, bare_message: str) -> None:
        self.demo = demo
        self.stage = stage
        self.bare = bare
        self.bare_message = bare_message
        self.slipway = psutil.Process(demo.child("bot").process.pid)

    async def restart(self) -> None:
        """Slipway anew, on the same data."""
        await self.demo.end_bot()
        self.slipway = psutil.Process((await self.demo.start_bot()).process.pid)

    async def ask_for(self, services: Sequence[str], at_once: int = 8) -> list[Waiting]:
        """`/deploy` for each service by another person; the rollouts, waiting at their gates."""
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
        """The message of a card: one is enough to press buttons on by their ids."""
        return str((await self.stage.message("deploys", button="Approve", timeout_s=60))["id"])


async def listening(stage: Stage) -> None:
    """Returns once Discord has the bot's commands: it is well a moment before that."""

    async def look() -> bool | None:
        known = (await stage.call("GET", "state"))["applications"]
        names = {command["name"] for one in known for command in one["commands"]}
        return True if "deploy" in names else None

    await stage.until("/deploy being known", look)


@asynccontextmanager
async def truth(demo: Demo) -> AsyncIterator[Any]:
    """A connection to the bot's own PostgreSQL, to look."""
    async with EmbeddedPostgres(demo.folder / "data") as server:
        connection = await asyncpg.connect(server.dsn)
        try:
            yield connection
        finally:
            await connection.close()


@asynccontextmanager
async def scene(services: Sequence[str]) -> AsyncIterator[Scene]:
    """All of it, in a folder of its own that is gone afterwards."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="slipway-bench-")))
        folder.chmod(0o755)
        (folder / "config").mkdir()
        text = _COMMON + "".join(_SERVICE.format(name=name) for name in services)
        (folder / "config" / "catalog.yaml").write_text(text)
        demo = Demo(
            folder / "run",
            lanes=(),
            config=folder / "config",
            world=_world(),
            restart_bot=False,
        )
        await stack.enter_async_context(demo)
        stage = await stack.enter_async_context(Stage(demo.url, Transcript(lambda line: None)))
        await listening(stage)
        bare, message = await stack.enter_async_context(bare_bot(demo, stage))
        yield Scene(demo, stage, bare, message)


@asynccontextmanager
async def bare_bot(demo: Demo, stage: Stage) -> AsyncIterator[tuple[psutil.Process, str]]:
    """The bare bot on the sandbox's second application, and the id of its message."""
    state = await stage.call("GET", "state")
    channel = next(one["id"] for one in state["channels"] if one["name"] == "deploys")
    told = demo.child("sandbox").ready
    token = next(one["token"] for one in told["applications"] if one["name"] == "greeter")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.discord.bare_bot",
        env={
            **os.environ,
            "BARE_TOKEN": token,
            "BARE_API": told["api_base"],
            "BARE_GATEWAY": told["gateway_url"],
            "BARE_CHANNEL": channel,
        },
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), 30)
        yield psutil.Process(process.pid), line.decode().strip()
    finally:
        process.terminate()
        await process.wait()
