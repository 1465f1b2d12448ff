"""A message body as a whole: content, embeds, components, flags and how they exclude each other."""

from dataclasses import dataclass
from typing import Any

from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.rules import components, embeds, polls
from discord_sandbox.discord.rules.custom_emoji import Palette
from discord_sandbox.discord.rules.fields import Fields
from discord_sandbox.discord.rules.media import Media
from discord_sandbox.discord.rules.mentions import Allowed, read_allowed
from discord_sandbox.discord.state.model import (
    COMPONENTS_V2,
    EPHEMERAL,
    JSON,
    SUPPRESS_EMBEDS,
    SUPPRESS_NOTIFICATIONS,
)
from discord_sandbox.discord.state.poll import Poll

COMMON = frozenset(
    {
        "content",
        "embeds",
        "allowed_mentions",
        "components",
        "flags",
        "attachments",
        "sticker_ids",
        "poll",
        "tts",
    }
)
CREATE = COMMON | {"nonce", "enforce_nonce", "message_reference", "shared_client_theme", "embed"}
EDIT = COMMON
WEBHOOK = COMMON | {"username", "avatar_url", "thread_name", "applied_tags"}
CONTENT = 2000
NOT_HERE = "These flags cannot be set here."


@dataclass(slots=True)
class Draft:
    """The fields of a body; None for those it omits."""

    content: str | None
    embeds: list[JSON] | None
    components: list[JSON] | None
    flags: int | None
    allowed: Allowed
    nonce: str | int | None = None
    poll: Poll | None = None


def read(
    fields: Fields,
    media: Media,
    palette: Palette,
    *,
    keys: frozenset[str],
    flags_allowed: int,
    present_flags: int = 0,
    has_files: bool = False,
    existing: "Draft | None" = None,
) -> Draft:
    """Read a create or, with `existing`, an edit; the content as Discord keeps it.

    Raises 50035, 50081, or 50006 if nothing would be shown.
    """
    body = fields.body
    fields.known(keys)
    flags: Any = fields.number("flags", 0, 2**31 - 1)
    if flags is not None and flags & ~(flags_allowed | present_flags):
        # Discord leaves out what cannot be set.
        fields.complaints.ignore((*fields.path, "flags"), "MESSAGE_FLAGS_INVALID", NOT_HERE)
        flags &= flags_allowed | present_flags
    kept = present_flags & COMPONENTS_V2
    v2 = bool((flags or 0) & COMPONENTS_V2 or kept)
    draft = Draft(
        fields.text("content", CONTENT)
        if body.get("content") is not None
        else ("" if "content" in body else None),
        embeds.read(fields, media),
        None if fields.wrong("flags") else components.read(fields, media, palette, v2=v2),
        flags,
        read_allowed(fields),
        _nonce(fields),
        polls.read(fields, palette) if existing is None else None,
    )
    if existing is not None and body.get("poll") is not None:
        raise DiscordError(520003)
    if v2:
        for key, value in (("content", draft.content), ("embeds", draft.embeds), ("poll", draft.poll)):
            if value:
                fields.complain(
                    key,
                    "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2",
                    f"The '{key}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2",
                )
    stickers = fields.items("sticker_ids", 3)
    fields.complaints.check()
    if stickers:
        raise DiscordError(50081)  # No server of the sandbox has stickers.
    _not_empty(draft, existing, v2=v2, has_files=has_files, fields=fields)
    draft.content = None if draft.content is None else palette.written(draft.content)
    return draft


def _nonce(fields: Fields) -> str | int | None:
    nonce = fields.body.get("nonce")
    if type(nonce) is int and abs(nonce) < 2**63:
        return nonce
    return fields.text("nonce", 25)


def _not_empty(draft: Draft, existing: Draft | None, *, v2: bool, has_files: bool, fields: Fields) -> None:
    content, shown, parts = draft.content, draft.embeds, draft.components
    if existing is not None:
        content = existing.content if content is None else content
        shown = existing.embeds if shown is None else shown
        parts = existing.components if parts is None else parts
        if v2 and (existing.content or existing.embeds) and (content or shown):
            fields.complain(
                "flags",
                "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2",
                "Content and embeds must be removed when using MessageFlags.IS_COMPONENTS_V2",
            )
            fields.complaints.check()
    if v2:
        if not parts:
            fields.complain("components", "BASE_TYPE_REQUIRED", "This field is required")
            fields.complaints.check()
        return
    if draft.poll is not None:
        return
    if not (content and content.strip()) and not shown and not has_files and not parts:
        raise DiscordError(50006)


CHANNEL_FLAGS = SUPPRESS_EMBEDS | SUPPRESS_NOTIFICATIONS | COMPONENTS_V2
INTERACTION_FLAGS = CHANNEL_FLAGS | EPHEMERAL
EDIT_FLAGS = SUPPRESS_EMBEDS | COMPONENTS_V2
