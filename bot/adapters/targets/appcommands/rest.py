"""Discord's REST routes for application commands: retries, rate limits, and refusals as sentences."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import aiohttp

from bot import __version__
from bot.adapters.targets.appcommands.refusals import (
    PERMISSIONS_UNKNOWN,
    UNKNOWN_COMMAND,
    Passing,
    RefusedByDiscord,
    refused,
)
from bot.domain.appcommands.applications import Application, Scope
from bot.ports.appcommands import ServedCommands
from bot.ports.errors import Unreachable

API_BASE = "https://discord.com/api/v10"
_AGENT = f"DiscordBot (https://github.com/slipway, {__version__})"
_ATTEMPTS = 6
_PATIENCE_S = 40.0  # for one call with all its repetitions
_PASSING = frozenset({500, 502, 503, 504})

Json = dict[str, Any]
T = TypeVar("T")


class CommandsApi:
    """Client for all applications, on one connection pool; each call uses the token of its application.

    Every method raises `Unreachable`, or `RefusedByDiscord` (a `TargetRefused`) with a sentence. All calls may be
    repeated, because Discord identifies commands by name.
    """

    def __init__(
        self, session: aiohttp.ClientSession, api_base: str = "", *, first_wait_s: float = 0.3
    ) -> None:
        self._session = session
        self._base = (api_base or API_BASE).rstrip("/")
        self._first_wait_s = first_wait_s
        # Until when a route, or all of an application (no route), must not be called.
        self._closed: dict[tuple[int, str], float] = {}

    # ---- calls ----

    async def read(self, application: Application, scope: Scope) -> ServedCommands:
        """Implements `CommandsReader`: one call, no retry, within the application's answer time."""
        try:
            async with asyncio.timeout(application.answer_s):
                return await self._read(application, scope)
        except TimeoutError:
            raise Unreachable(f"Discord did not answer within {application.answer_s:g} s") from None
        except Passing as error:
            raise Unreachable(str(error)) from None

    async def listed(self, application: Application, scope: Scope) -> ServedCommands:
        """The commands of a scope, retried until there is an answer."""
        return await self._patiently(lambda: self._read(application, scope))

    async def overwrite(self, application: Application, scope: Scope, commands: Sequence[Json]) -> None:
        await self._call(application, "PUT", _commands(application, scope), list(commands))

    async def create(self, application: Application, scope: Scope, command: Json) -> None:
        """Create a command, or replace the one of that name and type."""
        await self._call(application, "POST", _commands(application, scope), command)

    async def edit(self, application: Application, scope: Scope, command_id: str, command: Json) -> None:
        await self._call(application, "PATCH", f"{_commands(application, scope)}/{command_id}", command)

    async def delete(self, application: Application, scope: Scope, command_id: str) -> None:
        """Delete a command; one that does not exist is fine."""
        try:
            await self._call(application, "DELETE", f"{_commands(application, scope)}/{command_id}")
        except RefusedByDiscord as error:
            if error.code != UNKNOWN_COMMAND:
                raise

    async def permissions(self, application: Application, guild_id: int) -> Sequence[Json]:
        """Permission overwrites in a guild, also those of global commands."""
        path = f"{_commands(application, Scope(guild_id))}/permissions"
        try:
            return _listed(await self._call(application, "GET", path))
        except RefusedByDiscord as error:
            if error.code in PERMISSIONS_UNKNOWN:
                return []
            raise

    # ---- requests ----

    async def _read(self, application: Application, scope: Scope) -> ServedCommands:
        began, at = time.perf_counter(), datetime.now(UTC)
        path = f"{_commands(application, scope)}?with_localizations=true"
        found = _listed(await self._once(application, "GET", path, None))
        return ServedCommands(found, at, (time.perf_counter() - began) * 1000)

    async def _call(self, application: Application, method: str, path: str, body: Any = None) -> Any:
        return await self._patiently(lambda: self._once(application, method, path, body))

    async def _patiently(self, attempt_once: Callable[[], Awaitable[T]]) -> T:
        import stamina  # only for those who let Slipway register the commands of applications

        hook = stamina.retry_context(
            on=_pause,
            attempts=_ATTEMPTS,
            timeout=_PATIENCE_S,
            wait_initial=self._first_wait_s,
            wait_max=8.0,
            wait_jitter=self._first_wait_s,
        )
        try:
            async for attempt in hook:
                with attempt:
                    return await attempt_once()
        except Passing as error:
            raise Unreachable(str(error)) from None
        raise AssertionError("an attempt returns or raises")

    async def _once(self, application: Application, method: str, path: str, body: Any) -> Any:
        self._check_token(application)
        route = f"{method} {path.partition('?')[0]}"
        await self._wait(application, route)
        headers = {
            "Authorization": f"Bot {application.token.reveal()}",
            "User-Agent": _AGENT,
        }
        timeout = aiohttp.ClientTimeout(total=15.0, connect=5.0)
        try:
            async with self._session.request(
                method,
                f"{self._base}{path}",
                json=body,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
            ) as answer:
                text = await answer.text()
                self._heed(application, route, answer)
                return self._understood(application, route, answer, text)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Passing(f"Discord cannot be reached ({type(error).__name__})") from None

    def _understood(
        self, application: Application, route: str, answer: aiohttp.ClientResponse, text: str
    ) -> Any:
        try:
            found = json.loads(text) if text else None
        except ValueError:
            found = None
        if 200 <= answer.status < 300:
            return found
        said: Mapping[str, Any] = found if isinstance(found, dict) else {}
        if answer.status == 429:
            after = _seconds(said.get("retry_after"), answer.headers.get("Retry-After"))
            whole = bool(said.get("global")) or answer.headers.get("X-RateLimit-Global") == "true"
            self._close(application, "" if whole else route, after)
            raise Passing(f"Discord asks to wait {after:g} s (429)", after)
        if answer.status in _PASSING:
            raise Passing(f"Discord answered {answer.status}")
        raise refused(application, answer.status, said)

    def _check_token(self, application: Application) -> None:
        if not application.token:
            raise RefusedByDiscord(
                f"{application.name} has no token: set the variable that the catalog names."
            )

    # ---- rate limits ----

    def _heed(self, application: Application, route: str, answer: aiohttp.ClientResponse) -> None:
        """Wait for a used-up bucket before Discord has to refuse."""
        if answer.headers.get("X-RateLimit-Remaining") == "0" and answer.status != 429:
            after = _seconds(answer.headers.get("X-RateLimit-Reset-After"), None)
            self._close(application, route, after)

    def _close(self, application: Application, route: str, seconds: float) -> None:
        self._closed[application.id, route] = time.monotonic() + seconds

    async def _wait(self, application: Application, route: str) -> None:
        until = max(self._closed.get((application.id, key), 0.0) for key in ("", route))
        seconds = until - time.monotonic()
        if seconds > _PATIENCE_S:
            raise Unreachable(f"Discord asks to wait another {seconds:.0f} s")
        if seconds > 0:
            await asyncio.sleep(seconds)


def _pause(error: Exception) -> bool | float:
    """Decision for stamina: whether to try again, and after how long if Discord said so."""
    if not isinstance(error, Passing):
        return False
    return error.after_s + 0.05 if error.after_s else True


def _commands(application: Application, scope: Scope) -> str:
    guild = "" if scope.is_global else f"/guilds/{scope.guild_id}"
    return f"/applications/{application.id}{guild}/commands"


def _listed(found: Any) -> Sequence[Json]:
    if not isinstance(found, list):
        raise Unreachable("Discord's answer is not a list of commands")
    return found


def _seconds(*given: Any) -> float:
    for value in given:
        try:
            return max(0.0, float(value))
        except (TypeError, ValueError):
            continue
    return 1.0
