"""OpenAPI 3.1 description of the JSON API, from its routes and what they take and answer."""

import re
from collections.abc import Iterable

from discord_sandbox.api.route import Route
from discord_sandbox.api.schema.answers import SHAPES
from discord_sandbox.api.schema.fragments import JSON, TEXT, shape

_ABOUT = (
    "Act as people, change what administrators change, read everything, inject faults, move time. Loopback only. "
    "Fields that are null are fields that are not given; times are ISO 8601 in UTC."
)
_REFUSALS = {
    "400": "Malformed, missing or unknown fields.",
    "403": "The person or bot may not do that, or the call came from another machine.",
    "404": "There is no such thing.",
    "409": "It is there, but not in this state.",
    "413": "The body is too large.",
    "422": "Discord's client would not send that.",
}


def description(routes: Iterable[Route], base: str) -> JSON:
    paths: dict[str, JSON] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "discord-sandbox", "version": "1", "description": _ABOUT},
        "servers": [{"url": base}],
        "paths": paths,
        "components": {"schemas": SHAPES},
    }


def _operation(route: Route) -> JSON:
    found: JSON = {
        "operationId": _name(route),
        "summary": route.does,
        "parameters": [*_path(route.path), *_query(route)],
        "responses": {str(route.status): _answer(route)} | _refusals(route),
    }
    if route.has_body and route.takes is None:
        found["requestBody"] = {"content": {"application/json": {"schema": {"type": "object"}}}}
    elif route.has_body and route.takes is not None and route.takes.fields:
        found["requestBody"] = {
            "required": bool(route.takes.needed),
            "content": {"application/json": {"schema": route.takes.schema()}},
        }
    return found


def _name(route: Route) -> str:
    words = [word for word in re.split(r"[^a-z]+", route.path) if word]
    return "_".join([route.method.lower(), *words])


def _path(path: str) -> list[JSON]:
    names = re.findall(r"{(\w+)}", path)
    return [{"name": name, "in": "path", "required": True, "schema": TEXT} for name in names]


def _query(route: Route) -> list[JSON]:
    if route.has_body or route.takes is None:
        return []
    return [{"name": name, "in": "query", "schema": schema} for name, schema in route.takes.fields.items()]


def _answer(route: Route) -> JSON:
    kind = "text/event-stream" if route.answers is None else "application/json"
    schema = {"type": "string"} if route.answers is None else route.answers
    return {"description": "Done.", "content": {kind: {"schema": schema}}}


def _refusals(route: Route) -> JSON:
    more = {"502": "It does not answer."} if route.takes is None else {}
    more |= {"504": "The bot did not answer."} if route.path == "/autocomplete" else {}
    more |= {"429": "Slow mode: the person has to wait."} if route.path in ("/messages", "/threads") else {}
    return {
        status: {"description": text, "content": {"application/json": {"schema": shape("Error")}}}
        for status, text in (_REFUSALS | more).items()
    }
