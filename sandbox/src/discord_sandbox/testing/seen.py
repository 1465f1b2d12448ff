"""What people see: messages, and what came of what they did."""

from dataclasses import dataclass, field

from discord_sandbox.testing.api import JSON


@dataclass(frozen=True, slots=True)
class SeenMessage:
    """A message as people see it. `body` has all of it, in the JSON API's shape."""

    body: JSON = field(repr=False)
    id: str
    channel: str
    author: str
    text: str
    ephemeral: bool

    @classmethod
    def read(cls, body: JSON) -> "SeenMessage":
        keys = ("id", "channel", "author", "text", "ephemeral")
        return cls(body, *(body[key] for key in keys))

    @property
    def buttons(self) -> list[str]:
        """Labels of the buttons that can be pressed; a button without a label by its emoji or custom id."""
        return [
            str(one["label"] or one["emoji"] or one["custom_id"])
            for one in self.body["buttons"]
            if one["enabled"]
        ]

    @property
    def reactions(self) -> dict[str, list[str]]:
        """Who reacted, by emoji."""
        return {one["emoji"]: one["users"] for one in self.body["reactions"]}

    @property
    def thread(self) -> str | None:
        """The id of the thread that was started from the message."""
        return self.body["thread"]["id"] if self.body["thread"] is not None else None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a command, press, selection or modal. `body`: the interaction in the JSON API's shape.

    state: `answered`, `modal` (one was opened), `failed`, or `pending` and `deferred` if the bot is not done yet.
    """

    body: JSON = field(repr=False)
    id: str
    state: str
    reason: str | None
    ephemeral: bool

    @classmethod
    def read(cls, body: JSON) -> "Outcome":
        return cls(body, *(body[key] for key in ("id", "state", "reason", "ephemeral")))

    @property
    def message(self) -> SeenMessage:
        """The answer, or the message that a press changed. Raises AssertionError if there is none."""
        return SeenMessage.read(self._need("message"))

    @property
    def text(self) -> str:
        return self.message.text

    @property
    def followups(self) -> list[SeenMessage]:
        return [SeenMessage.read(one) for one in self.body["followups"]]

    @property
    def modal(self) -> JSON:
        """The modal that was opened: `title`, `fields`. Raises AssertionError if there is none."""
        return self._need("modal")

    def _need(self, key: str) -> JSON:
        found: JSON | None = self.body[key]
        if found is None:
            why = f": {self.reason}" if self.reason else ""
            what = self.body["command"] or self.body["custom_id"] or self.body["type"]
            raise AssertionError(f'{self.body["user"]}\'s "{what}" has no {key}. It is {self.state}{why}')
        return found
