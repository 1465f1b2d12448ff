"""The bot's REST calls as the sandbox logged them."""

from __future__ import annotations

from typing import Any

from demo.stories.stage import Stage


async def calls(stage: Stage, since: int = 0) -> list[dict[str, Any]]:
    """Those after the call with the number `since`, oldest first; the sandbox keeps the newest 5,000."""
    found: list[dict[str, Any]] = []
    while True:
        page = (await stage.call("GET", "requests", since=since, limit=500, application="slipway"))[
            "requests"
        ]
        found += page
        if not page:
            return found
        since = page[-1]["n"]
