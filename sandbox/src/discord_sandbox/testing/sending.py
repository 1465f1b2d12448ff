"""What people send, as the JSON API takes it."""

import base64
from collections.abc import Mapping
from urllib.parse import quote

from discord_sandbox.testing.api import JSON
from discord_sandbox.testing.seen import Outcome, SeenMessage

Message = SeenMessage | Outcome | str
Files = Mapping[str, str | bytes]  # by name


def id_of(message: Message) -> str:
    """Raises AssertionError for an outcome without a message."""
    if isinstance(message, Outcome):
        return message.message.id
    return message.id if isinstance(message, SeenMessage) else message


def written(content: str, files: Files | None) -> JSON:
    """The content and files of a message."""
    listed = [{"filename": name, **_content(one)} for name, one in (files or {}).items()]
    return without_blanks({"content": content, "files": listed})


def _content(given: str | bytes) -> JSON:
    if isinstance(given, str):
        return {"text": given}
    return {"content": base64.b64encode(given).decode()}


def without_blanks(body: JSON) -> JSON:
    """Without what is empty or None: it is not given."""
    return {key: value for key, value in body.items() if value not in ("", [], None)}


def part_of_path(name: str) -> str:
    return quote(name, safe="")
