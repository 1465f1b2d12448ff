"""The list of calls under /sandbox/v1."""

from typing import NamedTuple

from aiohttp import web

from discord_sandbox.api import admin, faults, lookups, people, registry
from discord_sandbox.api.call import ApiCall, ApiHandler, handled
from discord_sandbox.api.errors import ApiError
from discord_sandbox.api.registry import SERVICES, Services
from discord_sandbox.discord.core import CORE
from discord_sandbox.discord.model import JSON

BASE = "/sandbox/v1"


class Route(NamedTuple):
    method: str
    path: str
    handler: ApiHandler
    does: str
    status: int = 200


ROUTES = (
    Route(
        "GET",
        "/state",
        lookups.state,
        "guilds, people, channels, applications, sessions, services, processes",
    ),
    Route(
        "POST",
        "/commands",
        people.commands,
        "a person sends a slash command: user, channel, command, options",
    ),
    Route(
        "POST",
        "/autocomplete",
        people.autocomplete,
        "choices: user, channel, command, option, value, options",
    ),
    Route(
        "POST", "/presses", people.presses, "a person presses a button: user, message, button or custom_id"
    ),
    Route("POST", "/selects", people.selects, "a person chooses: user, message, select, values"),
    Route("POST", "/modals", people.modals, "a person submits a modal: user, interaction, fields"),
    Route("POST", "/messages", people.messages, "a person writes: user, channel, content", 201),
    Route("GET", "/interactions/{id}", lookups.interaction, "an interaction; wait=S until it is settled"),
    Route(
        "GET", "/channels/{name}/messages", lookups.messages, "messages, newest last; as=USER, limit, before"
    ),
    Route("GET", "/messages/{id}", lookups.message, "one message"),
    Route("DELETE", "/messages/{id}", admin.delete_message, "an administrator deletes a message"),
    Route("PATCH", "/people/{name}", admin.people, "sets somebody's roles: roles"),
    Route(
        "PATCH",
        "/channels/{name}",
        admin.channel,
        "permissions for application, role or user; name, topic, archived, locked",
    ),
    Route("DELETE", "/channels/{name}", admin.delete_channel, "deletes a channel or thread"),
    Route("PATCH", "/roles/{name}", admin.role, "changes a role: mentionable, permissions"),
    Route(
        "PUT",
        "/applications/{name}/commands/{command}/permissions",
        admin.command_permissions,
        "who may use a command: permissions",
    ),
    Route("POST", "/applications/{name}/token", admin.token, "resets a bot's token"),
    Route("GET", "/events", lookups.events, "server-sent events; Last-Event-ID or since"),
    Route(
        "GET", "/requests", lookups.requests, "REST calls of bots; since=N, limit, application, route, method"
    ),
    Route("GET", "/faults", faults.listed, "all faults"),
    Route("POST", "/faults", faults.create, "orders a fault: kind, method, route, count or seconds, …", 201),
    Route("DELETE", "/faults", faults.clear, "ends all faults"),
    Route("GET", "/faults/{id}", faults.get, "one fault, with its hits"),
    Route("DELETE", "/faults/{id}", faults.delete, "ends a fault"),
    Route("GET", "/registry/services", registry.listed, "registered demo services"),
    Route(
        "POST", "/registry/services", registry.register, "registers one: name, environment, control_url", 201
    ),
    Route("DELETE", "/registry/services", registry.unregister, "takes one out: name, environment"),
    Route("GET", "/services/{name}", registry.proxy, "a demo service as its users see it; environment"),
    Route("POST", "/services/{name}", registry.proxy, "sets how a demo service behaves; environment"),
    Route("POST", "/clock", admin.clock, "brings Discord's time limits forward: advance"),
    Route("POST", "/reset", admin.reset, "back to the start; commands: true forgets registered commands too"),
)


PERSONAL = (
    people.commands,
    people.autocomplete,
    people.presses,
    people.selects,
    people.modals,
    people.messages,
)


async def _calls(call: ApiCall) -> JSON:
    return {"calls": [{"method": one.method, "path": BASE + one.path, "does": one.does} for one in ROUTES]}


async def _unknown(call: ApiCall) -> JSON:
    hint = f"GET {BASE}/ lists the calls."
    raise ApiError(404, "unknown_call", f"There is no {call.request.method} {call.request.path}.", hint)


def add_routes(app: web.Application) -> None:
    services = app[SERVICES] = Services()
    app.on_cleanup.append(services.close)
    core = app[CORE]
    core.feed.render = lookups.EventRenderer(core, services)
    for one in ROUTES:
        app.router.add_route(
            one.method, BASE + one.path, handled(one.handler, one.status, person=one.handler in PERSONAL)
        )
    app.router.add_get(BASE, handled(_calls))
    app.router.add_get(f"{BASE}/", handled(_calls))
    app.router.add_route("*", BASE + "/{rest:.*}", handled(_unknown))
