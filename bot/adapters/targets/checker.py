"""HTTP checks of a candidate before it gets traffic."""

from __future__ import annotations

import aiohttp

from bot.domain.rollout.steps import HttpCheck

_MAX_BODY = 1024 * 1024


class HttpChecker:
    """Implements `bot.ports.data_plane.targets.Checker`. The session is the caller's; redirects count as answers."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def check(self, address: str, check: HttpCheck) -> str | None:
        asked = f"GET {check.path}"
        try:
            async with self._session.get(
                address.rstrip("/") + "/" + check.path.lstrip("/"),
                timeout=aiohttp.ClientTimeout(total=check.timeout_s),
                allow_redirects=False,
            ) as answer:
                if answer.status != check.status:
                    return f"{asked} should answer {check.status}, but answered {answer.status}."
                if check.contains:
                    return await _lacks(answer, asked, check.contains)
        except TimeoutError:
            return f"{asked} should answer {check.status} within {check.timeout_s:g} s, but did not answer."
        except (aiohttp.ClientError, OSError, ValueError) as problem:
            return f"{asked} should answer {check.status}, but the request failed: {_phrase(problem)}."
        return None


async def _lacks(answer: aiohttp.ClientResponse, asked: str, wanted: str) -> str | None:
    body = bytearray()
    async for chunk in answer.content.iter_chunked(1 << 14):
        body += chunk
        if wanted.encode() in body:
            return None
        if len(body) > _MAX_BODY:
            return f"{asked} should contain “{wanted}”, but does not in its first {_MAX_BODY // 1024} KB."
    return f"{asked} should contain “{wanted}”, but does not."


def _phrase(problem: Exception) -> str:
    if isinstance(problem, aiohttp.ClientConnectorError):
        return "the connection was refused"
    if isinstance(problem, aiohttp.ServerDisconnectedError):
        return "the connection was closed without an answer"
    return type(problem).__name__
