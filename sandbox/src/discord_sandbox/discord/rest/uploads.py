"""Request bodies in Discord's three encodings: JSON, urlencoded `payload_json`, multipart with files."""

import json
import mimetypes
import re
import struct
from dataclasses import replace
from typing import Any

from aiohttp import BodyPartReader, web

from discord_sandbox.discord.actions.uploads import Upload
from discord_sandbox.discord.errors import Complaints, DiscordError
from discord_sandbox.discord.state.attachment import Attachment

FILE_LIMIT, REQUEST_LIMIT = 10 * 1024 * 1024, 25 * 1024 * 1024
_FIELD = re.compile(r"^files?\[?(\d*)\]?$")


async def read_upload(request: web.Request, complaints: Complaints) -> Upload:
    """The body and its files. Raises 50109 (bad JSON), 50035 (not an object), 40005 (too large)."""
    return replace(await _read(request), complaints=complaints)


async def _read(request: web.Request) -> Upload:
    if (request.content_length or 0) > REQUEST_LIMIT:
        raise DiscordError(40005)
    kind = request.content_type
    try:
        if kind == "multipart/form-data":
            return await _multipart(request)
        if kind == "application/x-www-form-urlencoded":
            form = await request.post()
            given = form.get("payload_json")
            if isinstance(given, str):
                return _upload(_json(given))
            return Upload({key: value for key, value in form.items() if isinstance(value, str)})
        raw = await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise DiscordError(40005) from None
    if not raw:
        return Upload({})
    if kind != "application/json":
        raise DiscordError(
            0, "Expected \"Content-Type\" header to be one of {'application/json'}.", status=400
        )
    return _upload(_json(raw))


def _json(raw: bytes | str) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        raise DiscordError(50109) from None


def _upload(value: Any) -> Upload:
    if isinstance(value, dict):
        return Upload(value)
    if isinstance(value, list) and all(isinstance(one, dict) for one in value):
        return Upload({}, items=value)
    message = "Only dictionaries may be used in a ModelType"
    raise DiscordError(50035, errors={"_errors": [{"code": "MODEL_TYPE_CONVERT", "message": message}]})


async def _multipart(request: web.Request) -> Upload:
    upload = Upload({})
    reader = await request.multipart()
    while (part := await reader.next()) is not None:
        if not isinstance(part, BodyPartReader):
            continue
        name = part.name or ""
        found = _FIELD.match(name)
        content = bytes(await part.read(decode=False))
        if name == "payload_json":
            upload.body = _upload(_json(content)).body
        elif found is not None:
            if len(content) > FILE_LIMIT:
                raise DiscordError(40005)
            number = found.group(1) or str(len(upload.files))
            upload.files[number] = attachment(
                part.filename or "file", content, part.headers.get("Content-Type")
            )
    return upload


def attachment(filename: str, content: bytes, content_type: str | None) -> Attachment:
    """A file without an id; posting it assigns its id and CDN path."""
    name = re.sub(r"[^\w.\-]+", "_", filename)[-100:] or "file"
    guessed = mimetypes.guess_type(name)[0] or content_type or "application/octet-stream"
    width, height = _picture_size(content)
    return Attachment("", name, content, guessed, "", width=width, height=height)


def _picture_size(content: bytes) -> tuple[int | None, int | None]:
    if content[:8] == b"\x89PNG\r\n\x1a\n" and len(content) >= 24:
        width, height = struct.unpack(">II", content[16:24])
        return width, height
    if content[:6] in (b"GIF87a", b"GIF89a") and len(content) >= 10:
        width, height = struct.unpack("<HH", content[6:10])
        return width, height
    return None, None
