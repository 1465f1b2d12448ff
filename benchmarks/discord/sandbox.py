"""The sandbox beside the smallest possible emulator: connecting, interactions, memory; and its start from a wheel.

Both are processes of their own, and the same bare discord.py bot is connected to each, in turns. Interactions have the
payload that the sandbox sends. What the sandbox does besides is the difference: permissions, limits, state, events.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
import discord
import psutil
import yarl

from benchmarks.discord.bare_bot import PREFIX
from benchmarks.report import Row, show

Json = dict[str, Any]
MIB = 2**20
MESSAGES = 10_000
START_LIMIT_S = 5.0
SANDBOX = (sys.executable, "-m", "discord_sandbox", "--port", "0", "--no-rate-limits")
SMALLEST = (sys.executable, "-m", "benchmarks.discord.minimal_emulator")
_AT_ONCE = 50
_ROOT = Path(__file__).resolve().parents[2]
_BUTTON = {"type": 1, "components": [{"type": 2, "style": 1, "label": "Go", "custom_id": f"{PREFIX}go"}]}


class Emulator:
    """A running emulator: what it printed, and its process."""

    def __init__(self, ready: Json, process: psutil.Process) -> None:
        self.ready = ready
        self.process = process
        self.token = str(ready["applications"][0]["token"]) if "applications" in ready else "t"

    @property
    def memory(self) -> float:
        """Resident memory in MiB."""
        return float(self.process.memory_info().rss) / MIB

    @property
    def spent(self) -> float:
        """Processor time so far, in milliseconds."""
        times = self.process.cpu_times()
        return float(times.user + times.system) * 1e3


@asynccontextmanager
async def program(*command: str, env: Json | None = None) -> AsyncIterator[tuple[str, psutil.Process]]:
    """A program, with the first line that it prints."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, env=env
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            line = (await process.stdout.readline()).decode()
        yield line, psutil.Process(process.pid)
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@asynccontextmanager
async def emulator(*command: str) -> AsyncIterator[Emulator]:
    async with program(*command) as (line, process):
        yield Emulator(json.loads(line), process)


@asynccontextmanager
async def bare_bot(here: Emulator) -> AsyncIterator[None]:
    addresses = {"BARE_API": here.ready["api_base"], "BARE_GATEWAY": here.ready["gateway_url"]}
    env = os.environ | addresses | {"BARE_TOKEN": here.token}
    async with program(sys.executable, "-m", "benchmarks.discord.bare_bot", env=env):
        yield


async def connect(here: Emulator) -> float:
    """Milliseconds from a bot's login to its READY."""
    discord.http.Route.BASE = here.ready["api_base"]
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(here.ready["gateway_url"])
    started = time.perf_counter()
    async with discord.Client(intents=discord.Intents(guilds=True), guild_ready_timeout=0.001) as bot:
        running = asyncio.create_task(bot.start(here.token))
        async with asyncio.timeout(60):
            await bot.wait_until_ready()
        took = (time.perf_counter() - started) * 1e3
        await bot.close()
        await running
    return took


async def connecting(both: Sequence[Emulator], times: int) -> Row:
    found: list[list[float]] = [[], []]
    for _ in range(times):
        for number, here in enumerate(both):
            found[number].append(await connect(here))
    ours, least = (statistics.median(each) for each in found)
    return Row("a bot's login -> READY, median", ours, "ms", "smallest emulator", least, ours / least)


class People:
    """People in the sandbox: its JSON API, and the bot's REST calls."""

    def __init__(self, here: Emulator, http: aiohttp.ClientSession) -> None:
        self._here, self._http = here, http

    async def call(self, method: str, path: str, body: Json | None = None) -> Any:
        async with self._http.request(
            method, f"{self._here.ready['url']}/sandbox/v1/{path}", json=body
        ) as got:
            got.raise_for_status()
            return await got.json()

    async def card(self) -> str:
        """The id of a message of the bot with a button."""
        channel = self._here.ready["guilds"][0]["channels"]["general"]
        body = {"content": "press", "components": [_BUTTON]}
        return str((await post(self._here, self._http, channel, body))["id"])

    async def pressed(self, message: str, count: int) -> float:
        """Answers per second to so many presses at once; those after Discord's three seconds do not count."""
        press = {"user": "mia", "message": message, "button": "Go"}
        begun = (await self.call("POST", "presses", {"presses": [press] * count}))["interactions"]
        took = []
        for one in begun:
            found = await self.call("GET", f"interactions/{one}?wait=60")
            if found["answered_ms"] is not None:
                took.append(float(found["answered_ms"]))
        return len(took) / max(took) * 1e3


async def post(here: Emulator, http: aiohttp.ClientSession, channel: str, body: Json) -> Json:
    url, headers = (
        f"{here.ready['api_base']}/channels/{channel}/messages",
        {"Authorization": f"Bot {here.token}"},
    )
    async with http.post(url, json=body, headers=headers) as got:
        got.raise_for_status()
        made: Json = await got.json()
        return made


async def payload(people: People, here: Emulator, http: aiohttp.ClientSession, message: str) -> Json:
    """The interaction of a press, as the sandbox sends it."""
    async with http.ws_connect(f"{here.ready['gateway_url']}?v=10&encoding=json") as socket:
        identify = {"token": here.token, "intents": 0, "properties": {}}
        await socket.send_json({"op": 2, "d": identify})
        asked = False
        async for frame in socket:
            event = json.loads(frame.data)
            if event.get("t") == "INTERACTION_CREATE":
                found: Json = event["d"]
                return found
            if event.get("t") == "READY" and not asked:
                asked = True
                await people.call("POST", "presses", {"user": "mia", "message": message, "button": "Go"})
    raise RuntimeError("the sandbox closed the connection")


async def interactions(sandbox: Emulator, least: Emulator, count: int, rounds: int) -> list[Row]:
    rates: list[list[float]] = [[], []]
    spent = [0.0, 0.0]
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=300)) as http:
        people = People(sandbox, http)
        message = await people.card()
        sent = await payload(people, sandbox, http, message)
        async with bare_bot(sandbox), bare_bot(least):
            for _ in range(rounds):
                before = sandbox.spent
                rates[0].append(await people.pressed(message, count))
                spent[0] += sandbox.spent - before
                before = least.spent
                async with http.post(
                    f"{least.ready['url']}/press", json={"payload": sent, "count": count}
                ) as got:
                    rates[1].append(count / (await got.json())["seconds"])
                spent[1] += least.spent - before
    # Other load on this machine can only slow a round down, so the best one of each says most.
    ours, theirs = (max(each) for each in rates)
    cost, cheap = (each / count / rounds for each in spent)
    what = f"{count:,} interactions at once through one bot"
    return [
        Row(what, ours, "/s", "smallest emulator", theirs, ours / theirs),
        Row(
            "  processor time of the emulator for each", cost, "ms", "smallest emulator", cheap, cost / cheap
        ),
    ]


async def grown(here: Emulator, channel: str, count: int) -> tuple[float, float]:
    """Memory before, and MiB more after so many messages of 100 characters."""
    before = here.memory
    turns = asyncio.Semaphore(_AT_ONCE)
    async with aiohttp.ClientSession() as http:

        async def send(number: int) -> None:
            async with turns:
                await post(here, http, channel, {"content": f"{number} ".ljust(100, "x")})

        await asyncio.gather(*(send(number) for number in range(count)))
    return before, here.memory - before


async def memory(sandbox: Emulator, least: Emulator, count: int) -> list[Row]:
    idle, more = await grown(sandbox, sandbox.ready["guilds"][0]["channels"]["news"], count)
    idle_least, more_least = await grown(least, "1", count)
    return [
        Row("memory, idle", idle, "MiB", "smallest emulator", idle_least, idle / idle_least),
        Row(
            f"  with {count:,} messages, more",
            more,
            "MiB",
            "smallest emulator",
            more_least,
            more / more_least,
        ),
    ]


_READY = """
import sys, discord, yarl
class Bot(discord.Client):
    async def on_ready(self):
        print("ready", flush=True)
discord.http.Route.BASE = sys.argv[1]
discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(sys.argv[2])
Bot(intents=discord.Intents(guilds=True), guild_ready_timeout=0.001).run(sys.argv[3], log_handler=None)
"""


async def from_wheel() -> list[Row]:
    """The wheel into an environment that has only what the bot and the sandbox require, and a bot that is ready."""
    with tempfile.TemporaryDirectory() as folder:
        build = (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder)
        subprocess.run(build, cwd=_ROOT / "sandbox", check=True, capture_output=True)
        environment, wheel = Path(folder) / "venv", next(Path(folder).glob("*.whl"))
        venv.create(environment, with_pip=False)
        site = next((environment / "lib").glob("python*")) / "site-packages"
        (site / "required.pth").write_text(sysconfig.get_path("purelib"))
        python = str(environment / "bin" / "python")
        pip = ("-m", "pip", "--python", python, "install", "-q", "--no-deps", "--no-index", "--no-compile")
        started = time.perf_counter()
        subprocess.run([sys.executable, *pip, "--disable-pip-version-check", str(wheel)], check=True)
        installed = time.perf_counter()
        command = str(environment / "bin" / "discord-sandbox")
        async with program(command, "--port", "0", env={}) as (line, _):
            listening = time.perf_counter()
            ready = json.loads(line)
            addresses = (ready["api_base"], ready["gateway_url"], ready["applications"][0]["token"])
            async with program(python, "-c", _READY, *addresses, env={}) as (said, _):
                if said.strip() != "ready":
                    raise RuntimeError("the bot did not start")
                whole = time.perf_counter() - started
    goal = f"< {START_LIMIT_S:g} s"
    return [
        Row("wheel installed, sandbox started, a bot ready", whole, "s", goal=goal, ok=whole < START_LIMIT_S),
        Row("  of it installing", installed - started, "s"),
        Row("  of it the start of the sandbox", listening - installed, "s"),
    ]


async def measure(times: int, count: int, rounds: int, messages: int) -> list[Row]:
    async with emulator(*SANDBOX) as sandbox, emulator(*SMALLEST) as least:
        stored = await memory(sandbox, least, messages)
    async with emulator(*SANDBOX) as sandbox, emulator(*SMALLEST) as least:
        connected = await connecting((sandbox, least), times)
        answered = await interactions(sandbox, least, count, rounds)
    return [connected, *answered, *stored, *await from_wheel()]


def run(quick: bool = False) -> list[Row]:
    return asyncio.run(measure(5, 500, 1, MESSAGES) if quick else measure(20, 1000, 3, MESSAGES))


if __name__ == "__main__":
    show(run("--quick" in sys.argv), "Sandbox")
