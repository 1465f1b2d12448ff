"""The calls under /sandbox/v1."""

from typing import NamedTuple

from aiohttp import web

from discord_sandbox.api.call import ApiCall, ApiHandler, handled
from discord_sandbox.api.calls import (
    admin,
    commands,
    components,
    events,
    faults,
    lookups,
    membership,
    people,
    roles,
    services,
)
from discord_sandbox.api.errors import ApiError
from discord_sandbox.discord.core import CORE
from discord_sandbox.discord.state.model import JSON

BASE = "/sandbox/v1"


class Route(NamedTuple):
    """`does` is the line that `GET /sandbox/v1/` shows; `person`: a person acts, so refusals are logged."""

    method: str
    path: str
    handler: ApiHandler
    does: str
    status: int = 200
    person: bool = False


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
        commands.commands,
        "send a command: user, channel, command, options; or user, command, target_user or target_message",
        person=True,
    ),
    Route(
        "POST",
        "/autocomplete",
        commands.autocomplete,
        "get choices: user, channel, command, option, value, options",
        person=True,
    ),
    Route(
        "POST",
        "/presses",
        components.presses,
        "press a button: user, message, button or custom_id",
        person=True,
    ),
    Route("POST", "/selects", components.selects, "choose: user, message, select, values", person=True),
    Route("POST", "/modals", components.modals, "submit a modal: user, interaction, fields", person=True),
    Route("POST", "/messages", people.messages, "write: user, channel, content", 201, person=True),
    Route("POST", "/reactions", people.react, "react: user, message, emoji", 201, person=True),
    Route("DELETE", "/reactions", people.unreact, "take a reaction back: user, message, emoji", person=True),
    Route("GET", "/interactions/{id}", lookups.interaction, "one interaction; wait=S until it is settled"),
    Route(
        "GET", "/channels/{name}/messages", lookups.messages, "messages, newest last; as=USER, limit, before"
    ),
    Route("GET", "/messages/{id}", lookups.message, "one message"),
    Route("DELETE", "/messages/{id}", admin.delete_message, "delete a message"),
    Route(
        "PATCH",
        "/people/{name}",
        membership.change,
        "change a person: roles, nick, timeout (seconds), accepts_messages",
    ),
    Route("POST", "/people", membership.join, "a person joins: name, display_name, roles", 201),
    Route("DELETE", "/people/{name}", membership.leave, "a person leaves"),
    Route("GET", "/bans", membership.bans, "who is banned"),
    Route("PUT", "/bans/{name}", membership.ban, "ban a person: reason, delete_message_seconds"),
    Route("DELETE", "/bans/{name}", membership.unban, "lift a ban"),
    Route("PUT", "/applications/{name}/guilds/{guild}", membership.install, "a bot joins a server"),
    Route("DELETE", "/applications/{name}/guilds/{guild}", membership.uninstall, "a bot leaves a server"),
    Route(
        "PATCH",
        "/channels/{name}",
        admin.channel,
        "set permissions of an application, role or user; name, topic, archived, locked",
    ),
    Route("DELETE", "/channels/{name}", admin.delete_channel, "delete a channel or thread"),
    Route("POST", "/roles", roles.create, "make a role: name, color, hoist, mentionable, permissions", 201),
    Route("PATCH", "/roles/{name}", roles.change, "change a role: the same, and position"),
    Route("DELETE", "/roles/{name}", roles.delete, "delete a role"),
    Route(
        "PUT",
        "/applications/{name}/commands/{command}/permissions",
        admin.command_permissions,
        "set who may use a command: permissions",
    ),
    Route("POST", "/applications/{name}/token", admin.token, "reset a bot's token"),
    Route("GET", "/events", events.events, "server-sent events; Last-Event-ID or since"),
    Route(
        "GET",
        "/requests",
        lookups.requests,
        "REST calls of bots; since=N, limit, application, route, method, modelled",
    ),
    Route("GET", "/faults", faults.listed, "all faults"),
    Route("POST", "/faults", faults.create, "inject a fault: kind, method, route, count or seconds, …", 201),
    Route("DELETE", "/faults", faults.clear, "end all faults"),
    Route("GET", "/faults/{id}", faults.get, "one fault, with its hits"),
    Route("DELETE", "/faults/{id}", faults.delete, "end a fault"),
    Route("GET", "/registry/services", services.listed, "registered services"),
    Route("POST", "/registry/services", services.register, "register: name, environment, control_url", 201),
    Route("DELETE", "/registry/services", services.unregister, "remove from the registry: name, environment"),
    Route("GET", "/services/{name}", services.proxy, "ask a service's control address; environment"),
    Route("POST", "/services/{name}", services.proxy, "send to a service's control address; environment"),
    Route("POST", "/clock", admin.clock, "move Discord's time limits forward: advance"),
    Route(
        "POST", "/reset", admin.reset, "return to the start; commands: true removes registered commands too"
    ),
)


async def _calls(call: ApiCall) -> JSON:
    return {"calls": [{"method": one.method, "path": BASE + one.path, "does": one.does} for one in ROUTES]}


async def _unknown(call: ApiCall) -> JSON:
    hint = f"GET {BASE}/ lists the calls."
    raise ApiError(404, "unknown_call", f"There is no {call.request.method} {call.request.path}.", hint)


def add_routes(app: web.Application) -> None:
    registered = app[services.SERVICES] = services.Services()
    app.on_cleanup.append(registered.close)
    core = app[CORE]
    core.feed.render = events.EventRenderer(core, registered)
    for one in ROUTES:
        app.router.add_route(one.method, BASE + one.path, handled(one.handler, one.status, person=one.person))
    app.router.add_get(BASE, handled(_calls))
    app.router.add_get(f"{BASE}/", handled(_calls))
    app.router.add_route("*", BASE + "/{rest:.*}", handled(_unknown))
