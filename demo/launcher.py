"""Starts the demo: the sandbox, the demo services with their users, and the bot as the separate program it is.

Every child runs in a session of its own, is written into the processes file (name, pid, health address, data
folder), and is stopped in order when the launcher ends. A bot that dies is started again, as systemd or
compose would; what an earlier launcher left behind when it was killed is stopped first.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import socket
import sys
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psutil

from demo.processes import VARIABLE, Belongings
from demo.world import harbor

STABLE = "1.4.0"
BOT_RESTARTS = 50
_LIST_EVERY_S = 1.0
_PORTS = (20_000, 32_000)


class LaunchError(Exception):
    """Something did not start; the sentence says what, and ends with the last lines of its log."""


@dataclass(frozen=True, slots=True)
class DemoLane:
    """A demo service in an environment. `rate`: requests a second of its users; 0 for one without HTTP users."""

    service: str
    environment: str
    rate: int

    @property
    def port_variable(self) -> str:
        return f"SLIPWAY_DEMO_{self.service}_{self.environment}_PORT".upper()


LANES = (
    DemoLane("checkout", "staging", 50),
    DemoLane("checkout", "production", 220),
    DemoLane("search", "staging", 10),
    DemoLane("search", "production", 20),
    DemoLane("herald", "production", 0),
)


def free_port(wanted: int = 0, taken: Collection[int] = ()) -> int:
    """`wanted` when nobody listens there, else another one that is not `taken` either.

    Chosen at random below the range that outgoing connections use, since it is bound only later.
    """
    for port in (wanted, *(random.randrange(*_PORTS) for _ in range(200))):
        if port == 0 or port in taken:
            continue
        with socket.socket() as s, contextlib.suppress(OSError):
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("127.0.0.1", port))
            return port
    raise LaunchError("no free port on 127.0.0.1")


@dataclass
class Child:
    """One started program. Its output goes to `log`; `ready` is the JSON line it printed when it was up."""

    name: str
    process: asyncio.subprocess.Process
    log: Path
    health: str = ""
    data: str = ""
    ready: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        started = 0.0
        with contextlib.suppress(psutil.Error):
            started = psutil.Process(self.process.pid).create_time()
        return {
            "name": self.name,
            "pid": self.process.pid,
            "health": self.health,
            "data": self.data,
            "started": started,
        }

    def tail(self, lines: int = 12) -> str:
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        return ""

    async def stop(self, timeout_s: float = 15.0) -> None:
        if self.process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        try:
            await asyncio.wait_for(self.process.wait(), timeout_s)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()


class Demo:
    """`async with Demo(folder) as demo`: all of it runs; `demo.url` is the page and the JSON API."""

    def __init__(
        self,
        folder: Path,
        *,
        port: int = 0,
        lanes: tuple[DemoLane, ...] = LANES,
        bot: tuple[str, ...] = ("-m", "bot"),
        environment: Mapping[str, str] | None = None,
        config: Path | None = None,
        world: Mapping[str, Any] | None = None,
        restart_bot: bool = True,
        tell: Any = lambda line: None,
    ) -> None:
        self.folder = folder.absolute()
        self.lanes = lanes
        self.url = ""
        self.bot_url = ""
        self._port, self._bot_command, self._restart_bot = port, bot, restart_bot
        self._world = harbor(world)
        self._extra = dict(environment or {})
        self._config = config or Path(__file__).resolve().parent.parent / "config" / "demo"
        self._children: dict[str, Child] = {}
        self._tell = tell
        self._watch: asyncio.Task[None] | None = None
        self._others = Belongings(self.folder)
        self._lister: asyncio.Task[None] | None = None
        self._listed: list[dict[str, Any]] = []
        self._env: dict[str, str] = {}
        self.router_ports: dict[DemoLane, int] = {}

    # ---- life --------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Demo:
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _start(self) -> None:
        await asyncio.to_thread(self._others.end)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        if (self._config / "manifests").is_dir():
            shutil.copytree(self._config / "manifests", self.manifests)
        sandbox = await self._start_sandbox()
        self._env = self._environment(sandbox)
        await self._bootstrap()
        self._tell("· starting the demo services' users")
        await self._start_traffic()
        self._tell("· starting the bot (with its own PostgreSQL)")
        await self.start_bot()
        self._lister = asyncio.create_task(self._keep_listing())

    async def stop(self) -> None:
        await self._unwatch()
        if self._lister:
            self._lister.cancel()
            await asyncio.gather(self._lister, return_exceptions=True)
            self._lister = None
        for name in ("traffic", "bot"):
            if child := self._children.pop(name, None):
                await child.stop()
        if self._env:
            await self.cli("host", "stop", check=False)
        for child in self._children.values():
            await child.stop()
        self._children.clear()
        await asyncio.to_thread(self._others.end)
        self._write_processes([])

    # ---- its parts ---------------------------------------------------------------------------------------

    async def _start_sandbox(self) -> dict[str, Any]:
        self._tell("· starting the sandbox")
        port = free_port(self._port)
        if self._port and port != self._port:
            self._tell(f"  port {self._port} is taken, using {port}")
        world = self.folder / "world.json"
        world.write_text(json.dumps(self._world))
        options = ("--port", str(port), "--world", str(world), "--processes-file", str(self.processes_file))
        child = await self._spawn("sandbox", ("-m", "discord_sandbox", *options), {}, wait_for_line=True)
        self.url = child.ready["url"]
        child.health = f"{self.url}/sandbox/v1/state"
        return child.ready

    def _environment(self, sandbox: dict[str, Any]) -> dict[str, str]:
        """The bot gets another API address and a token; all else is as in production."""
        tokens = {a["name"]: a["token"] for a in sandbox["applications"]}
        taken = {int(port) for name, port in self._extra.items() if name.endswith("_PORT")}
        self.bot_port = free_port(taken=taken)
        self.bot_url = f"http://127.0.0.1:{self.bot_port}"
        env = {
            "DISCORD_TOKEN": tokens["slipway"],
            "SLIPWAY_DISCORD_API_BASE": sandbox["api_base"],
            "SLIPWAY_DISCORD_GATEWAY_URL": sandbox["gateway_url"],
            "SLIPWAY_WEB_PORT": str(self.bot_port),
            "SLIPWAY_WEB_ADMIN_TOKEN": "sandbox-admin-token",
            "SLIPWAY_CONFIG_DIR": str(self._config),
            "SLIPWAY_DATA_DIR": str(self.folder / "data"),
            VARIABLE: str(self.folder),
            "SLIPWAY_DEMO_MANIFESTS": str(self.manifests),
        }
        herald = {
            "HERALD_TOKEN": tokens["greeter"],
            "HERALD_API": sandbox["api_base"],
            "HERALD_GATEWAY": sandbox["gateway_url"],
        }
        secrets = self.folder / "herald.env"
        secrets.write_text("".join(f"{name}={value}\n" for name, value in herald.items()))
        secrets.chmod(0o600)
        env |= herald
        for lane in self.lanes:
            self.router_ports[lane] = free_port(taken={self.bot_port, *taken, *self.router_ports.values()})
            env[lane.port_variable] = str(self.router_ports[lane])
        return {**env, **self._extra}

    async def _bootstrap(self) -> None:
        """What served before Slipway came."""
        if not self.lanes:
            return
        self._tell(f"· starting {', '.join(f'{x.service}/{x.environment}' for x in self.lanes)} {STABLE}")
        first, *others = self.lanes
        await self.cli("bootstrap", first.service, first.environment, STABLE)  # brings the host up
        await asyncio.gather(*(self.cli("bootstrap", x.service, x.environment, STABLE) for x in others))

    async def _start_traffic(self) -> None:
        if not any(lane.rate for lane in self.lanes):
            return
        command = ["-m", "demo.services.traffic", "--sandbox", self.url]
        for lane in self.lanes:
            if lane.rate:
                url = f"http://127.0.0.1:{self.router_ports[lane]}"
                command += ["--lane", f"{lane.service}/{lane.environment}={url}@{lane.rate}"]
        await self._spawn("traffic", tuple(command), {}, wait_for_line=True)

    async def start_bot(self, wait_s: float = 60.0) -> Child:
        """Starts the bot and returns when `/health` says that it is well; from then on it is started again."""
        child = await self._launch_bot(wait_s)
        if self._restart_bot:
            self._watch = asyncio.create_task(self._keep_bot())
        return child

    async def end_bot(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ends the bot by a signal and leaves it ended until `start_bot`. Returns its exit code."""
        await self._unwatch()
        process = self._children["bot"].process
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        return await process.wait()

    async def _unwatch(self) -> None:
        if self._watch:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            self._watch = None

    async def _launch_bot(self, wait_s: float = 60.0) -> Child:
        child = await self._spawn("bot", (*self._bot_command, "run"), self._env)
        child.health, child.data = f"{self.bot_url}/health", self._env["SLIPWAY_DATA_DIR"]
        self._write_processes()
        deadline = time.monotonic() + wait_s
        async with aiohttp.ClientSession() as session:
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    if await self._serves(session, child.health):
                        return child
                if child.process.returncode is not None:
                    raise LaunchError(f"the bot ended with {child.process.returncode}:\n{child.tail()}")
                if time.monotonic() > deadline:
                    raise LaunchError(f"the bot is not well after {wait_s:.0f} s:\n{child.tail()}")
                await asyncio.sleep(0.1)

    async def _serves(self, session: aiohttp.ClientSession, health: str) -> bool:
        """Well by its own account, and people find its commands, which a bot registers after it has connected."""
        async with session.get(health) as answer:
            if answer.status != 200:
                return False
        async with session.get(f"{self.url}/sandbox/v1/state") as answer:
            applications = (await answer.json())["applications"]
        return any(app["connected"] and app["commands"] for app in applications if app["name"] == "slipway")

    async def _keep_bot(self) -> None:
        for _ in range(BOT_RESTARTS):
            code = await self._children["bot"].process.wait()
            self._tell(f"· the bot ended ({code}); starting it again")
            try:
                await self._launch_bot()
            except LaunchError as error:
                self._tell(f"· {error}")
                await asyncio.sleep(1)

    # ---- processes ---------------------------------------------------------------------------------------

    @property
    def manifests(self) -> Path:
        """Where the manifests of applications are read from: copies of the catalog's."""
        return self.folder / "manifests"

    @property
    def processes_file(self) -> Path:
        return self.folder / "processes.json"

    @property
    def environment(self) -> Mapping[str, str]:
        """What the bot and its command line are started with, besides the launcher's own."""
        return self._env

    def child(self, name: str) -> Child:
        return self._children[name]

    async def cli(self, *words: str, check: bool = True) -> str:
        """Runs a command of the bot's command line; `LaunchError` with what it said when it fails."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *self._bot_command,
            *words,
            env={**os.environ, **self._env},
            cwd=self.folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        if check and process.returncode:
            raise LaunchError(f"`slipway {' '.join(words)}` failed:\n{output.decode(errors='replace')}")
        return output.decode(errors="replace")

    async def _spawn(
        self, name: str, command: tuple[str, ...], env: Mapping[str, str], *, wait_for_line: bool = False
    ) -> Child:
        log = self.folder / f"{name}.log"
        with log.open("ab") as sink:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *command,
                env={**os.environ, VARIABLE: str(self.folder), **env},
                cwd=self.folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE if wait_for_line else sink,
                stderr=sink,
                start_new_session=True,
            )
        child = self._children[name] = Child(name, process, log)
        if wait_for_line and process.stdout:
            try:
                line = await asyncio.wait_for(process.stdout.readline(), 30)
                child.ready = json.loads(line)
            except (TimeoutError, ValueError):
                raise LaunchError(f"{name} did not start:\n{child.tail()}") from None
        self._write_processes()
        return child

    async def _keep_listing(self) -> None:
        """What our children started comes and goes without us: the host, releases, PostgreSQL."""
        while True:
            ours = {c.process.pid for c in self._children.values()}
            self._write_processes(await asyncio.to_thread(self._others.listed, ours))
            await asyncio.sleep(_LIST_EVERY_S)

    def _write_processes(self, others: list[dict[str, Any]] | None = None) -> None:
        if others is not None:
            self._listed = [{"health": "", "data": "", **other} for other in others]
        if self.folder.exists():
            scratch = self.processes_file.with_suffix(".new")
            scratch.write_text(json.dumps([*(c.as_json() for c in self._children.values()), *self._listed]))
            scratch.replace(self.processes_file)
