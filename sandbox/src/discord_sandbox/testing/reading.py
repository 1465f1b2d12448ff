"""Read channels, and wait until a message is there."""

import asyncio
from urllib.parse import quote

from discord_sandbox.testing.api import JSON, ApiClient, CallRefused
from discord_sandbox.testing.seen import SeenMessage

_SHOWN = 5


class ChannelReader:
    """Reads channels as `seen_by`, a person's name, or what everyone sees there."""

    def __init__(self, api: ApiClient, *, seen_by: str | None = None, guild: str | None = None) -> None:
        self._api = api
        self._query: JSON = {"as": seen_by, "guild": guild}

    async def messages(self, channel: str, limit: int = 100) -> list[SeenMessage]:
        """The newest messages, newest last. Raises CallRefused for an unknown channel."""
        path = f"channels/{quote(channel, safe='')}/messages"
        found = await self._api.call("GET", path, limit=limit, **self._query)
        return [SeenMessage.read(one) for one in found["messages"]]

    async def message(self, message_id: str) -> SeenMessage:
        """Raises CallRefused for one that is not there, or not seen."""
        return SeenMessage.read(await self._api.call("GET", f"messages/{message_id}", **self._query))

    async def wait_for_message(
        self, channel: str, text: str, *, author: str, after: SeenMessage | None, seconds: float
    ) -> SeenMessage:
        """The newest message that fits, now or as soon as one does. Raises AssertionError after `seconds`."""
        deadline = asyncio.get_running_loop().time() + seconds
        async with self._api.listening() as events:
            while True:
                messages, missing = await self._read(channel)
                for one in reversed(messages):
                    newer = after is None or int(one.id) > int(after.id)
                    if newer and text in one.text and author in ("", one.author):
                        return one
                try:
                    async with asyncio.timeout_at(deadline):
                        while not (await anext(events))[0].startswith(("message_", "thread_", "channel_")):
                            pass
                except TimeoutError:
                    wanted = (f' with "{text}"' if text else "") + (f" by {author}" if author else "")
                    there = missing or _listing(messages)
                    raise AssertionError(
                        f"No message{wanted} in {channel} within {seconds:g} s. {there}"
                    ) from None

    async def _read(self, channel: str) -> tuple[list[SeenMessage], str]:
        """The channel's messages; or none, and why there is no channel yet."""
        try:
            return await self.messages(channel), ""
        except CallRefused as refused:
            if refused.code != "unknown_channel":
                raise
            return [], str(refused)


def _listing(messages: list[SeenMessage]) -> str:
    if not messages:
        return "There is none."
    return "The newest there:" + "".join(f"\n  {one.author}: {one.text}" for one in messages[-_SHOWN:])
