"""Read-only Discord REST client of `slipway doctor`: one call at a time, no retries."""

from __future__ import annotations

from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp

from bot import __version__

PORTAL = "https://discord.com/developers/applications"
_TIMEOUT = aiohttp.ClientTimeout(total=10)


class AwayError(Exception):
    """Discord did not answer as expected; the text says how."""


class Rest:
    """Read-only client; the token goes to Discord only."""

    def __init__(self, session: aiohttp.ClientSession, api_base: str, token: str) -> None:
        self._session = session
        self._base = api_base
        self._headers = {
            "Authorization": f"Bot {token}",
            "User-Agent": f"DiscordBot (https://github.com/slipway/slipway, {__version__})",
        }
        self.date: datetime | None = None

    async def get(self, path: str) -> tuple[int, Any]:
        """Status and body. Raises `AwayError` without an answer, or if it is not JSON."""
        try:
            async with self._session.get(
                self._base + path, headers=self._headers, timeout=_TIMEOUT
            ) as answer:
                if "Date" in answer.headers:
                    self.date = parsedate_to_datetime(answer.headers["Date"])
                return answer.status, await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise AwayError(f"no answer from {self._base} ({type(error).__name__})") from None
