"""A newcomer: copies a folder of config/examples, types the commands of its README, and deploys from Discord."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from demo.children import Children, free_port
from demo.stories.stage import Json, Stage, StoryError, said
from tests.support.e2e.users import ServiceUsers
from tests.support.repository import EXAMPLES, SHELL, blocks

Edits = Sequence[tuple[str, str]]

# The server that the examples are written for.
_PEOPLE = {"dev": "Deployers", "lead": "Release managers", "oncall": "On-call"}
_WORLD = {
    "guilds": [
        {
            "name": "acme",
            "roles": [{"name": role} for role in _PEOPLE.values()],
            "people": [{"name": name, "roles": [role]} for name, role in _PEOPLE.items()],
            "channels": [{"name": "deploys"}, {"name": "alerts"}],
        }
    ],
    "applications": [{"name": "slipway"}, {"name": "chopsticks"}, {"name": "chopsticks-test"}],
}
_STARTS_S, _ENDS_S = 240.0, 360.0
_NOT_SEEN = "does not know yet"


class Newcomer:
    """One who follows the README of an example. `home` is their clone; all waiting is bounded. Use `newcomer`."""

    def __init__(self, name: str, folder: Path, dsn: str) -> None:
        self.home = folder / "slipway"
        self.catalog = self.home / "config" / "catalog"
        self.stage = Stage("")
        self.sandbox: Mapping[str, Any] = {}
        self.tokens: dict[str, str] = {}
        self.ids: dict[str, str] = {}
        self.environment: dict[str, str] = {}
        self._name, self._dsn = name, dsn
        self._children = Children(self.home)

    # ---- what is typed -----------------------------------------------------------------------------------

    async def follow(self, edits: Edits) -> None:
        """Type every command of the README, and make the changes after the first one, which copies the folder."""
        lines = [
            line
            for block in blocks(EXAMPLES / self._name / "README.md")
            if block.language == SHELL
            for line in block.text.splitlines()
        ]
        assert lines[0] == f"cp -r config/examples/{self._name} config/catalog", lines[0]
        assert lines[-1] in ("slipway run", "docker compose up -d"), lines[-1]
        await self.type(lines[0])
        self.change(edits)
        for line in lines[1:-1]:
            await self.type(line)
        await self._run()

    def change(self, edits: Edits) -> None:
        """Replace texts of the catalog; each must be there."""
        for old, new in edits:
            holding = [path for path in self.catalog.rglob("*") if path.is_file() and old in path.read_text()]
            assert holding, f"no file of the catalog has {old!r}"
            for path in holding:
                path.write_text(path.read_text().replace(old, new))

    def write(self, files: Mapping[str, str]) -> None:
        """Files of the clone; those that begin with `#!` are programs."""
        for name, text in files.items():
            path = self.home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            path.chmod(0o755 if text.startswith("#!") else 0o644)

    async def type(self, line: str) -> str:
        """Run a line in the clone; its output. Raises StoryError with it when the line fails."""
        process = await asyncio.create_subprocess_exec(
            *("/bin/sh", "-ec", line),
            env=self.environment,
            cwd=self.home,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(process.communicate(), _STARTS_S)
        text = output.decode(errors="replace")
        if process.returncode:
            raise StoryError(f"`{line}` exited with {process.returncode}:\n{text}")
        return text

    async def _run(self) -> None:
        """`slipway run`, until it is healthy and has its commands."""
        bot = await self._children.spawn("bot", ("-m", "bot", "run"), self.environment)
        health = f"http://127.0.0.1:{self.environment['SLIPWAY_WEB_PORT']}/health"

        async def serves() -> bool | None:
            if bot.process.returncode is not None:
                raise StoryError(f"the bot exited with {bot.process.returncode}:\n{bot.tail()}")
            async with aiohttp.ClientSession() as session:
                try:
                    async with session.get(health) as answer:
                        well = answer.status == 200
                except aiohttp.ClientError:
                    well = False
            state = await self.stage.call("GET", "state")
            (slipway,) = (a for a in state["applications"] if a["name"] == "slipway")
            return True if well and slipway["connected"] and slipway["commands"] else None

        await self.stage.until("the bot to be well", serves, _STARTS_S)

    # ---- what is done in Discord -------------------------------------------------------------------------

    async def deploy(self, service: str, version: str, environment: str) -> int:
        """`/deploy` by a deployer; the number of the rollout. Raises StoryError with a refusal."""
        before = await self.newest(service, environment)
        for _ in range(60):
            words = {"service": service, "version": version, "environment": environment}
            text = said(await self.stage.slash("dev", "deploy", **words))
            if _NOT_SEEN not in text:  # as a person would, who is told to try again
                break
            await asyncio.sleep(1)
        found = await self.newest(service, environment)
        if found == before:
            raise StoryError(f"refused: {text}")
        return found

    async def approve(self, id_: int) -> None:
        """A release manager presses Approve once the card has it."""

        async def gated() -> Json | None:
            if (await self._state(id_))["phase"] != "gated":
                return None
            rows = await self._rows("SELECT message_id FROM cards WHERE rollout_id = $1", id_)
            card = await self.stage.call("GET", f"messages/{rows[0]['message_id']}") if rows else None
            there = card and any(b["label"] == "Approve" and b["enabled"] for b in card["buttons"])
            return card if there else None

        card = await self.stage.until(f"[Approve] on rollout {id_}", gated, _STARTS_S)
        await self.stage.press("lead", card["id"], "Approve")

    async def ends(self, id_: int, phase: str, timeout_s: float = _ENDS_S) -> str:
        """Waits until the rollout is over, in this phase; why. Raises StoryError when it ends otherwise."""

        async def over() -> str | None:
            row = await self._state(id_, phase)
            return str(row["outcome"]) if row["final"] else None

        return await self.stage.until(f"rollout {id_} to be {phase}", over, timeout_s)

    async def phase(self, id_: int, phase: str, timeout_s: float = _ENDS_S) -> None:
        """Waits until the rollout is in this phase. Raises StoryError when it ends before."""

        async def there() -> bool | None:
            return True if (await self._state(id_, phase))["phase"] == phase else None

        await self.stage.until(f"rollout {id_} to be {phase}", there, timeout_s)

    async def app_commands(self, application: str) -> list[str]:
        """The names of an application's commands that are everywhere."""
        state = await self.stage.call("GET", "state")
        (found,) = (a for a in state["applications"] if a["name"] == application)
        return sorted(c["name"] for c in found["commands"] if c.get("guild_id") is None)

    async def alerted(self, *words: str) -> Json:
        """The message in #alerts with these words."""
        return await self.stage.message("alerts", *words, as_="oncall")

    async def _state(self, id_: int, fine: str = "") -> asyncpg.Record:
        """The rollout. Raises StoryError when it is over or halted, unless that is `fine`.

        A soak in which users asked too little is on hold until they have asked enough.
        """
        (row,) = await self._rows("SELECT phase, final, outcome FROM rollouts WHERE id = $1", id_)
        if (row["final"] or row["phase"] == "halted") and row["phase"] != fine:
            raise StoryError(f"rollout {id_} is {row['phase']}: {row['outcome']}")
        return row

    async def newest(self, service: str, environment: str) -> int:
        """The number of the newest rollout of a lane; 0 when there was none."""
        sql = "SELECT max(id) AS id FROM rollouts WHERE service = $1 AND environment = $2"
        (row,) = await self._rows(sql, service, environment)
        return int(row["id"] or 0)

    async def _rows(self, sql: str, *values: Any) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self._dsn, timeout=10)
        try:
            found: list[asyncpg.Record] = await connection.fetch(sql, *values)
            return found
        finally:
            await connection.close()

    # ---- before and after --------------------------------------------------------------------------------

    async def open(self, variables: Mapping[str, str]) -> None:
        """Clone, and join the server. variables: what the README has people set in the environment."""
        (self.home / "config").mkdir(parents=True)
        shutil.copytree(EXAMPLES, self.home / "config" / "examples")
        programs = self.home.parent / "bin"
        programs.mkdir()
        (programs / "slipway").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m bot "$@"\n')
        (programs / "slipway").chmod(0o755)
        world = self.home.parent / "world.json"
        world.write_text(json.dumps(_WORLD))
        options = ("--port", str(free_port()), "--world", str(world))
        sandbox = await self._children.spawn(
            "sandbox", ("-m", "discord_sandbox", *options), {}, wait_for_line=True
        )
        self.sandbox = sandbox.ready
        self.stage = await Stage(sandbox.ready["url"]).__aenter__()
        self.tokens = {a["name"]: a["token"] for a in sandbox.ready["applications"]}
        state = await self.stage.call("GET", "state")
        self.ids = {a["name"]: a["id"] for a in state["applications"]}
        ours = re.compile(r"SLIPWAY_|DISCORD_|DATABASE_URL|REDIS_URL|ADMIN_API_SECRET")
        self.environment = {
            **{name: value for name, value in os.environ.items() if not ours.match(name)},
            "PATH": f"{programs}:{os.environ['PATH']}",
            # The local Discord instead of Discord, and a database that is already there.
            "SLIPWAY_DISCORD_TOKEN": self.tokens["slipway"],
            "SLIPWAY_VAR_SERVER_ID": state["guilds"][0]["id"],
            "SLIPWAY_DISCORD_API_BASE": sandbox.ready["api_base"],
            "SLIPWAY_DISCORD_GATEWAY_URL": sandbox.ready["gateway_url"],
            "SLIPWAY_DATABASE_URL": self._dsn,
            "SLIPWAY_WEB_PORT": str(free_port()),
            **variables,
        }

    async def close(self) -> None:
        """Stop the bot, then the host with all releases, then the rest."""
        try:
            await self._children.stop("bot")
            if self.catalog.exists():
                await self.type("slipway host stop || true")
        finally:
            await self.stage.__aexit__(None, None, None)
            await self._children.end()


@asynccontextmanager
async def newcomer(
    name: str,
    dsn: str,
    *,
    edits: Edits = (),
    variables: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
    prepare: Callable[[Newcomer], Awaitable[object]] | None = None,
) -> AsyncIterator[Newcomer]:
    """One who has followed the README of `name`: the bot runs, and the first releases serve.

    edits: what they change in the copied catalog. variables: what they set in the environment. files: what they have
    in the clone. prepare: what they do elsewhere before the first command.
    """
    folder = Path(tempfile.mkdtemp(prefix="slipway-new-"))
    folder.chmod(0o755)
    here = Newcomer(name, folder, dsn)
    try:
        await here.open(variables or {})
        here.write(files or {})
        if prepare is not None:
            await prepare(here)
        await here.follow(edits)
        yield here
    finally:
        await here.close()
        if not os.environ.get("E2E_KEEP"):  # set it to read the logs
            shutil.rmtree(folder, ignore_errors=True)


async def good_then_bad(here: Newcomer, users: ServiceUsers, *, share: float, good: str = "1.1.0") -> None:
    """`shop` in production: a good release costs no request, a bad one only requests of its own share.

    share: the first weight of the plan, as a proportion. Meanwhile `users` ask, and each answer names its release.
    """
    async with users:
        id_ = await here.deploy("shop", good, "production")
        await here.approve(id_)
        await here.ends(id_, "succeeded")
        await users.only(good)
        assert users.failures() == {}, "a good release costs no request"

        before = users.count
        id_ = await here.deploy("shop", "1.2.0", "production")
        await here.approve(id_)
        await here.ends(id_, "rolled_back")
        after = users.count
        await users.only(good)
    assert set(users.failures(before)) == {"1.2.0"}, "no request that stable should answer was lost"
    met, asked = users.answers(before, after)["1.2.0"], after - before
    # Five standard deviations of a binomial: what chance can add to the share.
    assert met <= share * asked + 5 * (share * (1 - share) * asked) ** 0.5
    assert set(users.answers(users.settled)) == {good}, "after the rollback stable answers all"
    await here.alerted("shop", "1.2.0")
