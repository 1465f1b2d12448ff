"""Sends interactions to an application's endpoint, and checks a new endpoint as Discord does."""

import asyncio
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import aiohttp

from discord_sandbox.discord.actions.interactions import FIRST_ANSWER, Interactions
from discord_sandbox.discord.actions.responses import Responses
from discord_sandbox.discord.actions.uploads import Upload
from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.render.encoding import dumps
from discord_sandbox.discord.state.ed25519 import seed_of, sign
from discord_sandbox.discord.state.model import JSON, PING, Application, Interaction

LOOPBACK = ("127.0.0.1", "localhost", "::1")
AGENT = "Discord-Interactions/1.0 (+https://discord.com)"
LONGEST_URL = 2048


class Reply(NamedTuple):
    """An endpoint's answer; `body` None if it is not JSON. Without an answer, the status is 0."""

    status: int
    body: Any
    problem: str = ""


class Endpoints:
    def __init__(self, interactions: Interactions, responses: Responses) -> None:
        self._interactions = interactions
        self._responses = responses
        self._client: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def deliver(self, interaction: Interaction, body: JSON) -> None:
        """Send an interaction in the background; its answer is its first response."""
        task = asyncio.get_running_loop().create_task(self._deliver(interaction, body))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, interaction: Interaction, body: JSON) -> None:
        application = interaction.application
        answer = await self._post(application, application.endpoint_url or "", body)
        if answer.status == 202:
            return  # It responds by the callback route.
        if answer.status != 200 or not isinstance(answer.body, dict):
            why = answer.problem or f"answered {answer.status}, not 200 with JSON or 202"
            self._interactions.fail(interaction, f"The interactions endpoint {why}.")
            return
        try:
            waiting = self._interactions.unanswered(interaction.id, interaction.token)
            self._responses.first(waiting, Upload(answer.body))
        except DiscordError as error:
            problem = f"{error.message} ({error.code}) {error.errors or ''}".rstrip()
            self._interactions.fail(interaction, f"The endpoint's response was refused: {problem}")

    async def _post(self, application: Application, url: str, body: JSON, *, forged: bool = False) -> Reply:
        raw = dumps(body).encode()
        stamp = str(int(self._interactions.clock.now()))
        signature = sign(seed_of(application.id), stamp.encode() + raw)
        if forged:
            signature = bytes(64)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": AGENT,
            "X-Signature-Ed25519": signature.hex(),
            "X-Signature-Timestamp": stamp,
        }
        if self._client is None:
            self._client = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=FIRST_ANSWER))
        try:
            async with self._client.post(url, data=raw, headers=headers, allow_redirects=False) as got:
                text = await got.read()
                try:
                    found = await got.json(content_type=None) if text else None
                except ValueError:
                    found = None
                return Reply(got.status, found)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Reply(0, None, f"does not answer ({str(error) or type(error).__name__})")

    async def refusal(self, application: Application, url: str) -> str | None:
        """Why the address cannot be the application's endpoint, None if it can.

        It must be on this machine, answer a PING with `{"type": 1}`, and a forged one with 401.
        """
        try:
            scheme, host = urlsplit(url).scheme, urlsplit(url).hostname
        except ValueError:
            scheme, host = "", None
        if scheme not in ("http", "https") or host not in LOOPBACK or len(url) > LONGEST_URL:
            return "It must be an http address on this machine."
        body = {
            "id": self._interactions.state.new_id(),
            "application_id": application.id,
            "type": PING,
            "token": "ping",
            "version": 1,
        }
        answer = await self._post(application, url, body)
        if answer.status != 200 or not isinstance(answer.body, dict) or answer.body.get("type") != PING:
            return f'It must answer a PING with 200 and {{"type": 1}}; it {answer.problem or answer.status}.'
        answer = await self._post(application, url, body, forged=True)
        if answer.status != 401:
            return f"It must answer a wrong signature with 401; it {answer.problem or answer.status}."
        return None

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._client is not None:
            await self._client.close()
