"""Files that people send: `[{"filename": "a.txt", "text": "…"}]`, or with `content` in base64."""

import base64
import binascii
from typing import Any

from discord_sandbox.api.errors import ApiError, invalid
from discord_sandbox.discord.rest.uploads import FILE_LIMIT, attachment
from discord_sandbox.discord.state.attachment import Attachment

MOST = 10


def read_files(given: Any) -> dict[str, Attachment]:
    """By number, as an upload has them. Raises ApiError 400, or 413 for a file over 10 MiB."""
    if given is None:
        return {}
    if not isinstance(given, list) or len(given) > MOST:
        raise invalid(f'"files" must be a list of at most {MOST} files.')
    return {str(number): read_file(one) for number, one in enumerate(given)}


def read_file(given: Any) -> Attachment:
    """One file, without an id. Raises ApiError 400, or 413 for a file over 10 MiB."""
    if not isinstance(given, dict) or not isinstance(given.get("filename"), str):
        raise invalid('A file is {"filename", "text"} or {"filename", "content"}, the latter in base64.')
    content = _bytes(given)
    if len(content) > FILE_LIMIT:
        raise ApiError(413, "too_large", f'"{given["filename"]}" is over 10 MiB.')
    found = attachment(given["filename"], content, None)
    if isinstance(given.get("description"), str):
        found.description = given["description"][:1024]
    return found


def _bytes(given: dict[str, Any]) -> bytes:
    if isinstance(given.get("text"), str):
        return str(given["text"]).encode()
    try:
        return base64.b64decode(given.get("content") or "", validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise invalid(f'"{given["filename"]}": "content" must be base64.') from None
