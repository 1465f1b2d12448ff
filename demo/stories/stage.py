"""People played through the sandbox's JSON API; a transcript is told what they do and are answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp

from demo.stories.language import StoryError
from demo.stories.transcript import Transcript, plain, short

__all__ = ["Json", "Stage", "StoryError", "Transcript", "said"]

Json = dict[str, Any]
T = TypeVar("T")


class Stage:
    """People, channels and services of one sandbox. Every wait is bounded and ends in `StoryError`."""

    def __init__(self, url: str, transcript: Transcript | None = None) -> None:
        self.url = url.rstrip("/")
        self.transcript = transcript or Transcript()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session:
            await self._session.close()

    async def call(self, method: str, path: str, body: Json | None = None, **query: str | int) -> Json:
        """One call of the JSON API. Raises `StoryError` with the sentence of a refusal."""
        if self._session is None:
            raise RuntimeError("Stage is not open: use `async with Stage(url) as stage`")
        params = {k: str(v) for k, v in query.items()}
        async with self._session.request(
            method, f"{self.url}/sandbox/v1/{path}", json=body, params=params
        ) as answer:
            found: Json = await answer.json() if answer.status != 204 else {}
            if answer.status >= 400:
                error = found.get("error", {})
                raise StoryError(f"{method} {path}: {error.get('code')}: {error.get('message')}")
            return found

    async def slash(self, user: str, command: str, channel: str = "deploys", **options: object) -> Json:
        """Send a slash command as a person; returns the answered interaction."""
        shown = " ".join(f"{k}:{v}" for k, v in options.items())
        self.transcript.say(user, f"/{command} {shown}".rstrip())
        body: Json = {"user": user, "channel": channel, "command": command, "options": options}
        begun = await self.call("POST", "commands", body)
        return await self.answer(begun["interaction"])

    async def press(self, user: str, message: str, button: str) -> Json:
        """Press a button by its label as a person; returns the answered interaction."""
        self.transcript.say(user, f"presses [{button}]")
        begun = await self.call("POST", "presses", {"user": user, "message": message, "button": button})
        return await self.answer(begun["interaction"])

    async def choose(self, user: str, message: str, select: str, *values: str) -> Json:
        """Choose in a select, by its custom id or placeholder, as a person; returns the answered interaction."""
        self.transcript.say(user, f"picks {', '.join(values)}")
        body: Json = {"user": user, "message": message, "select": select, "values": list(values)}
        begun = await self.call("POST", "selects", body)
        return await self.answer(begun["interaction"])

    async def submit(self, user: str, interaction: str, **fields: str) -> Json:
        """Submit the modal that an interaction opened, as a person; returns the answered interaction."""
        shown = ", ".join(f"{name}: {value}" for name, value in fields.items())
        self.transcript.say(user, f"submits {shown}")
        body: Json = {"user": user, "interaction": interaction, "fields": dict(fields)}
        begun = await self.call("POST", "modals", body)
        return await self.answer(begun["interaction"])

    async def answer(self, interaction: str, wait_s: int = 20) -> Json:
        found = await self.call("GET", f"interactions/{interaction}", wait=wait_s)
        if found["state"] in {"failed", "pending", "deferred"}:
            raise StoryError(
                f"{found['type']} {found.get('command') or found.get('custom_id')}: {found['reason']}"
            )
        if text := said(found):
            self.transcript.say(
                "slipway", f"{'(only to them) ' if found['ephemeral'] else ''}{short(plain(text))}"
            )
        return found

    async def messages(self, channel: str, as_: str = "dev") -> list[Json]:
        found = await self.call("GET", f"channels/{channel}/messages?as={as_}")
        messages: list[Json] = found["messages"]
        return messages

    async def last_message(self, channel: str) -> int:
        """The id of the newest message, 0 if there is none; later messages have higher ids."""
        return max((int(m["id"]) for m in await self.messages(channel)), default=0)

    async def users(self, service: str, environment: str, since: int = -1) -> Json:
        """Shares, totals and log of a demo service's users."""
        return await self.call("GET", f"services/{service}", environment=environment, since=since)

    async def until(
        self,
        what: str,
        look: Callable[[], Awaitable[T | None]],
        timeout_s: float = 60.0,
        every_s: float = 0.15,
    ) -> T:
        """Call `look` until it finds something. Raises `StoryError` after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while True:
            found = await look()
            if found is not None:
                return found
            if time.monotonic() > deadline:
                raise StoryError(f"{what}: not within {timeout_s:.0f} s")
            await asyncio.sleep(every_s)

    async def message(
        self,
        channel: str,
        *words: str,
        after: int = 0,
        timeout_s: float = 60.0,
        button: str | None = None,
        as_: str = "dev",
    ) -> Json:
        """The newest message after `after` with all `words` in its text, and an enabled `button` if named."""

        async def look() -> Json | None:
            for m in reversed(await self.messages(channel, as_)):
                text = m["text"].lower()
                pressable = {b["label"] for b in m["buttons"] if b["enabled"]}
                fits = int(m["id"]) > after and all(w.lower() in text for w in words)
                if fits and (button is None or button in pressable):
                    return m
            return None

        return await self.until(f"{words} in #{channel}", look, timeout_s)


def said(interaction: Json) -> str:
    """All text of an answered interaction: its message, else its last follow-up."""
    followups = interaction.get("followups") or [None]
    message = interaction.get("message") or followups[-1]
    return str(message["text"]) if message else ""
