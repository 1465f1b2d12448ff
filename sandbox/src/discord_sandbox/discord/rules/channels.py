"""A channel's fields, of a new one or a change; threads have their own."""

import re
from dataclasses import dataclass

from discord_sandbox.discord.rules.fields import Fields
from discord_sandbox.discord.state.model import (
    ANNOUNCEMENT,
    CATEGORY,
    FORUM,
    STAGE,
    TEXT,
    VOICE,
    VOICES,
    Guild,
)

ARCHIVE = (60, 1440, 4320, 10080)
MOST, MOST_IN_CATEGORY = 500, 50
MOST_TAGS, TAG_NAME = 20, 20
KINDS = (TEXT, VOICE, CATEGORY, ANNOUNCEMENT, STAGE, FORUM)
NAMED_LOWER = (TEXT, ANNOUNCEMENT, FORUM)  # "Soup of the day" becomes "soup-of-the-day"
MODELLED = frozenset(
    {
        "name",
        "topic",
        "position",
        "nsfw",
        "rate_limit_per_user",
        "permission_overwrites",
        "parent_id",
        "default_auto_archive_duration",
    }
)
NOT_MODELLED = frozenset({"type", "flags", "default_thread_rate_limit_per_user"})
# Documented for other types of channels; without effect on these.
OF_OTHERS = frozenset(
    {
        "bitrate",
        "user_limit",
        "rtc_region",
        "video_quality_mode",
        "available_tags",
        "default_reaction_emoji",
        "default_sort_order",
        "default_forum_layout",
        "default_tag_setting",
    }
)
KEYS = MODELLED | NOT_MODELLED | OF_OTHERS
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class ChannelFields:
    """The values of a body; `given` names those that it has, also with null."""

    given: frozenset[str]
    name: str | None
    topic: str | None
    position: int | None
    slowmode: int | None
    nsfw: bool | None
    archive_minutes: int | None
    category_id: str | None


def read(body: Fields, guild: Guild, kind: int, *, new: bool, own: str | None = None) -> ChannelFields:
    """Collects complaints; the caller checks them. `own`: the id of the channel that is changed."""
    body.known(KEYS)
    name = body.text("name", 100, shortest=1, required=new)
    if name is not None and kind in NAMED_LOWER:
        name = _SPACES.sub("-", name.strip().lower()) or name
    lacking = {"type"} if kind == FORUM else NOT_MODELLED
    for key in (lacking - {"type"} if new else lacking) & body.body.keys():
        if body.body[key] not in (None, kind if key == "type" else 0):
            body.complain(key, "UNSUPPORTED", f"The sandbox does not model {key}.")
    _check_others(body, kind)
    return ChannelFields(
        frozenset(body.body),
        name,
        None if kind in VOICES else body.text("topic", 4096 if kind == FORUM else 1024),
        body.number("position", 0, 2**31 - 1),
        body.number("rate_limit_per_user", 0, 21600),
        body.flag("nsfw"),
        body.choice("default_auto_archive_duration", ARCHIVE),
        read_category(body, guild, kind, own),
    )


def _check_others(body: Fields, kind: int) -> None:
    """Fields of other types of channels have no effect, but Discord reads them. Collects complaints."""
    body.choice("default_tag_setting", ("match_all", "match_some"))
    if kind not in VOICES:
        body.number("bitrate", 8_000, 2**31 - 1)
        body.number("user_limit", 0, 2**31 - 1)
        body.text("rtc_region", 100)
        body.choice("video_quality_mode", (1, 2))
    if kind == FORUM:
        return
    body.choice("default_sort_order", (0, 1))
    body.choice("default_forum_layout", (0, 1, 2))
    tags, reaction = body.objects("available_tags", MOST_TAGS), body.object("default_reaction_emoji")
    for one in tags or ():
        one.snowflake("id")
        one.text("name", TAG_NAME, required=True)
        one.flag("moderated")
    for one in (*(tags or ()), *([reaction] if reaction is not None else [])):
        one.snowflake("emoji_id")
        one.text("emoji_name", 100)


def read_category(body: Fields, guild: Guild, kind: int, own: str | None) -> str | None:
    """The category that `parent_id` names. Collects complaints."""
    given = body.snowflake("parent_id")
    if given is None:
        return None
    found = guild.channels.get(str(given))
    if found is None or found.kind != CATEGORY or kind == CATEGORY:
        body.complain("parent_id", "CHANNEL_PARENT_INVALID", "Category does not exist")
        return None
    inside = [one for one in guild.channels.values() if one.category_id == found.id and one.id != own]
    if len(inside) >= MOST_IN_CATEGORY:
        message = f"Maximum number of channels in category reached ({MOST_IN_CATEGORY})"
        body.complain("parent_id", "CHANNEL_PARENT_MAX_CHANNELS", message)
    return found.id
