"""Application commands and their limits, except options."""

from discord_sandbox.discord.rules.fields import Fields
from discord_sandbox.discord.rules.naming import localized, name, size, text
from discord_sandbox.discord.rules.options import read_options
from discord_sandbox.discord.state.model import JSON
from discord_sandbox.discord.state.permissions import ALL

CHAT_INPUT, USER, MESSAGE, ENTRY_POINT = 1, 2, 3, 4
LARGEST = 8000
MOST = {CHAT_INPUT: 100, USER: 15, MESSAGE: 15, ENTRY_POINT: 1}
IN_ALL = 130  # of all types together, in one overwrite
KEYS = frozenset(
    {
        "id",
        "application_id",
        "guild_id",
        "version",
        "name",
        "name_localizations",
        "description",
        "description_localizations",
        "options",
        "default_member_permissions",
        "default_permission",
        "dm_permission",
        "contexts",
        "integration_types",
        "handler",
        "type",
        "nsfw",
    }
)


def read(body: Fields, kind: int | None = None) -> JSON:
    """A command as Discord would answer it, without ids. Collects complaints; the caller checks them."""
    body.known(KEYS)
    kind = kind or body.choice("type", tuple(MOST)) or CHAT_INPUT
    if body.wrong("type"):
        return {"type": 0, "name": ""}
    plain = kind == CHAT_INPUT
    found: JSON = {
        "type": kind,
        "name": name(body, plain=plain),
        "name_localizations": localized(body, "name_localizations", 32, plain=plain),
        "description": _description(body, kind),
        "description_localizations": localized(body, "description_localizations", 100),
        "default_member_permissions": _permissions(body),
        "nsfw": bool(body.flag("nsfw")),
        "contexts": body.choices("contexts", (0, 1, 2), least=1),
        "integration_types": body.choices("integration_types", (0, 1), least=1) or [0],
    }
    dm = body.flag("dm_permission")
    found["dm_permission"] = True if dm is None else dm
    if kind == ENTRY_POINT:
        handler = body.choice("handler", (1, 2))
        if handler is not None:
            found["handler"] = handler
    elif body.body.get("handler") is not None:
        body.unknown("handler", "Only an entry point has a handler.")
    if plain:
        options = read_options(body, depth=0)
        if options:
            found["options"] = options
    elif body.body.get("options"):
        body.complain(
            "options",
            "APPLICATION_COMMAND_CONTEXT_MENU_OPTIONS_INVALID",
            "Context menu commands cannot have options",
        )
    if size(found) > LARGEST:
        body.complain(None, "APPLICATION_COMMAND_TOO_LARGE", f"Command exceeds maximum size ({LARGEST})")
    return found


def _description(body: Fields, kind: int) -> str:
    """The description: required for slash commands, optional for entry points, forbidden for context menus."""
    found = text(body, "description", 100, required=kind == CHAT_INPUT)
    if found and kind in (USER, MESSAGE):
        body.complain(
            "description",
            "APPLICATION_COMMAND_INVALID_DESCRIPTION",
            "Context menu commands cannot have description",
        )
    return found or ""


def _permissions(body: Fields) -> str | None:
    value = body.number("default_member_permissions", 0, 2**54 - 1)
    return None if value is None else str(int(value) & (ALL | 2**54 - 1))
