"""The whole of it for the fault tests: sandbox, demo services under traffic, and the bot as the process it is."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import asyncpg
import psutil
import pytest
import yaml

from demo.children import free_port
from demo.containers import Containers
from demo.lanes import DemoLane
from demo.launcher import Demo
from demo.stories.stage import Json, Stage, StoryError, Transcript
from tests.support.e2e.calls import calls
from tests.support.paths import TESTS

T = TypeVar("T")

CONFIG = TESTS / "e2e" / "config"
RATE = 20
FINAL = ("succeeded", "rolled_back", "cancelled", "failed")
# Other tests share the machine: what takes two seconds alone may take this many.
PATIENCE_S = 120.0


def marks(name: str, timeout_s: float = 900.0) -> list[Any]:
    """For `pytestmark` of a file: one loop and one worker for all its tests, since they share a stack.

    timeout_s: ends a test that is stuck, on a machine several times slower than those that tests are written on.
    """
    return [
        pytest.mark.asyncio(loop_scope="module"),
        pytest.mark.xdist_group(f"e2e-{name}"),
        pytest.mark.timeout(timeout_s),
        pytest.mark.slow,
    ]


def lanes(*names: str, rate: int = RATE) -> tuple[DemoLane, ...]:
    """`checkout/endurance` … as the launcher takes them, each with users that ask `rate` times a second."""
    return tuple(DemoLane(*name.split("/"), rate) for name in names)


@asynccontextmanager
async def opened(
    served: Sequence[DemoLane],
    dsn: str | None,
    *,
    bot: tuple[str, ...] = ("-m", "bot"),
    environment: Mapping[str, str] | None = None,
    config: Path = CONFIG,
    discord: Mapping[str, Any] | None = None,
    containers: Containers | None = None,
) -> AsyncIterator[Stack]:
    """A stack of its own under a short path, gone afterwards. Without `dsn` the bot brings its own PostgreSQL.

    `discord` changes the servers and people of `demo/world.json`. With `containers`, the services run in them.
    """
    folder = Path(tempfile.mkdtemp(prefix="slipway-e2e-"))
    folder.chmod(0o755)
    settings = {**_spare_ports(config, served), **(environment or {})}
    if dsn is not None:
        settings["SLIPWAY_DATABASE_URL"] = dsn
    transcript = Transcript()
    demo = Demo(
        folder / "demo",
        lanes=tuple(served),
        bot=bot,
        environment=settings,
        config=config,
        world=discord,
        containers=containers,
        tell=transcript.tell,
    )
    try:
        async with demo, Stage(demo.url, transcript) as stage:
            stack = Stack(demo, stage, dsn or "")
            await stack.ready()
            yield stack
    finally:
        if not os.environ.get("E2E_KEEP"):  # set it to read the logs of a stack after its tests
            shutil.rmtree(folder, ignore_errors=True)


def _spare_ports(config: Path, served: Sequence[DemoLane]) -> dict[str, str]:
    """Lanes that no one uses here need ports as well: the host listens for all that the catalog has."""
    services = yaml.safe_load((config / "services.yaml").read_text())["services"]
    every = (
        DemoLane(name, place, 0) for name, service in services.items() for place in service["environments"]
    )
    used = {(lane.service, lane.environment) for lane in served}
    ports: dict[str, str] = {}
    for lane in every:
        if (lane.service, lane.environment) not in used:
            ports[lane.port_variable] = str(free_port(taken={int(port) for port in ports.values()}))
    return ports


class Stack:
    """People, processes and the database of one running Slipway. All waiting is bounded (`StoryError`)."""

    def __init__(self, demo: Demo, stage: Stage, dsn: str) -> None:
        self.demo, self.stage, self.dsn = demo, stage, dsn

    # ---- waiting -----------------------------------------------------------------------------------------

    async def until(
        self, what: str, look: Callable[[], Awaitable[T | None]], timeout_s: float = PATIENCE_S
    ) -> T:
        return await self.stage.until(what, look, timeout_s, every_s=0.1)

    async def ready(self) -> None:
        """Returns when the bot is connected, has its commands, and knows what runs."""

        async def look() -> bool | None:
            state = await self.stage.call("GET", "state")
            slipway = next(a for a in state["applications"] if a["name"] == "slipway")
            if not slipway["connected"] or not slipway["commands"]:
                return None
            if not self.dsn:
                return True
            # Not how many there are: lanes that nothing serves have rows too.
            known = {tuple(row) for row in await self.rows("SELECT service, environment FROM lanes")}
            return True if {(one.service, one.environment) for one in self.demo.lanes} <= known else None

        await self.until("the bot with its commands and lanes", look)

    # ---- the database ------------------------------------------------------------------------------------

    async def rows(self, sql: str, *values: Any) -> list[asyncpg.Record]:
        """A query on the bot's own database, over a connection of its own."""
        connection = await asyncpg.connect(self.dsn, timeout=10)
        try:
            found: list[asyncpg.Record] = await connection.fetch(sql, *values)
            return found
        finally:
            await connection.close()

    async def one(self, sql: str, *values: Any) -> asyncpg.Record | None:
        found = await self.rows(sql, *values)
        return found[0] if found else None

    async def rollout(self, id_: int) -> asyncpg.Record:
        found = await self.one("SELECT * FROM rollouts WHERE id = $1", id_)
        assert found is not None, f"no rollout {id_}"
        return found

    async def newest(self, service: str, environment: str) -> int:
        """The id of the newest rollout of a lane; 0 when there was none."""
        found = await self.one(
            "SELECT max(id) AS id FROM rollouts WHERE service = $1 AND environment = $2", service, environment
        )
        return int(found["id"] or 0) if found else 0

    async def phase(self, id_: int, *wanted: str, timeout_s: float = PATIENCE_S) -> asyncpg.Record:
        """Waits until the rollout is in one of these phases; ends at once when it is over in another one."""

        async def look() -> asyncpg.Record | None:
            row = await self.rollout(id_)
            if row["phase"] in wanted:
                return row
            if row["final"]:
                raise StoryError(f"rollout {id_} is {row['phase']}, not {wanted}: {row['outcome']}")
            return None

        return await self.until(f"rollout {id_} to be {' or '.join(wanted)}", look, timeout_s)

    async def effects(self, id_: int) -> list[asyncpg.Record]:
        return await self.rows("SELECT * FROM effects WHERE rollout_id = $1 ORDER BY id", id_)

    async def audit(self, id_: int) -> list[asyncpg.Record]:
        return await self.rows("SELECT * FROM audit WHERE rollout_id = $1 ORDER BY id", id_)

    async def settled(self, id_: int, timeout_s: float = PATIENCE_S) -> None:
        """Returns when nothing of this rollout is left to do."""

        async def look() -> bool | None:
            left = await self.rows(
                "SELECT 1 FROM effects WHERE rollout_id = $1 AND state IN ('pending', 'leased')", id_
            )
            return None if left else True

        await self.until(f"the effects of rollout {id_} to be done", look, timeout_s)

    # ---- people ------------------------------------------------------------------------------------------

    async def deploy(self, service: str, version: str, environment: str, user: str = "dev") -> int:
        """`user` deploys; the id of the rollout. `StoryError` with the refusal when there is none."""
        before = await self.newest(service, environment)
        answer = await self.stage.slash(
            user, "deploy", service=service, version=version, environment=environment
        )
        found = await self.newest(service, environment)
        if found == before:
            raise StoryError(f"refused: {answer['message'] and answer['message']['text']}")
        return found

    async def card(self, id_: int) -> Json:
        """The card as people see it now."""

        async def look() -> Json | None:
            found = await self.one("SELECT message_id FROM cards WHERE rollout_id = $1", id_)
            return await self.stage.call("GET", f"messages/{found['message_id']}") if found else None

        return await self.until(f"the card of rollout {id_}", look)

    async def button(self, id_: int, label: str) -> Json:
        """The card, once it has this button."""

        async def look() -> Json | None:
            card = await self.card(id_)
            return card if any(b["label"] == label and b["enabled"] for b in card["buttons"]) else None

        return await self.until(f"[{label}] on the card of rollout {id_}", look)

    async def press(self, user: str, id_: int, label: str) -> Json:
        """A person presses a button of the card when it is there; the answered interaction."""
        card = await self.button(id_, label)
        return await self.stage.press(user, card["id"], label)

    async def approved(self, id_: int, user: str = "lead") -> Json:
        await self.phase(id_, "gated")
        return await self.press(user, id_, "Approve")

    async def thread(self, id_: int) -> list[Json]:
        """The log under the card."""
        found = await self.one("SELECT thread_id FROM cards WHERE rollout_id = $1", id_)
        return await self.stage.messages(str(found["thread_id"])) if found and found["thread_id"] else []

    async def calls(self, since: int = 0) -> list[Json]:
        """The bot's REST calls as the sandbox logged them."""
        return await calls(self.stage, since)

    # ---- users -------------------------------------------------------------------------------------------

    async def cursor(self, service: str, environment: str) -> int:
        """Where the users' log stands now, for `seen`."""
        return int((await self.stage.users(service, environment))["cursor"])

    async def seen(self, service: str, environment: str, since: int) -> list[Json]:
        """Every request of the users after `since`."""
        found: list[Json] = []
        while page := (await self.stage.users(service, environment, since=since))["log"]:
            found += page
            since = page[-1]["n"]
        return found

    async def foreign_errors(
        self, service: str, environment: str, since: int, version: str = ""
    ) -> list[Json]:
        """Errors that users saw and `version` did not serve itself."""
        log = await self.seen(service, environment, since)
        return [e for e in log if e["outcome"] == "error" and e["version"] != version]

    async def served_by(self, service: str, environment: str, version: str) -> None:
        """Waits until all answers of the last seconds come from one version."""

        async def look() -> bool | None:
            shares = (await self.stage.users(service, environment))["shares"]
            return True if list(shares) == [version] else None

        await self.until(f"{service}/{environment} to be served by {version} alone", look)

    async def behave(self, service: str, environment: str, version: str, **settings: float) -> None:
        """Changes how a version behaves from now on."""
        body = {"version": version, **settings}
        await self.stage.call("POST", f"services/{service}", body, environment=environment)

    # ---- processes ---------------------------------------------------------------------------------------

    @property
    def bot_pid(self) -> int:
        return self.demo.child("bot").process.pid

    async def kill_bot(self) -> None:
        """`kill -9`; the launcher starts it again."""
        os.kill(self.bot_pid, signal.SIGKILL)
        await self.demo.child("bot").process.wait()

    async def bot_back(self, timeout_s: float = PATIENCE_S) -> None:
        """Waits until the bot that runs now says that it is well, and has the gateway."""

        async def look() -> bool | None:
            health = await self.health()
            runs = self.demo.child("bot").process.returncode is None
            return True if runs and health.get("ok") and health["gateway"] == "connected" else None

        await self.until("the bot to be well and connected", look, timeout_s)

    async def health(self) -> Json:
        """What `/health` says, with `ok` for status 200; empty while no one answers."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
            with suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(f"{self.demo.bot_url}/health") as answer:
                    found: Json = await answer.json()
                    return {**found, "ok": answer.status == 200}
        return {}

    @asynccontextmanager
    async def another_bot(self, *command: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """A second bot on the same database and token, as happens when a deploy overlaps; well when this begins."""
        port = free_port(taken={self.demo.bot_port})
        with (self.demo.folder / "another.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, *(command or ("-m", "bot")), "run"),
                env={**os.environ, **self.demo.environment, "SLIPWAY_WEB_PORT": str(port)},
                cwd=self.demo.folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            await self.until("another bot", lambda: well(f"http://127.0.0.1:{port}/health"))
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
            await asyncio.wait_for(process.wait(), PATIENCE_S)

    @property
    def data(self) -> Path:
        return self.demo.folder / "data"

    def host_pids(self) -> Mapping[str, int]:
        """`host` and `watchdog`, as they wrote themselves down."""
        found: Mapping[str, int] = json.loads((self.data / "host" / "host.pid").read_text())
        return found

    async def kill_host(self) -> None:
        """`kill -9` of the process host; returns when another one runs."""
        was = self.host_pids()["host"]
        os.kill(was, signal.SIGKILL)

        async def look() -> bool | None:
            with suppress(OSError, ValueError):
                now = self.host_pids()["host"]
                return True if now != was and psutil.pid_exists(now) else None
            return None

        await self.until("another host", look)

    def host_log(self) -> str:
        return (self.data / "host" / "host.log").read_text()

    def starts(self, service: str, environment: str, version: str) -> int:
        """How often the host started a process of this version in this lane."""
        return Counter(re.findall(r"(\S+/\S+ \S+)\.\d+ started", self.host_log()))[
            f"{service}/{environment} {version}"
        ]

    def release_pids(self, service: str, environment: str, version: str) -> list[int]:
        """The processes of one release of this stack, as the system lists them."""
        wanted = ["--service", service, "--version", version, "--environment", environment]
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                words = process.cmdline()
                ours = process.environ().get("SANDBOX_DEMO_DIR") == str(self.demo.folder) if words else False
                if ours and " ".join(wanted) in " ".join(words):
                    found.append(process.pid)
        return found

    async def sleep(self, seconds: float) -> None:
        """Lets time pass for something to go wrong in; nothing is asserted about how much."""
        await asyncio.sleep(seconds)


async def well(address: str) -> bool | None:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        with suppress(aiohttp.ClientError, TimeoutError):
            async with session.get(address) as answer:
                return True if answer.status == 200 else None
    return None
