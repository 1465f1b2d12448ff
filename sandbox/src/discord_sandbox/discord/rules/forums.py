"""A forum's fields in a channel's body, and the tags of its posts."""

from collections.abc import Callable, Container, Sequence

from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.rules.channels import MOST_TAGS, TAG_NAME
from discord_sandbox.discord.rules.emoji import is_emoji
from discord_sandbox.discord.rules.fields import Fields
from discord_sandbox.discord.state.forum import REQUIRES_TAG, Forum, Tag

MOST_APPLIED = 5


def read(body: Fields, former: Forum, new_id: Callable[[], str], emojis: Container[str]) -> Forum:
    """The forum as the body leaves it. Collects complaints. Raises 40061 or 10087 for tags.

    emojis: ids of the server's own.
    """
    flags = body.number("flags", 0, 2**31 - 1)
    if flags is not None and flags & ~REQUIRES_TAG:
        body.complain("flags", "CHANNEL_FLAGS_INVALID", "Only REQUIRE_TAG can be set here.")
    sort, layout = body.choice("default_sort_order", (0, 1)), body.choice("default_forum_layout", (0, 1, 2))
    slowmode = body.number("default_thread_rate_limit_per_user", 0, 21600)
    reaction = body.object("default_reaction_emoji")
    tags = body.objects("available_tags", MOST_TAGS)
    return Forum(
        former.tags if tags is None else _tags(tags, former, new_id, emojis),
        former.requires_tag if flags is None else bool(flags & REQUIRES_TAG),
        (_emoji(reaction, emojis) if reaction is not None else None)
        if "default_reaction_emoji" in body.body
        else former.reaction,
        sort if "default_sort_order" in body.body else former.sort_order,
        former.layout if layout is None else layout,
        former.post_slowmode if slowmode is None else slowmode,
    )


def _emoji(body: Fields, emojis: Container[str]) -> tuple[str | None, str | None]:
    """The id of a custom emoji, or a Unicode one."""
    emoji_id, name = body.snowflake("emoji_id"), body.text("emoji_name", 100)
    if emoji_id is not None and str(emoji_id) in emojis:
        return str(emoji_id), None
    if name and not is_emoji(name):
        body.complain("emoji_name", "INVALID_UNICODE_EMOJI", "This is not an emoji.")
    if emoji_id is not None:
        body.complain("emoji_id", "INVALID_EMOJI", "This is no emoji of the server.")
    return None, name or None


def _tags(
    given: Sequence[Fields], former: Forum, new_id: Callable[[], str], emojis: Container[str]
) -> tuple[Tag, ...]:
    found: list[Tag] = []
    for one in given:
        known = one.snowflake("id")
        if known is not None and former.tag(str(known)) is None:
            raise DiscordError(10087)
        name = one.text("name", TAG_NAME, shortest=1, required=True) or ""
        if name in [tag.name for tag in found]:
            raise DiscordError(40061)
        tag_id = str(known) if known is not None else new_id()
        found.append(Tag(tag_id, name, one.flag("moderated") is True, *_emoji(one, emojis)))
    return tuple(found)


def read_applied(body: Fields, forum: Forum, *, manages: bool, held: Sequence[str] = ()) -> list[str]:
    """The tags that a post shall have. Collects complaints.

    Raises 40067 without a tag where one is required, 50013 for a change of moderated ones by others.
    """
    given = body.items("applied_tags", MOST_APPLIED)
    if given is None and held:
        return list(held)
    applied = list(dict.fromkeys(str(one) for one in given or ()))
    for index, one in enumerate(applied):
        if forum.tag(one) is None:
            path = (*body.path, "applied_tags", index)
            body.complaints.add(path, "BASE_TYPE_CHOICES", f'"{one}" is not a tag of this forum.')
    body.complaints.check()
    touched = (forum.tag(one) for one in set(applied) ^ set(held))
    if not manages and any(one is not None and one.moderated for one in touched):
        raise DiscordError(50013)
    if forum.requires_tag and not applied and not manages:
        raise DiscordError(40067)
    return applied
