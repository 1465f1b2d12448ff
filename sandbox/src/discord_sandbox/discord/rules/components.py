"""Message components, classic rows and Components V2: structure, limits and unique ids."""

from collections.abc import Callable
from functools import partial
from typing import Any

from discord_sandbox.discord.rules.controls import button, select
from discord_sandbox.discord.rules.custom_emoji import Palette
from discord_sandbox.discord.rules.fields import Fields
from discord_sandbox.discord.rules.media import Media
from discord_sandbox.discord.state.model import JSON

ROW, BUTTON, STRING_SELECT, TEXT_INPUT = 1, 2, 3, 4
SECTION, TEXT, THUMBNAIL, GALLERY, FILE, SEPARATOR, CONTAINER = 9, 10, 11, 12, 13, 14, 17
SELECTS = frozenset({3, 5, 6, 7, 8})

MOST = 40
TEXT_TOGETHER = 4000
TOP_LEVEL = frozenset({ROW, SECTION, TEXT, GALLERY, FILE, SEPARATOR, CONTAINER})
IN_CONTAINER = TOP_LEVEL - {CONTAINER}


def read(body: Fields, media: Media, palette: Palette, *, v2: bool) -> list[JSON] | None:
    """The components as Discord would answer them; None if the key is absent."""
    given = body.objects("components", MOST if v2 else 5)
    if given is None:
        return [] if "components" in body.body else None
    reader = Reader(media, palette)
    found = [reader.component(one, TOP_LEVEL if v2 else frozenset({ROW})) for one in given]
    if reader.count > MOST:
        body.complain(
            "components", "COMPONENT_MAX_TOTAL_COMPONENTS_EXCEEDED", f"Must be {MOST} or fewer in total."
        )
    if reader.text_length > TEXT_TOGETHER:
        body.complain(
            "components",
            "COMPONENT_DISPLAYABLE_TEXT_SIZE_EXCEEDED",
            f"The total text exceeds the maximum of {TEXT_TOGETHER}.",
        )
    return found


class Reader:
    """Reads one message's components; ids and custom ids are unique across all of them."""

    def __init__(self, media: Media, palette: Palette) -> None:
        self.media = media
        self.count = 0
        self.text_length = 0
        self._custom_ids: set[str] = set()
        self._ids: set[int] = set()
        self._next = 0
        self._readers: dict[int, Callable[[Fields], JSON]] = {
            ROW: self._row,
            BUTTON: partial(button, palette=palette),
            SECTION: self._section,
            TEXT: self._text,
            THUMBNAIL: self._thumbnail,
            GALLERY: self._gallery,
            FILE: self._file,
            SEPARATOR: self._separator,
            CONTAINER: self._container,
            **dict.fromkeys(SELECTS, partial(select, palette=palette)),
        }

    def component(self, body: Fields, allowed: frozenset[int]) -> JSON:
        self.count += 1
        kind = body.choice("type", allowed, required=True)
        if kind is None:
            return {}
        number = self._number(body)
        found = {"type": kind, "id": number} | self._readers[kind](body)
        custom_id = found.get("custom_id")
        if custom_id is not None:
            if custom_id in self._custom_ids:
                body.complain(
                    "custom_id",
                    "COMPONENT_CUSTOM_ID_DUPLICATED",
                    "Component custom id cannot be duplicated",
                )
            self._custom_ids.add(custom_id)
        return found

    def _number(self, body: Fields) -> int:
        number: Any = body.number("id", 0, 2**31 - 1)
        if not number:
            self._next += 1
            while self._next in self._ids:
                self._next += 1
            number = self._next
        elif number in self._ids:
            body.complain("id", "COMPONENT_ID_DUPLICATED", "Component id cannot be duplicated")
        self._ids.add(number)
        return int(number)

    def _row(self, body: Fields) -> JSON:
        body.known(("type", "id", "components"))
        given = body.objects("components", 5, least=1, required=True) or []
        kinds = [one.body.get("type") for one in given]
        if len(given) > 1 and any(type(kind) is int and kind in SELECTS for kind in kinds):
            body.complain(
                "components",
                "COMPONENT_LAYOUT_WIDTH_EXCEEDED",
                "The specified component exceeds the maximum width",
            )
        allowed = SELECTS | {BUTTON}
        return {"components": [self.component(one, allowed) for one in given]}

    def _section(self, body: Fields) -> JSON:
        body.known(("type", "id", "components", "accessory"))
        texts = body.objects("components", 3, least=1, required=True) or []
        accessory = body.object("accessory", required=True)
        return {
            "components": [self.component(one, frozenset({TEXT})) for one in texts],
            "accessory": (
                self.component(accessory, frozenset({BUTTON, THUMBNAIL})) if accessory is not None else {}
            ),
        }

    def _text(self, body: Fields) -> JSON:
        body.known(("type", "id", "content"))
        content = body.text("content", 4000, shortest=1, required=True) or ""
        self.text_length += len(content)
        return {"content": content}

    def _item(self, body: Fields, key: str) -> JSON:
        holder = body.object(key, required=True)
        url = holder.url("url", required=True, attachment=True) if holder is not None else None
        return self.media.resolve(holder, url) if holder is not None and url is not None else {}

    def _thumbnail(self, body: Fields) -> JSON:
        body.known(("type", "id", "media", "description", "spoiler"))
        return {
            "media": self._item(body, "media"),
            "description": body.text("description", 1024),
            "spoiler": bool(body.flag("spoiler")),
        }

    def _gallery(self, body: Fields) -> JSON:
        body.known(("type", "id", "items"))
        return {
            "items": [
                {
                    "media": self._item(one, "media"),
                    "description": one.text("description", 1024),
                    "spoiler": bool(one.flag("spoiler")),
                }
                for one in body.objects("items", 10, least=1, required=True) or []
            ]
        }

    def _file(self, body: Fields) -> JSON:
        body.known(("type", "id", "file", "spoiler", "name", "size"))
        item = self._item(body, "file")
        given = body.body.get("file")
        url = str(given.get("url", "")) if isinstance(given, dict) else ""
        if item and not url.startswith("attachment://"):
            body.complain("file", "UNFURLED_MEDIA_ITEM_INVALID", "Only attachment:// references are allowed.")
        name, size = self.media.size(url) or (None, None)
        return {"file": item, "name": name, "size": size, "spoiler": bool(body.flag("spoiler"))}

    def _separator(self, body: Fields) -> JSON:
        body.known(("type", "id", "divider", "spacing"))
        divider = body.flag("divider")
        return {
            "divider": True if divider is None else divider,
            "spacing": body.choice("spacing", (1, 2)) or 1,
        }

    def _container(self, body: Fields) -> JSON:
        body.known(("type", "id", "components", "accent_color", "spoiler"))
        given = body.objects("components", MOST, least=1, required=True) or []
        return {
            "accent_color": body.number("accent_color", 0, 0xFFFFFF),
            "spoiler": bool(body.flag("spoiler")),
            "components": [self.component(one, IN_CONTAINER) for one in given],
        }
