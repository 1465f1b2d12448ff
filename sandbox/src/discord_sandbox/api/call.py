"""One call of the JSON API: its parameters, and look-ups by name or id."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from discord_sandbox.api.errors import ApiError, invalid, unknown
from discord_sandbox.api.schema.arguments import Taking
from discord_sandbox.discord.actions.audit import OWNER, acting
from discord_sandbox.discord.core import CORE, Core
from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.rest.replies import reply
from discord_sandbox.discord.state.model import (
    JSON,
    Application,
    Channel,
    Guild,
    Interaction,
    Member,
    Message,
    Role,
)


class ApiCall:
    """Parameters come from the body first, then from the query."""

    def __init__(self, request: web.Request, body: JSON) -> None:
        self.request = request
        self.core: Core = request.app[CORE]
        self.body = body
        self.params = request.match_info

    def get(self, key: str) -> Any:
        found = self.body.get(key)
        return self.request.query.get(key) if found is None else found

    def need(self, key: str) -> Any:
        found = self.get(key)
        if found is None or found == "":
            raise invalid(f'"{key}" is missing.')
        return found

    def text(self, key: str) -> str:
        return str(self.need(key))

    def number(self, key: str, default: float | None = None) -> float:
        found = self.get(key)
        if found is None and default is not None:
            return default
        try:
            if isinstance(found, bool):
                raise ValueError
            return float(self.need(key) if found is None else found)
        except (TypeError, ValueError):
            raise invalid(f'"{key}" must be a number.') from None

    def guild(self) -> Guild | None:
        """The guild that `guild` names, None if absent."""
        name = self.get("guild")
        if name is None:
            return None
        for guild in self.core.state.guilds.values():
            if str(name) in (guild.id, guild.name):
                return guild
        raise unknown("guild", name, (one.name for one in self.core.state.guilds.values()))

    def application(self, name: object = None) -> Application | None:
        wanted = self.get("application") if name is None else name
        if wanted is None:
            return None
        applications = self.core.state.applications
        for one in applications.values():
            if str(wanted) in (one.id, one.name, one.display_name):
                return one
        raise unknown("application", wanted, (one.name for one in applications.values()))

    def channel(self, name: object) -> Channel:
        """A channel or thread by id or name; of threads with the same name, the newest.

        `@robot` is the direct messages between that bot and the person whom the call names as `user` or `as`.
        """
        wanted = str(name).removeprefix("#")
        if wanted in self.core.state.channels:
            return self.core.state.channels[wanted]
        if wanted.startswith("@"):
            return self._direct(wanted[1:])
        channels = {key: one for key, one in self.core.state.channels.items() if not one.is_direct}
        guild = self.guild()
        found = [
            one for one in channels.values() if one.name == wanted and (guild is None or one.guild is guild)
        ]
        if not found:
            raise unknown("channel", wanted, (one.name for one in channels.values()))
        plain = [one for one in found if not one.is_thread]
        if len({one.guild.id for one in found}) > 1:
            raise ApiError(409, "ambiguous", f'"{wanted}" is in several guilds.', 'Name one with "guild".')
        return (plain or found)[-1]

    def _direct(self, bot: str) -> Channel:
        person = self.member(self.need("as") if self.get("user") is None else self.get("user"))
        application = self.application(bot)
        if application is None:
            raise unknown("application", bot, ())
        return self.core.direct_channel(application, person.user)

    def member(self, name: object, guild: Guild | None = None) -> Member:
        """A person by name or id: in `guild`, else in the guild that the call names, else in any."""
        wanted = str(name).removeprefix("@")
        place = guild or self.guild()
        guilds = [place] if place is not None else list(self.core.state.guilds.values())
        for one in guilds:
            if (known := one.members.get(wanted)) is not None and not known.user.bot:
                return known
            for member in one.members.values():
                if not member.user.bot and wanted in (member.user.id, member.user.name):
                    return member
        names = (m.user.name for g in guilds for m in g.members.values() if not m.user.bot)
        raise unknown("person", wanted, names)

    def role(self, name: object, guild: Guild) -> Role:
        wanted = str(name).removeprefix("@")
        for one in guild.roles.values():
            if wanted in (one.id, one.name.removeprefix("@")):
                return one
        raise unknown("role", wanted, (one.name for one in guild.roles.values()))

    def message(self, message_id: object, *, also_deleted: bool = False) -> Message:
        state = self.core.state
        found = state.messages.get(str(message_id))
        if found is None and also_deleted:
            found = state.deleted.get(str(message_id))
        if found is None:
            raise ApiError(404, "unknown_message", f'There is no message "{message_id}".')
        return found

    def interaction(self, interaction_id: object) -> Interaction:
        found = self.core.state.interactions.get(str(interaction_id))
        if found is None:
            raise ApiError(404, "unknown_interaction", f'There is no interaction "{interaction_id}".')
        return found


def _actor(call: ApiCall, takes: Taking | None, *, person: bool) -> tuple[str, str | None]:
    """Who acts, for the audit log, and why: the person of `by`, or of an act of a person, else the server's owner.

    Raises 404.
    """
    known = takes.fields if takes is not None else {}
    reason, who = (call.get(key) if key in known else None for key in ("reason", "by"))
    if who is not None:
        return call.member(who).user.id, reason
    if person and (own := call.get("user")) is not None:
        for one in call.core.state.users.values():
            if str(own).removeprefix("@") in (one.id, one.name) and not one.bot:
                return one.id, reason
    return OWNER, reason


ApiHandler = Callable[[ApiCall], Awaitable[web.StreamResponse | JSON]]


def _note(request: web.Request, error: ApiError) -> None:
    """Log a person's refused call next to the refused calls of bots."""
    core = request.app[CORE]
    path = request.path
    entry = core.log.open(core.clock.now(), request.method, path, path)
    entry.status = error.status
    entry.error = {"code": error.code, "message": error.message}


def handled(
    handler: ApiHandler,
    status: int = 200,
    *,
    takes: Taking | None = None,
    in_query: bool = False,
    person: bool = False,
) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Wrap a handler: body read as JSON whatever its content type, checked against `takes`, errors in one shape."""

    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            body = {} if in_query else await _body(request)
            if takes is not None and in_query:
                takes.check_query(request.query.items())
            elif takes is not None:
                takes.check(body)
            call = ApiCall(request, body)
            with acting(*_actor(call, takes, person=person)):
                result = await handler(call)
        except ApiError as error:
            if person:
                _note(request, error)
            return error.response()
        except DiscordError as error:
            return ApiError(
                error.status, "refused", f"{error.message} ({error.code})", str(error.errors or "") or None
            ).response()
        return result if isinstance(result, web.StreamResponse) else reply(result, status)

    return handle


async def _body(request: web.Request) -> JSON:
    """Raises ApiError 400 or 413."""
    try:
        raw = await request.read()
        body = json.loads(raw) if raw else {}
    except web.HTTPRequestEntityTooLarge:
        raise ApiError(413, "too_large", "The body is too large.") from None
    except (ValueError, RecursionError):
        raise invalid("The body is not JSON.") from None
    if not isinstance(body, dict):
        raise invalid("The body is not a JSON object.")
    return body
