"""People as objects: what they do, and what they see."""

from collections.abc import Mapping, Sequence
from typing import Any

from discord_sandbox.testing.api import JSON, ApiClient
from discord_sandbox.testing.reading import ChannelReader
from discord_sandbox.testing.seen import Outcome, SeenMessage
from discord_sandbox.testing.sending import Files, Message, id_of, part_of_path, without_blanks, written


class Person:
    """A person of the world. Raises CallRefused for what Discord's client would not let them do.

    Each interaction returns as soon as the bot answered, at the latest after `patience` seconds. `guild` and
    `application` are needed only where a name is ambiguous. A message can be an outcome with one, or an id.
    """

    def __init__(
        self, api: ApiClient, name: str, *, guild: str = "", application: str = "", patience: float = 5.0
    ) -> None:
        self.name = name
        self.patience = patience
        self._api = api
        self._reader = ChannelReader(api, seen_by=name, guild=guild or None)
        self._guild: JSON = {"guild": guild} if guild else {}
        self._common: JSON = {"user": name} | self._guild
        self._application = {"application": application} if application else {}

    async def command(self, channel: str, command: str, /, **options: object) -> Outcome:
        """Send a slash command: `await ada.command("general", "settings show", page=2)`."""
        body = {"channel": channel, "command": command, "options": _plain(options)}
        return await self._begin("commands", body | self._application)

    async def user_command(self, channel: str, command: str, user: "Person | str") -> Outcome:
        """Use a command of the context menu of a person or bot."""
        body = {"channel": channel, "command": command, "target_user": _named(user)}
        return await self._begin("commands", body | self._application)

    async def message_command(self, message: Message, command: str) -> Outcome:
        """Use a command of the context menu of a message."""
        body = {"command": command, "target_message": id_of(message)}
        return await self._begin("commands", body | self._application)

    async def autocomplete(
        self, channel: str, command: str, option: str, value: str = "", /, **options: object
    ) -> list[JSON]:
        """The choices (`name`, `value`) that the bot offers while the option holds `value`."""
        body: JSON = {"channel": channel, "command": command, "option": option, "value": value}
        body |= {"options": _plain(options), **self._common, **self._application}
        found: list[JSON] = (await self._api.call("POST", "autocomplete", body))["choices"]
        return found

    async def press(self, message: Message, button: str) -> Outcome:
        """Press a button by its label or custom id."""
        return await self._begin("presses", {"message": id_of(message), "button": button})

    async def select(self, message: Message, select: str, *values: object) -> Outcome:
        """Choose in a select, named by its placeholder or custom id; values by label, value or name."""
        chosen = [_named(one) for one in values]
        return await self._begin("selects", {"message": id_of(message), "select": select, "values": chosen})

    async def submit(self, opened: Outcome, fields: Mapping[str, object]) -> Outcome:
        """Submit the modal that a command or press opened; fields by label or custom id."""
        return await self._begin("modals", {"interaction": opened.id, "fields": _plain(fields)})

    async def write(self, channel: str, content: str = "", *, files: Files | None = None) -> SeenMessage:
        """Write a message, with files by name: texts or bytes. `@robot` is the direct messages with that bot."""
        return await self._write({"channel": channel, **written(content, files)})

    async def reply(
        self, message: Message, content: str = "", *, files: Files | None = None, mention: bool = True
    ) -> SeenMessage:
        """Answer a message in its channel. Its author is notified, unless `mention` is false."""
        place = {"channel": await self._channel_of(message), "reply_to": id_of(message), "mention": mention}
        return await self._write(place | written(content, files))

    async def forward(self, message: Message, channel: str) -> SeenMessage:
        return await self._write({"channel": channel, "forward": id_of(message)})

    async def poll(
        self, channel: str, question: str, *answers: str, hours: int = 24, multiple: bool = False
    ) -> SeenMessage:
        """Ask with a poll. `multiple`: whether one person can choose several answers."""
        asked: JSON = {"question": question, "answers": answers, "hours": hours, "multiple": multiple}
        return await self._write({"channel": channel, "poll": asked})

    async def vote(self, message: Message, *answers: str | int) -> SeenMessage:
        """Vote for these answers of a poll alone, by text or number; for none to take votes back."""
        chosen = [str(one) for one in answers]
        return SeenMessage.read(
            await self._act("POST", "votes", {"message": id_of(message), "answers": chosen})
        )

    async def edit(self, message: Message, content: str) -> SeenMessage:
        """Change what this person wrote."""
        return SeenMessage.read(await self._act("PATCH", f"messages/{id_of(message)}", {"content": content}))

    async def delete(self, message: Message) -> None:
        """Delete an own message, or with MANAGE_MESSAGES that of another."""
        await self._api.call("DELETE", f"messages/{id_of(message)}", **self._common)

    async def react(self, message: Message, emoji: str) -> SeenMessage:
        return SeenMessage.read(
            await self._act("POST", "reactions", {"message": id_of(message), "emoji": emoji})
        )

    async def unreact(self, message: Message, emoji: str) -> SeenMessage:
        """Take a reaction back."""
        return SeenMessage.read(
            await self._act("DELETE", "reactions", {"message": id_of(message), "emoji": emoji})
        )

    async def pin(self, message: Message) -> SeenMessage:
        return SeenMessage.read(await self._act("POST", "pins", {"message": id_of(message)}))

    async def unpin(self, message: Message) -> SeenMessage:
        return SeenMessage.read(await self._act("DELETE", "pins", {"message": id_of(message)}))

    async def start_thread(
        self,
        channel: str,
        name: str,
        content: str = "",
        *,
        message: Message | None = None,
        private: bool = False,
        tags: Sequence[str] = (),
    ) -> str:
        """Start a thread on a message or alone, or a post in a forum; returns its id, which names it as a channel."""
        about = id_of(message) if message is not None else None
        body = {"channel": channel, "name": name, "content": content, "message": about, "tags": list(tags)}
        made = await self._act("POST", "threads", without_blanks(body) | {"private": private})
        return str(made["id"])

    async def join_thread(self, thread: str) -> None:
        await self._act("PUT", f"threads/{part_of_path(thread)}/members", {})

    async def leave_thread(self, thread: str) -> None:
        await self._api.call("DELETE", f"threads/{part_of_path(thread)}/members", **self._common)

    async def join_event(self, event: str) -> None:
        """Be interested in a scheduled event, by its name or id."""
        await self._act("PUT", f"scheduled-events/{part_of_path(event)}/users", {})

    async def leave_event(self, event: str) -> None:
        await self._api.call("DELETE", f"scheduled-events/{part_of_path(event)}/users", **self._common)

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

    async def join(self, *, display_name: str = "", roles: Sequence[str] = (), invite: str = "") -> None:
        """Join the server, as a new person or as one who left; by an invite's code if one is given."""
        body = {"name": self.name, "display_name": display_name, "roles": list(roles), "invite": invite}
        await self._api.call("POST", "people", without_blanks(body) | self._guild)

    async def leave(self) -> None:
        """Leave the server. What they wrote stays."""
        await self._api.call("DELETE", f"people/{part_of_path(self.name)}", **self._guild)

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

    async def _write(self, body: JSON) -> SeenMessage:
        return SeenMessage.read(await self._act("POST", "messages", body))

    async def _begin(self, path: str, body: JSON) -> Outcome:
        begun = await self._act("POST", path, body)
        return Outcome.read(
            await self._api.call("GET", f"interactions/{begun['interaction']}", wait=self.patience)
        )

    async def _channel_of(self, message: Message) -> str:
        """The id of the channel that a message is in."""
        if isinstance(message, Outcome):
            message = message.message
        if isinstance(message, str):
            message = await self._reader.message(message)
        return str(message.body["channel_id"])


def _named(value: object) -> object:
    return value.name if isinstance(value, Person) else value


def _plain(values: Mapping[str, object]) -> JSON:
    """People by their names, and other values as they are."""
    return {
        key: [_named(one) for one in value] if isinstance(value, list) else _named(value)
        for key, value in values.items()
    }
