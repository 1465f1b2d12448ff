"""What of the sandbox belongs to a world, and what does not."""

import dataclasses
import typing
from collections import OrderedDict
from typing import Any

from discord_sandbox.discord.saving.graph import LeftOut
from discord_sandbox.discord.saving.shapes import Reference, shape
from discord_sandbox.discord.state.attachment import Attachment
from discord_sandbox.discord.state.model import (
    Application,
    Channel,
    Guild,
    Interaction,
    Message,
    User,
)
from discord_sandbox.discord.state.webhook import Webhook

# The attributes of `State`, all of them but those of `BESIDES`. A field that is added to a class needs a default, so
# that older documents can be read; a root that is added needs a new version.
ROOTS: dict[str, Any] = {
    "users": dict[str, User],
    "guilds": dict[str, Guild],
    "channels": dict[str, Channel],
    "applications": dict[str, Application],
    "by_token": dict[str, Application],
    "messages": dict[str, Message],
    "deleted": OrderedDict[str, Message],
    "attachments": dict[str, Attachment],
    "interactions": OrderedDict[str, Interaction],
    "webhooks": dict[str, Webhook],
    "nonces": dict[tuple[str, str, str], tuple[float, Message]],
    "old_edits": dict[str, list[float]],
}
BESIDES = frozenset({"world", "clock", "new_id"})

# Caches, which fill again, and what waits in this process alone.
LEFT_OUT: LeftOut = {
    Guild: frozenset({"permission_cache"}),
    Message: frozenset({"rendered"}),
    Interaction: frozenset({"timer", "waiters"}),
}


def kinds() -> dict[str, type]:
    """The classes of all objects that a world can have, by name. Raises TypeError for a field that cannot be saved."""
    found: dict[str, type] = {}
    waiting = list(ROOTS.values())
    seen: set[Any] = set()
    while waiting:
        hint = waiting.pop()
        if hint in seen:
            continue
        seen.add(hint)
        waiting += typing.get_args(hint)
        if dataclasses.is_dataclass(hint) and isinstance(hint, type):
            if isinstance(shape(hint), Reference):
                found[hint.__name__] = hint
            left_out = LEFT_OUT.get(hint, frozenset())
            hints = typing.get_type_hints(hint)
            waiting += [hints[one.name] for one in dataclasses.fields(hint) if one.name not in left_out]
    return found
