"""Write docs/routes.md: what the sandbox has of every route in Discord's OpenAPI description.

`python docs/make_routes.py` renews the page; a test fails while it is out of date.
"""

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from discord_sandbox.server import ENDPOINTS

HERE = Path(__file__).resolve().parent
PAGE = HERE / "routes.md"
DESCRIPTION = HERE.parent / "tests" / "descriptions" / "openapi.json.gz"
_METHODS = ("get", "post", "put", "patch", "delete")

# Fields of bodies and query parameters that modelled routes do not have: ignored, or refused as not modelled.
_OTHER_CHANNELS = "default_tag_setting type icon"
_OTHER_SETTINGS = (
    "icon cover_image team_id flags explicit_content_filter max_participants type custom_install_url install_params "
    "role_connections_verification_url integration_types_config event_webhooks_status event_webhooks_url "
    "event_webhooks_types"
)
_TARGETS = "target_type target_user_id target_application_id role_ids target_users_file"
WITHOUT = {
    "PATCH /applications/@me": _OTHER_SETTINGS,
    "PATCH /applications/{application_id}": _OTHER_SETTINGS,
    "PATCH /channels/{channel_id}": _OTHER_CHANNELS,
    "PATCH /channels/{channel_id}/messages/{message_id}": "sticker_ids",
    "POST /channels/{channel_id}/messages": "sticker_ids shared_client_theme",
    "POST /channels/{channel_id}/invites": _TARGETS,
    "GET /invites/{code}": "target_channel_id target_message_id",
    "GET /guilds/{guild_id}/scheduled-events/{guild_scheduled_event_id}/users/counts": (
        "guild_scheduled_event_exception_ids"
    ),
    "PATCH /guilds/{guild_id}/members/@me": "avatar banner bio",
    "POST /guilds/{guild_id}/roles": "icon",
    "PATCH /guilds/{guild_id}/roles/{role_id}": "icon",
    "POST /users/@me/channels": "access_tokens nicks",
    "POST /guilds/{guild_id}/channels": _OTHER_CHANNELS.replace("type icon", "").rstrip(),
}
# What else is missing, as a sentence.
BESIDES = {
    "POST /guilds/{guild_id}/scheduled-events": "What recurs happens once.",
    "PUT /applications/{application_id}/guilds/{guild_id}/commands/{command_id}/permissions": (
        "Refused to bots, as on Discord; the JSON API sets them."
    ),
    "POST /channels/{channel_id}/messages/{message_id}/crosspost": "No channel follows another.",
}


class Row(NamedTuple):
    """`state` is modelled, partly or not."""

    route: str
    state: str
    missing: str


def described() -> dict[str, Any]:
    """Discord's operations by method and path, with the parameters of their path."""
    document = json.loads(gzip.decompress(DESCRIPTION.read_bytes()))
    return {
        f"{method.upper()} {path}": here[method] | {"shared": here.get("parameters", [])}
        for path, here in document["paths"].items()
        for method in _METHODS
        if method in here
    }


def bare(route: str) -> str:
    """A route without the names of its parameters; `@original` is an id of a message like any other."""
    return re.sub(r"{[^}]*}|@original", "{}", route)


def rows() -> list[Row]:
    modelled = {bare(f"{one.method} {one.path}") for one in ENDPOINTS}
    return [_row(route, is_modelled=bare(route) in modelled) for route in described()]


def _row(route: str, *, is_modelled: bool) -> Row:
    if not is_modelled:
        return Row(route, "not", "")
    fields = ", ".join(f"`{name}`" for name in WITHOUT.get(route, "").split())
    missing = " ".join(filter(None, (f"Without {fields}." if fields else "", BESIDES.get(route, ""))))
    return Row(route, "partly" if missing else "modelled", missing)


def page() -> str:
    found = rows()
    count = Counter(row.state for row in found)
    return "\n".join([_head(count, len(found)), *_tables(found)]) + "\n"


def _head(count: Counter[str], whole: int) -> str:
    modelled, partly, missing = (count[state] for state in ("modelled", "partly", "not"))
    return f"""\
# Routes of Discord's REST API

Discord's [OpenAPI description](../tests/descriptions/README.md) has {whole} routes: {modelled} are modelled,
{partly} partly, {missing} not. What a modelled route lacks is ignored, or refused with a message that says so; a
route that is not modelled answers 404 and says so. The tests send generated requests, good and bad, to each modelled
route, and check the answers against the description.

Made by `python docs/make_routes.py`."""


def _tables(found: list[Row]) -> Iterator[str]:
    topic = ""
    for row in sorted(found, key=lambda one: (_topic(one.route), _path(one.route))):
        if _topic(row.route) != topic:
            topic = _topic(row.route)
            yield from ("", f"## {topic}", "", "| route | | |", "|---|---|---|")
        yield f"| `{row.route}` | {row.state} | {row.missing} |"


def _path(route: str) -> tuple[str, int]:
    method, path = route.split(" ")
    return path, _METHODS.index(method.lower())


def _topic(route: str) -> str:
    return route.split("/")[1]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
