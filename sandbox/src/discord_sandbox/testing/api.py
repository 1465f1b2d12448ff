"""Client of a sandbox's JSON API."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

JSON = dict[str, Any]
_EVENT_BYTES = 2**22  # a message with everything in it is one line


class CallRefused(Exception):
    """The JSON API refused a call: HTTP status, stable code, sentence, and a hint or None.

    retry_after: of slow mode, in seconds; else None.
    """

    def __init__(
        self, status: int, code: str, message: str, hint: str | None, retry_after: float | None = None
    ) -> None:
        super().__init__(f"{message} {hint}" if hint else message)
        self.retry_after = retry_after
        self.status = status
        self.code = code
        self.message = message
        self.hint = hint


class ApiClient:
    """Calls the JSON API at `base` (`http://127.0.0.1:8300/sandbox/v1`). Close it when done."""

    def __init__(self, base: str) -> None:
        self._base = base
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None, sock_connect=30))

    async def close(self) -> None:
        await self._http.close()

    async def call(self, method: str, path: str, body: JSON | None = None, **query: object) -> Any:
        """The answer's JSON; query parameters that are None are left out. Raises CallRefused."""
        given = {key: one for key, one in query.items() if one is not None}
        params = {key: one if isinstance(one, str) else json.dumps(one) for key, one in given.items()}
        url = f"{self._base}/{path.removeprefix('/')}"
        async with self._http.request(method, url, json=body, params=params) as got:
            found = await got.json(content_type=None)
        if got.ok:
            return found
        error = found.get("error") if isinstance(found, dict) else None
        if not isinstance(error, dict):
            raise CallRefused(got.status, "error", f"The sandbox answered {got.status}.", None)
        raise CallRefused(
            got.status, error["code"], error["message"], error["hint"], error.get("retry_after")
        )

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[AsyncIterator[tuple[str, JSON]]]:
        """Names and data of all events from the moment the block is entered."""
        async with self._http.get(f"{self._base}/events", read_bufsize=_EVENT_BYTES) as stream:
            yield _events(stream.content)


async def _events(stream: aiohttp.StreamReader) -> AsyncIterator[tuple[str, JSON]]:
    name = ""
    async for line in stream:
        key, _, value = line.decode().rstrip("\n").partition(": ")
        if key == "event":
            name = value
        elif key == "data":
            yield name, json.loads(value)
