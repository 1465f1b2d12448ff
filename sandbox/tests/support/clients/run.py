"""A sandbox and a bot as processes of their own, and what a script does to them through the JSON API."""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp

from support.clients.libraries import FOLDER, Library

JSON = dict[str, Any]
Seen = TypeVar("Seen")
WORLD = FOLDER / "world.json"
PATIENCE_S = 120.0  # seven bots and their sandboxes share the processor
ANSWERS = ("answered", "modal", "failed")


class Run:
    """`async with Run(library, command, log)`: both processes run; `ready` is the line that the sandbox printed."""

    def __init__(self, library: Library, command: tuple[str, ...], log: Path) -> None:
        self.library = library
        self._command = command
        self._log = log
        self._processes: list[asyncio.subprocess.Process] = []

    async def __aenter__(self) -> Self:
        with self._log.open("wb") as log:
            sandbox = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "discord_sandbox", "--port", "0", "--world", str(WORLD)),
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
            self._processes.append(sandbox)
            assert sandbox.stdout is not None
            line = await sandbox.stdout.readline()
            self.ready: JSON = json.loads(line)
            self._bot = await asyncio.create_subprocess_exec(
                *self._command, env={**os.environ, "SANDBOX": line.decode()}, stdout=log, stderr=log
            )
        self._processes.append(self._bot)
        self._api = f"{self.ready['url']}/sandbox/v1/"
        self._http = aiohttp.ClientSession()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close()
        for process in reversed(self._processes):
            if process.returncode is None:
                process.kill()
                await process.wait()

    @property
    def ended(self) -> bool:
        """Whether the bot's process has ended."""
        return self._bot.returncode is not None

    def output(self, lines: int = 40) -> str:
        """The last lines of what the bot wrote, and the sandbox on standard error."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])

    # ---- the JSON API

    async def api(self, method: str, path: str, body: JSON | None = None, **query: object) -> Any:
        """A call of the JSON API. Raises AssertionError if it is refused."""
        params = {key: str(value) for key, value in query.items()}
        async with self._http.request(method, self._api + path, json=body, params=params) as got:
            answer = await got.json()
            assert got.status < 400, f"{method} {path} {body}: {answer['error']}"
            return answer

    async def until(
        self,
        what: str,
        seen: Callable[[], Awaitable[Seen]],
        *,
        patience: float = PATIENCE_S,
        alive: bool = True,
    ) -> Seen:
        """What `seen` returns as soon as it is true.

        Raises AssertionError with `what` if it stays false; with `alive`, also as soon as the bot has ended.
        """
        last: Any = None
        try:
            async with asyncio.timeout(patience):
                while True:
                    last = await seen()
                    if last:
                        return last
                    assert not (alive and self.ended), f"the bot ended with code {self._bot.returncode}"
                    await asyncio.sleep(0.05)
        except TimeoutError:
            raise AssertionError(f"not within {patience:g} s: {what}; last seen: {last!r}"[:600]) from None

    async def robot(self) -> JSON:
        """The bot's application: `connected`, `commands` and so on."""
        state = await self.api("GET", "state")
        found: JSON = next(one for one in state["applications"] if one["name"] == "robot")
        return found

    async def session(self) -> JSON | None:
        """The bot's connected session, if it has one."""
        state = await self.api("GET", "state")
        return next((one for one in state["sessions"] if one["connected"]), None)

    # ---- people

    async def answer(self, path: str, **body: Any) -> JSON:
        """Act as a person, and wait for what becomes of the interaction. Raises AssertionError if it fails."""
        begun = await self.api("POST", path, body)
        return await self.settled(begun["interaction"], f"{path} {body}")

    async def settled(self, interaction: str, what: str) -> JSON:
        async def state() -> JSON | None:
            shown: JSON = await self.api("GET", f"interactions/{interaction}", wait=5)
            return shown if shown["state"] in ANSWERS else None

        shown = await self.until(f"an answer to {what}", state)
        assert shown["state"] != "failed", f"{what}: {shown['reason']}"
        return shown

    async def command(self, channel: str, command: str, user: str = "ada", **options: Any) -> JSON:
        return await self.answer("commands", user=user, channel=channel, command=command, options=options)

    async def show(self, what: str, channel: str) -> JSON:
        """Send `/show what`."""
        return await self.command(channel, "show", what=what)

    async def press(self, message: str, button: str, user: str = "ada") -> JSON:
        return await self.answer("presses", user=user, message=message, button=button)

    async def say(self, channel: str, content: str, user: str = "ada") -> JSON:
        """Write as a person; returns the message."""
        said: JSON = await self.api(
            "POST", "messages", {"user": user, "channel": channel, "content": content}
        )
        return said

    async def messages(self, channel: str, user: str = "ada") -> list[JSON]:
        """What a person sees in a channel, newest last. Raises AssertionError if there is no such channel."""
        listed = await self.api("GET", f"channels/{channel}/messages", **{"as": user})
        found: list[JSON] = listed["messages"]
        return found

    async def message(self, channel: str, text: str, user: str = "ada") -> JSON:
        """Wait for the bot's message with exactly this text."""

        async def posted() -> JSON | None:
            listed = await self.messages(channel, user)
            return next((one for one in listed if one["bot"] and one["text"] == text), None)

        return await self.until(f"{text!r} in {channel}", posted)

    async def calls(self, method: str, route: str, since: int = 0) -> list[JSON]:
        """REST calls of this method with `route` in their path, oldest first; those with a token in the path too."""
        listed = await self.api("GET", "requests", since=since, limit=5000)
        return [one for one in listed["requests"] if one["method"] == method and route in one["path"]]

    async def cdn(self, path: str) -> bytes:
        async with self._http.get(self.ready["url"] + path) as got:
            return await got.read()
