"""Launcher of the demo: the sandbox, the demo services with their users, and the bot as a program of its own.

A bot that dies is started again, as systemd or compose would do. What an earlier launcher left behind when it was
killed is stopped first.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp

from demo.children import Child, Children, LaunchError, free_port
from demo.containers import Containers, write_catalog
from demo.lanes import LANES, STABLE, DemoLane
from demo.processes import VARIABLE
from demo.world import harbor

BOT_RESTARTS = 50
# Ends a start, or a command, that is stuck. A busy machine may need a minute for what takes three seconds alone.
_STARTS_S = 180.0
CATALOG = Path(__file__).resolve().parent.parent / "config" / "demo"


class Demo:
    """`async with Demo(folder) as demo`: everything runs; `demo.url` is the page and the JSON API.

    `world` changes the Discord server of `world.json`, `environment` what the bot is started with. With `containers`,
    the services run in them.
    """

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
        containers: Containers | None = None,
        tell: Callable[[str], object] = lambda line: None,
    ) -> None:
        self.folder = folder.absolute()
        self.lanes = lanes
        self.url = ""
        self.bot_url = ""
        self._port, self._bot_command, self._restart_bot = port, bot, restart_bot
        self._world = harbor(world)
        self._extra = dict(environment or {})
        self._config = config or CATALOG
        self._containers = containers
        self._children = Children(self.folder)
        self._tell = tell
        self._watch: asyncio.Task[None] | None = None
        self._env: dict[str, str] = {}
        self._ahead_s = 0.0
        self.router_ports: dict[DemoLane, int] = {}

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
        await self._children.end()
        if self._containers:
            await self._containers.clear(self.folder)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        if (self._config / "manifests").is_dir():
            shutil.copytree(self._config / "manifests", self.manifests)
        sandbox = await self._start_sandbox()
        if self._containers:
            await self._containers.open(self.folder, self.url)
            write_catalog(self._config, self.folder / "config")
            self._config = self.folder / "config"
        self._env = self._environment(sandbox)
        await self._bootstrap()
        self._tell("· starting the demo services' users")
        await self._start_traffic()
        self._tell("· starting the bot (with its own PostgreSQL)")
        await self.start_bot()
        self._children.start_listing()

    async def stop(self) -> None:
        """Stop in order: traffic, bot, host, sandbox, and the containers that are left."""
        try:
            await self._unwatch()
            await self._children.stop("traffic", "bot")
            if self._env:
                await self.cli("host", "stop", check=False)
            await self._children.end()
        finally:
            if self._containers:
                await self._containers.clear(self.folder)

    async def _start_sandbox(self) -> dict[str, Any]:
        self._tell("· starting the sandbox")
        port = free_port(self._port)
        if self._port and port != self._port:
            self._tell(f"  port {self._port} is taken, using {port}")
        world = self.folder / "world.json"
        world.write_text(json.dumps(self._world))
        options = ("--port", str(port), "--world", str(world), "--processes-file", str(self._children.file))
        child = await self._children.spawn(
            "sandbox", ("-m", "discord_sandbox", *options), {}, wait_for_line=True
        )
        self.url = child.ready["url"]
        child.health = f"{self.url}/sandbox/v1/state"
        return child.ready

    def _environment(self, sandbox: dict[str, Any]) -> dict[str, str]:
        """What the bot is started with: another API address and a token; all else is as in production."""
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
            "SLIPWAY_CLOCK_FILE": str(self._clock),
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
        if self._containers:
            env |= self._containers.environment
        return {**env, **self._extra}

    async def _bootstrap(self) -> None:
        """Start the stable releases, which served before Slipway came."""
        if not self.lanes:
            return
        self._tell(f"· starting {', '.join(map(str, self.lanes))} {STABLE}")
        await self.cli(
            "bootstrap", *(word for x in self.lanes for word in (x.service, x.environment, STABLE))
        )

    async def _start_traffic(self) -> None:
        if not any(lane.rate for lane in self.lanes):
            return
        command = ["-m", "demo.services.traffic", "--sandbox", self.url]
        for lane in self.lanes:
            if lane.rate:
                url = f"http://127.0.0.1:{self.router_ports[lane]}"
                command += ["--lane", f"{lane}={url}@{lane.rate}"]
        await self._children.spawn("traffic", tuple(command), {}, wait_for_line=True)

    async def start_bot(self, wait_s: float = _STARTS_S) -> Child:
        """Start the bot, wait until it is healthy, and from then on restart it when it dies."""
        child = await self._launch_bot(wait_s)
        if self._restart_bot:
            self._watch = asyncio.create_task(self._keep_bot())
        return child

    async def end_bot(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal the bot, and do not restart it until `start_bot`. Returns its exit code."""
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

    async def _launch_bot(self, wait_s: float = _STARTS_S) -> Child:
        child = await self._children.spawn("bot", (*self._bot_command, "run"), self._env)
        child.health, child.data = f"{self.bot_url}/health", self._env["SLIPWAY_DATA_DIR"]
        self._children.write()
        deadline = time.monotonic() + wait_s
        async with aiohttp.ClientSession() as session:
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    if await self._serves(session, child.health):
                        return child
                if child.process.returncode is not None:
                    raise LaunchError(f"the bot exited with {child.process.returncode}:\n{child.tail()}")
                if time.monotonic() > deadline:
                    raise LaunchError(f"the bot is not healthy after {wait_s:.0f} s:\n{child.tail()}")
                await asyncio.sleep(0.1)

    async def _serves(self, session: aiohttp.ClientSession, health: str) -> bool:
        """Whether the bot is healthy and has registered its commands, which it does after it connects."""
        async with session.get(health) as answer:
            if answer.status != 200:
                return False
        async with session.get(f"{self.url}/sandbox/v1/state") as answer:
            applications = (await answer.json())["applications"]
        return any(app["connected"] and app["commands"] for app in applications if app["name"] == "slipway")

    async def _keep_bot(self) -> None:
        for _ in range(BOT_RESTARTS):
            code = await self._children["bot"].process.wait()
            self._tell(f"· the bot exited with {code}; restarting it")
            try:
                await self._launch_bot()
            except LaunchError as error:
                self._tell(f"· {error}")
                await asyncio.sleep(1)

    async def move_clock(self, seconds: float) -> None:
        """Move the time forward by which alerts are followed up, and Discord's."""
        self._ahead_s += seconds
        scratch = self._clock.with_suffix(".new")
        scratch.write_text(f"{self._ahead_s}\n")
        async with aiohttp.ClientSession() as session:
            body = {"advance": seconds}
            async with session.post(f"{self.url}/sandbox/v1/clock", json=body, raise_for_status=True):
                # Discord's first: what Slipway does at a time is posted at that time.
                scratch.replace(self._clock)

    @property
    def _clock(self) -> Path:
        return self.folder / "clock"

    @property
    def manifests(self) -> Path:
        """Folder of the applications' manifests: a copy of the catalog's."""
        return self.folder / "manifests"

    @property
    def environment(self) -> Mapping[str, str]:
        """What the bot and its command line are started with, besides the launcher's own environment."""
        return self._env

    def child(self, name: str) -> Child:
        return self._children[name]

    async def cli(self, *words: str, check: bool = True) -> str:
        """Run `slipway` with these words; returns its output. Raises LaunchError if it fails, unless `check` is off."""
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
        async with asyncio.timeout(_STARTS_S):
            output, _ = await process.communicate()
        if check and process.returncode:
            raise LaunchError(f"`slipway {' '.join(words)}` failed:\n{output.decode(errors='replace')}")
        return output.decode(errors="replace")
