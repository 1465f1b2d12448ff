"""Custom emoji in Discord's JSON, and emoji of reactions, buttons and options."""

from discord_sandbox.discord.render.objects import user
from discord_sandbox.discord.state.emoji import CustomEmoji
from discord_sandbox.discord.state.model import JSON, User
from discord_sandbox.discord.state.store import State


def emoji(it: CustomEmoji, creator: User | None = None) -> JSON:
    """creator: for those who may know who made it."""
    body: JSON = {
        "id": it.id,
        "name": it.name,
        "roles": it.roles.copy(),
        "require_colons": True,
        "managed": False,
        "animated": it.animated,
        "available": True,
    }
    return body | {"user": user(creator)} if creator is not None else body


def reaction(state: State, key: str) -> JSON:
    """key: a Unicode emoji, or the id of a custom one, which has no name any more once it is deleted."""
    if not key.isdecimal():
        return {"id": None, "name": key}
    found = state.emoji(key)
    body: JSON = {"id": key, "name": found.name if found is not None else None}
    return body | {"animated": True} if found is not None and found.animated else body
