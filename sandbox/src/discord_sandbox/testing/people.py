"""People as objects: what they do, and what they see."""

from collections.abc import Mapping
from typing import Any

from discord_sandbox.testing.api import JSON, ApiClient
from discord_sandbox.testing.reading import ChannelReader
from discord_sandbox.testing.seen import Outcome, SeenMessage


class Person:
    """A person of the world. Raises CallRefused for what Discord's client would not let them do.

    Each interaction returns as soon as the bot answered, at the latest after `patience` seconds. `guild` and
    `application` are needed only where a name is ambiguous.
    """

    def __init__(
        self, api: ApiClient, name: str, *, guild: str = "", application: str = "", patience: float = 5.0
    ) -> None:
        self.name = name
        self.patience = patience
        self._api = api
        self._reader = ChannelReader(api, seen_by=name, guild=guild or None)
        self._common = {"user": name} | ({"guild": guild} if guild else {})
        self._application = {"application": application} if application else {}

    async def command(self, channel: str, command: str, /, **options: object) -> Outcome:
        """Send a slash command: `await ada.command("general", "settings show", page=2)`."""
        body = {"channel": channel, "command": command, "options": _plain(options)}
        return await self._begin("commands", body | self._application)

    async def autocomplete(
        self, channel: str, command: str, option: str, value: str = "", /, **options: object
    ) -> list[JSON]:
        """The choices (`name`, `value`) that the bot offers while the option holds `value`."""
        body: JSON = {"channel": channel, "command": command, "option": option, "value": value}
        body |= {"options": _plain(options), **self._common, **self._application}
        found: list[JSON] = (await self._api.call("POST", "autocomplete", body))["choices"]
        return found

    async def press(self, message: SeenMessage | Outcome | str, button: str) -> Outcome:
        """Press a button by its label or custom id. `message` can be an outcome with a message, or an id."""
        return await self._begin("presses", {"message": _id(message), "button": button})

    async def select(self, message: SeenMessage | Outcome | str, select: str, *values: object) -> Outcome:
        """Choose in a select, named by its placeholder or custom id; values by label, value or name."""
        chosen = [_named(one) for one in values]
        return await self._begin("selects", {"message": _id(message), "select": select, "values": chosen})

    async def submit(self, opened: Outcome, fields: Mapping[str, object]) -> Outcome:
        """Submit the modal that a command or press opened; fields by label or custom id."""
        return await self._begin("modals", {"interaction": opened.id, "fields": _plain(fields)})

    async def write(self, channel: str, content: str) -> SeenMessage:
        """Write a message; `@robot` is the direct messages with that bot."""
        return SeenMessage.read(await self._act("POST", "messages", {"channel": channel, "content": content}))

    async def react(self, message: SeenMessage | Outcome | str, emoji: str) -> SeenMessage:
        return SeenMessage.read(
            await self._act("POST", "reactions", {"message": _id(message), "emoji": emoji})
        )

    async def unreact(self, message: SeenMessage | Outcome | str, emoji: str) -> SeenMessage:
        """Take a reaction back."""
        return SeenMessage.read(
            await self._act("DELETE", "reactions", {"message": _id(message), "emoji": emoji})
        )

    async def pin(self, message: SeenMessage | Outcome | str) -> SeenMessage:
        return SeenMessage.read(await self._act("POST", "pins", {"message": _id(message)}))

    async def unpin(self, message: SeenMessage | Outcome | str) -> SeenMessage:
        return SeenMessage.read(await self._act("DELETE", "pins", {"message": _id(message)}))

    async def join_voice(
        self, channel: str, *, mute: bool = False, deaf: bool = False, request_to_speak: bool | None = None
    ) -> None:
        """Join a voice or stage channel, move there, or mute and deafen oneself where one is."""
        body: JSON = {"channel": channel, "mute": mute, "deaf": deaf}
        if request_to_speak is not None:
            body["request_to_speak"] = request_to_speak
        await self._act("POST", "voice", body)

    async def leave_voice(self) -> None:
        await self._act("DELETE", "voice", {})

    async def messages(self, channel: str, limit: int = 100) -> list[SeenMessage]:
        """The newest messages that this person sees, ephemeral ones included; newest last."""
        return await self._reader.messages(channel, limit)

    async def wait_for_message(
        self, channel: str, text: str = "", *, author: str = "", after: SeenMessage | None = None
    ) -> SeenMessage:
        """As `Sandbox.wait_for_message`, with what only this person sees: ephemeral and direct messages."""
        return await self._reader.wait_for_message(
            channel, text, author=author, after=after, seconds=self.patience
        )

    async def _act(self, method: str, path: str, body: JSON) -> Any:
        return await self._api.call(method, path, self._common | body)

    async def _begin(self, path: str, body: JSON) -> Outcome:
        begun = await self._act("POST", path, body)
        return Outcome.read(
            await self._api.call("GET", f"interactions/{begun['interaction']}", wait=self.patience)
        )


def _id(message: SeenMessage | Outcome | str) -> str:
    if isinstance(message, Outcome):
        return message.message.id
    return message.id if isinstance(message, SeenMessage) else message


def _named(value: object) -> object:
    return value.name if isinstance(value, Person) else value


def _plain(values: Mapping[str, object]) -> JSON:
    """People by their names, and other values as they are."""
    return {
        key: [_named(one) for one in value] if isinstance(value, list) else _named(value)
        for key, value in values.items()
    }
