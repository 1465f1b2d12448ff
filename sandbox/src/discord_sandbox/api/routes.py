"""The calls under /sandbox/v1."""

import re

from aiohttp import web

from discord_sandbox.api.call import ApiCall, handled
from discord_sandbox.api.calls import (
    admin,
    audit,
    channels,
    commands,
    components,
    emojis,
    events,
    faults,
    lookups,
    membership,
    people,
    roles,
    saves,
    scheduled,
    services,
    threads,
    voice,
    webhooks,
    writing,
)
from discord_sandbox.api.errors import ApiError
from discord_sandbox.api.openapi import description
from discord_sandbox.api.route import Route
from discord_sandbox.api.schema import answers, requests
from discord_sandbox.api.schema.fragments import ANY, shape
from discord_sandbox.discord.core import CORE
from discord_sandbox.discord.state.model import JSON

BASE = "/sandbox/v1"


_MESSAGE, _CHANNEL, _INTERACTION, _FAULT, _PERSON = (
    shape(one) for one in ("Message", "Channel", "Interaction", "Fault", "Person")
)
_ROLE, _BAN, _VOICE, _EVENT = (shape(one) for one in ("Role", "Ban", "Voice", "ScheduledEvent"))


async def _calls(call: ApiCall) -> JSON:
    return {"calls": [{"method": one.method, "path": BASE + one.path, "does": one.does} for one in ROUTES]}


async def _description(call: ApiCall) -> JSON:
    return description(ROUTES, BASE)


ACTS = (
    Route("POST", "/commands", commands.commands, "send a command", requests.COMMANDS, answers.BEGUN),
    Route(
        "POST",
        "/autocomplete",
        commands.autocomplete,
        "get the choices for an option",
        requests.AUTOCOMPLETE,
        answers.CHOICES,
    ),
    Route("POST", "/presses", components.presses, "press a button", requests.PRESSES, answers.PRESSED),
    Route("POST", "/selects", components.selects, "choose in a select", requests.SELECTS, answers.BEGUN),
    Route("POST", "/modals", components.modals, "submit a modal", requests.MODALS, answers.BEGUN),
    Route("POST", "/messages", writing.create, "write a message", requests.WRITE, _MESSAGE, 201),
    Route("POST", "/votes", writing.vote, "vote in a poll", requests.VOTE, _MESSAGE),
    Route("PATCH", "/messages/{id}", writing.edit, "change what one wrote", requests.EDIT, _MESSAGE),
    Route("DELETE", "/messages/{id}", writing.delete, "delete a message", requests.DELETE, _MESSAGE),
    Route("POST", "/threads", threads.start, "start a thread", requests.THREAD, _CHANNEL, 201),
    Route("PUT", "/scheduled-events/{name}/users", scheduled.join, "want to come", requests.GOES, _EVENT),
    Route("DELETE", "/scheduled-events/{name}/users", scheduled.leave, "do not", requests.GOES, _EVENT),
    Route("PUT", "/threads/{name}/members", threads.join, "join a thread", requests.JOIN_THREAD, _CHANNEL),
    Route(
        "DELETE", "/threads/{name}/members", threads.leave, "leave a thread", requests.JOIN_THREAD, _CHANNEL
    ),
    Route("POST", "/reactions", people.react, "react to a message", requests.REACT, _MESSAGE, 201),
    Route("POST", "/pins", people.pin, "pin a message", requests.PIN, _MESSAGE, 201),
    Route("DELETE", "/pins", people.unpin, "take a pin off a message", requests.PIN, _MESSAGE),
    Route("POST", "/voice", voice.connect, "join a voice channel", requests.JOIN_VOICE, _VOICE),
    Route("DELETE", "/voice", voice.leave, "leave voice", requests.LEAVE_VOICE, _VOICE),
    Route("DELETE", "/reactions", people.unreact, "take a reaction back", requests.REACT, _MESSAGE),
)
READS = (
    Route("GET", "/", _calls, "list the calls", answers=answers.CALLS),
    Route("GET", "/openapi.json", _description, "this API's OpenAPI description"),
    Route(
        "GET",
        "/state",
        lookups.state,
        "guilds, people, channels, applications, sessions, services, processes",
        answers=answers.STATE,
    ),
    Route(
        "GET",
        "/interactions/{id}",
        lookups.interaction,
        "one interaction, at once or when it is settled",
        requests.WAIT,
        _INTERACTION,
    ),
    Route(
        "GET",
        "/channels/{name}/messages",
        lookups.messages,
        "a channel's messages, newest last",
        requests.PAGE,
        answers.MESSAGES,
    ),
    Route("GET", "/messages/{id}", lookups.message, "one message", requests.READER, _MESSAGE),
    Route("GET", "/voice", voice.listed, "who is in voice", requests.IN_VOICE, answers.VOICE),
    Route("GET", "/audit-log", audit.listed, "who did what", requests.AUDIT_LOG, answers.AUDIT_LOG),
    Route("GET", "/events", events.events, "server-sent events", requests.EVENTS, None),
    Route("GET", "/requests", lookups.requests, "REST calls of bots", requests.REQUESTS, answers.REQUESTS),
)
CHANGES = (
    Route("POST", "/channels", channels.create, "make a channel", requests.MAKE_CHANNEL, _CHANNEL, 201),
    Route(
        "PATCH",
        "/channels/{name}",
        channels.change,
        "set permissions of an application, role or user; name, topic, place, archived, locked",
        requests.CHANGE_CHANNEL,
        answers.CHANGED_CHANNEL,
    ),
    Route(
        "DELETE",
        "/channels/{name}",
        channels.delete,
        "delete a channel or thread",
        requests.PLACE_BY,
        _CHANNEL,
    ),
    Route(
        "PUT",
        "/applications/{name}/commands/{command}/permissions",
        admin.command_permissions,
        "set who may use a command",
        requests.COMMAND_PERMISSIONS,
        answers.COMMAND_PERMISSIONS,
    ),
    Route(
        "PATCH",
        "/applications/{name}",
        admin.application,
        "set the endpoint for a bot's interactions",
        requests.APPLICATION_CHANGE,
        shape("Application"),
    ),
    Route("POST", "/applications/{name}/token", admin.token, "reset a bot's token", answers=answers.TOKEN),
    Route("POST", "/clock", admin.clock, "move Discord's time limits forward", requests.CLOCK, answers.CLOCK),
    Route("POST", "/reset", admin.reset, "return to the start", requests.RESET, answers.RESET),
)
MEMBERS = (
    Route("POST", "/people", membership.join, "a person joins", requests.JOIN, _PERSON, 201),
    Route("PATCH", "/people/{name}", membership.change, "change a person", requests.PERSON, _PERSON),
    Route("DELETE", "/people/{name}", membership.leave, "a person leaves", requests.PLACE_BY, _PERSON),
    Route("GET", "/bans", membership.bans, "who is banned", requests.PLACE, answers.BANS),
    Route("PUT", "/bans/{name}", membership.ban, "ban a person", requests.BAN, _BAN),
    Route("DELETE", "/bans/{name}", membership.unban, "lift a ban", requests.PLACE_BY, _BAN),
    Route("POST", "/roles", roles.create, "make a role", requests.MAKE_ROLE, _ROLE, 201),
    Route("PATCH", "/roles/{name}", roles.change, "change a role", requests.CHANGE_ROLE, _ROLE),
    Route("DELETE", "/roles/{name}", roles.delete, "delete a role", requests.PLACE_BY, _ROLE),
    Route(
        "PUT",
        "/applications/{name}/guilds/{guild}",
        membership.install,
        "a bot joins a server",
        answers=shape("Application"),
    ),
    Route(
        "DELETE",
        "/applications/{name}/guilds/{guild}",
        membership.uninstall,
        "a bot leaves a server",
        answers=shape("Application"),
    ),
)
BESIDES = (
    Route("GET", "/scheduled-events", scheduled.listed, "scheduled events", requests.PLACE, answers.EVENTS),
    Route("GET", "/emojis", emojis.listed, "custom emoji", requests.PLACE, answers.EMOJIS),
    Route("POST", "/emojis", emojis.create, "make a custom emoji", requests.EMOJI, shape("Emoji"), 201),
    Route("DELETE", "/emojis/{name}", emojis.delete, "delete one", requests.PLACE_BY, shape("Emoji")),
    Route("GET", "/webhooks", webhooks.listed, "all webhooks", answers=answers.WEBHOOKS),
    Route("POST", "/webhooks", webhooks.create, "make a webhook", requests.WEBHOOK, shape("Webhook"), 201),
    Route(
        "DELETE", "/webhooks/{id}", webhooks.delete, "delete a webhook", requests.PLACE_BY, shape("Webhook")
    ),
    Route("GET", "/faults", faults.listed, "all faults", answers=answers.FAULTS),
    Route("POST", "/faults", faults.create, "inject a fault", requests.FAULT, _FAULT, 201),
    Route("DELETE", "/faults", faults.clear, "end all faults", answers=answers.FAULTS),
    Route("GET", "/faults/{id}", faults.get, "one fault, with its hits", answers=_FAULT),
    Route("DELETE", "/faults/{id}", faults.delete, "end a fault", answers=_FAULT),
    Route("GET", "/registry/services", services.listed, "registered services", answers=answers.SERVICES),
    Route(
        "POST",
        "/registry/services",
        services.register,
        "register a service's control address",
        requests.REGISTER,
        shape("Service"),
        201,
    ),
    Route(
        "DELETE",
        "/registry/services",
        services.unregister,
        "remove a service from the registry",
        requests.UNREGISTER,
        answers.SERVICES,
    ),
    Route("GET", "/services/{name}", services.proxy, "ask a service's control address", None, ANY),
    Route("POST", "/services/{name}", services.proxy, "send to a service's control address", None, ANY),
)
SAVES = (
    Route("GET", "/saves", saves.listed, "all saved worlds", answers=answers.SAVES),
    Route("POST", "/saves", saves.create, "save the world", requests.SAVE, shape("Save"), 201),
    Route("GET", "/saves/{name}", saves.get, "a saved world as a file has it", answers=answers.SAVED),
    Route("PUT", "/saves/{name}", saves.put, "keep a saved world", requests.SAVED, shape("Save")),
    Route("DELETE", "/saves/{name}", saves.delete, "forget a saved world", answers=shape("Save")),
    Route("POST", "/restore", saves.restore, "return to a saved world", requests.RESTORE, answers.RESET),
)
ROUTES = (*READS, *(one._replace(person=True) for one in ACTS), *CHANGES, *MEMBERS, *BESIDES, *SAVES)


async def _unknown(call: ApiCall) -> web.StreamResponse:
    path, method = call.request.path, call.request.method
    known = [one.method for one in ROUTES if re.fullmatch(re.sub(r"{\w+}", "[^/]+", BASE + one.path), path)]
    if not known:
        hint = f"GET {BASE}/ lists the calls."
        raise ApiError(404, "unknown_call", f"There is no {method} {path}.", hint)
    error = ApiError(405, "unknown_call", f"There is no {method} {path}.", f"There is {' and '.join(known)}.")
    answer = error.response()
    answer.headers["Allow"] = ", ".join(known)
    return answer


def add_routes(app: web.Application) -> None:
    registered = app[services.SERVICES] = services.Services()
    app.on_cleanup.append(registered.close)
    app[saves.SAVES] = saves.Saves()
    core = app[CORE]
    core.feed.render = events.EventRenderer(core, registered)
    for one in ROUTES:
        handler = handled(
            one.handler, one.status, takes=one.takes, in_query=not one.has_body, person=one.person
        )
        app.router.add_route(one.method, BASE + one.path, handler)
    app.router.add_get(BASE, handled(_calls))
    app.router.add_route("*", BASE + "/{rest:.*}", handled(_unknown))
