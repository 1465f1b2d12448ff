"""What a person reads and uses in a message: flattened text, buttons, selects, modals."""

import contextlib
import re
from collections.abc import Iterator

from discord_sandbox.discord.state.clock import iso
from discord_sandbox.discord.state.model import JSON, Message
from discord_sandbox.discord.state.store import State

STYLES = {1: "primary", 2: "secondary", 3: "success", 4: "danger", 5: "link", 6: "premium"}
SELECTS = {3: "string", 5: "user", 6: "role", 7: "mentionable", 8: "channel"}
_TOKEN = re.compile(r"<(@!?|@&|#)(\d+)>|<t:(-?\d+)(?::[a-zA-Z])?>|<a?(:\w+:)\d+>|</([^:>]+):\d+>")


def walk(components: list[JSON]) -> Iterator[JSON]:
    """Every component, outer before inner, in reading order; a section's accessory comes last."""
    for one in components:
        yield one
        yield from walk(one.get("components", []))
        for key in ("accessory", "component"):
            if one.get(key):
                yield from walk([one[key]])


def readable(state: State, text: str) -> str:
    """Mentions as names, timestamps as ISO 8601."""

    def named(match: re.Match[str]) -> str:
        return _named(state, match) or match.group()

    return _TOKEN.sub(named, text)


def _named(state: State, match: re.Match[str]) -> str | None:
    sigil, number, stamp, emoji, command = match.groups()
    if stamp is not None:
        with contextlib.suppress(ValueError, OverflowError, OSError):
            return iso(int(stamp))
    elif sigil == "#":
        channel = state.channels.get(number)
        return f"#{channel.name}" if channel is not None else None
    elif sigil == "@&":
        roles = (guild.roles[number] for guild in state.guilds.values() if number in guild.roles)
        role = next(roles, None)
        return f"@{role.name.removeprefix('@')}" if role is not None else None
    elif sigil is not None:
        user = state.users.get(number)
        return f"@{user.name}" if user is not None else None
    return emoji or (f"/{command}" if command is not None else None)


def forwarded(state: State, message: Message) -> str | None:
    """The content of the message that this one forwards, None if it is no forward."""
    if not message.snapshots:
        return None
    return readable(state, str(message.snapshots[0]["message"]["content"]))


def visible(state: State, message: Message) -> str:
    """All text of the message: content, embeds, components, a poll and what it forwards, without button labels."""
    parts = [message.content, forwarded(state, message) or ""]
    if message.poll is not None:
        parts += [message.poll.question, *(one.text for one in message.poll.answers)]
    for embed in message.embeds:
        parts += [
            embed.get("author", {}).get("name", ""),
            embed.get("title", ""),
            embed.get("description", ""),
        ]
        for field in embed.get("fields", []):
            parts += [field["name"], field["value"]]
        parts.append(embed.get("footer", {}).get("text", ""))
    for component in walk(message.components):
        kind = component.get("type")
        if kind == 10:
            parts.append(component.get("content", ""))
        elif kind == 11:
            parts.append(component.get("description") or "")
        elif kind == 12:
            parts += [item.get("description") or "" for item in component.get("items", [])]
    return readable(state, "\n".join(part for part in parts if part))


def buttons(message: Message) -> list[JSON]:
    return [
        {
            "label": one.get("label", ""),
            "custom_id": one.get("custom_id"),
            "enabled": not one.get("disabled", False),
            "style": STYLES.get(one.get("style", 2), "secondary"),
            "url": one.get("url"),
            "emoji": (one.get("emoji") or {}).get("name"),
        }
        for one in walk(message.components)
        if one.get("type") == 2
    ]


def selects(message: Message) -> list[JSON]:
    return [
        {
            "custom_id": one["custom_id"],
            "placeholder": one.get("placeholder"),
            "enabled": not one.get("disabled", False),
            "type": SELECTS[one["type"]],
            "min_values": one.get("min_values", 1),
            "max_values": one.get("max_values", 1),
            "options": [
                {
                    "label": option["label"],
                    "value": option["value"],
                    "description": option.get("description"),
                    "default": option.get("default", False),
                }
                for option in one.get("options", [])
            ],
        }
        for one in walk(message.components)
        if one.get("type") in SELECTS
    ]


FIELD_TYPES = {
    3: "string_select",
    4: "text",
    5: "user_select",
    6: "role_select",
    7: "mentionable_select",
    8: "channel_select",
    19: "file_upload",
    21: "radio_group",
    22: "checkbox_group",
    23: "checkbox",
}


def modal(it: JSON) -> JSON:
    """A modal with its inputs as a flat list, each with its label."""
    fields = []
    for part in it["components"]:
        inner = [part["component"]] if "component" in part else part.get("components", [])
        for one in inner:
            kind = FIELD_TYPES[one["type"]]
            keys = ("value", "placeholder", "min_length", "max_length", "min_values", "max_values")
            fields.append(
                {
                    "custom_id": one["custom_id"],
                    "label": one.get("label") or part.get("label", ""),
                    "description": part.get("description"),
                    "type": kind,
                    "style": {1: "short", 2: "paragraph"}.get(one.get("style", 0)),
                    "required": one.get("required", True),
                    "options": one.get("options", []),
                    **{key: one.get(key) for key in keys},
                }
            )
    return {
        "custom_id": it["custom_id"],
        "title": it["title"],
        "fields": fields,
        "components": it["components"],
    }
