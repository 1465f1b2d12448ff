"""A WebSocket that connects and closes."""

from __future__ import annotations

from typing import Annotated, Literal

import aiohttp
from pydantic import Field

from bot.adapters.checks.kind import CheckContext, CheckFailed, CheckSubject, check_kind
from bot.adapters.checks.web import WebCheckSettings, phrase, shown
from bot.values import shaped

_LARGEST = 64 * 1024
_OK = 1000


class WebSocketSettings(WebCheckSettings):
    """A WebSocket that connects, and answers when it is closed."""

    of_candidate = True

    kind: Literal["websocket"]
    url: Annotated[str, *shaped("^wss?://", "an address that starts with wss:// or ws://")] | None = Field(
        default=None, description="A whole address, such as the one users have."
    )


class WebSocketCheck:
    """Implements `Check`."""

    def __init__(self, settings: WebSocketSettings, context: CheckContext) -> None:
        self._settings = settings
        self._session = context.session

    async def ask(self, subject: CheckSubject) -> None:
        settings = self._settings
        url = settings.whole_url(subject)
        asked = f"WebSocket {shown(url)}"
        try:
            async with self._session.ws_connect(
                url, headers=settings.sent_headers(), ssl=settings.tls(), max_msg_size=_LARGEST
            ) as socket:
                await socket.close()
                code = socket.close_code
        except aiohttp.WSServerHandshakeError as refused:
            raise CheckFailed(f"{asked} should connect, but answered {refused.status}.") from None
        except TimeoutError:
            raise
        except (aiohttp.ClientError, OSError, ValueError) as problem:
            raise CheckFailed(f"{asked} should connect, but failed: {phrase(problem)}.") from None
        if code != _OK:
            raise CheckFailed(f"{asked} should close when it is asked to, but ended with code {code}.")


KIND = check_kind(WebSocketSettings, WebSocketCheck)
