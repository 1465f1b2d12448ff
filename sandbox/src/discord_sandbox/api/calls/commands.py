"""Slash commands and their autocomplete, as people send them."""

from discord_sandbox.api.call import ApiCall
from discord_sandbox.api.calls.people import present
from discord_sandbox.api.errors import ApiError, invalid, unknown
from discord_sandbox.api.options import OptionReader
from discord_sandbox.discord.render.messages import BOT_DIRECT
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.model import (
    AUTOCOMPLETE,
    COMMAND,
    JSON,
    Application,
    Channel,
    Command,
    Member,
)


async def commands(call: ApiCall) -> JSON:
    """POST commands: a person sends a slash command."""
    member, channel = present(call)
    application, command, words = _command(call, member, channel)
    label, data = _data(call, channel, command, words, None)
    begun = call.core.interactions.begin(COMMAND, application, member, channel, data, label=label)
    return {"interaction": begun.id}


async def autocomplete(call: ApiCall) -> JSON:
    """POST autocomplete: choices for the option that a person is typing."""
    member, channel = present(call)
    application, command, words = _command(call, member, channel)
    label, data = _data(call, channel, command, words, call.text("option"))
    begun = call.core.interactions.begin(AUTOCOMPLETE, application, member, channel, data, label=label)
    await call.core.interactions.settled(begun, 4)
    if begun.choices is None:
        raise ApiError(504, "no_choices", begun.reason or "The application did not answer.")
    return {"choices": begun.choices, "interaction": begun.id}


def _usable(call: ApiCall, member: Member, channel: Channel, command: Command) -> str | None:
    """Why the person may not use the command, None if they may."""
    allowed = call.core.state.permissions(member, channel)
    if not allowed & perms.USE_APPLICATION_COMMANDS:
        return "cannot use application commands in this channel"
    if allowed & perms.ADMINISTRATOR:
        return None
    verdict: bool | None = None
    for one in command.permissions:
        if one["type"] == 1 and one["id"] in (*member.roles, channel.guild.id):
            verdict = bool(one["permission"]) or bool(verdict)
    for one in command.permissions:
        if one["type"] == 2 and one["id"] == member.user.id:
            verdict = bool(one["permission"])
    if verdict is not None:
        return None if verdict else "is denied this command by the server's settings"
    needed = command.body.get("default_member_permissions")
    if needed is not None and (int(needed) == 0 or int(needed) & ~allowed):
        return f"lacks {', '.join(perms.names(int(needed) & ~allowed)) or 'administrator rights'}"
    return None


def _in_direct_messages(command: Command) -> bool:
    contexts = command.body.get("contexts")
    return command.body.get("dm_permission") is not False if contexts is None else BOT_DIRECT in contexts


def _command(call: ApiCall, member: Member, channel: Channel) -> tuple[Application, Command, list[str]]:
    """The application and command named by the call, and the rest of its words: subcommands."""
    words = call.text("command").removeprefix("/").split()
    if not words:
        raise invalid('"command" is empty.')
    wanted = call.application()
    guild = channel.guild
    known = []
    for application in call.core.state.applications.values():
        here = application.id in guild.members if guild.hidden else guild.id in application.guilds
        if (wanted is not None and application is not wanted) or not here:
            continue
        for scope in (guild.id, None):
            found = application.by_name.get((scope, 1, words[0]))
            if found is not None and (not guild.hidden or _in_direct_messages(found)):
                reason = _usable(call, member, channel, found)
                if reason is not None:
                    raise ApiError(403, "missing_permissions", f"{member.user.name} {reason}: /{words[0]}.")
                return application, found, words[1:]
        known += [one.name for one in application.commands.values()]
    raise unknown("command", f"/{words[0]}", (f"/{name}" for name in known))


def _nested(definitions: list[JSON], words: list[str], label: str) -> tuple[list[JSON], list[JSON]]:
    """The path of subcommands, and the options at its end."""
    path: list[JSON] = []
    while True:
        subs = {one["name"]: one for one in definitions if one["type"] in (1, 2)}
        if not subs:
            if words:
                raise unknown("subcommand", words[0], ())
            return path, definitions
        if not words:
            raise ApiError(
                422, "subcommand_required", f"/{label} needs a subcommand.", f"Known: {', '.join(subs)}."
            )
        if words[0] not in subs:
            raise unknown("subcommand", words[0], subs)
        path.append(subs[words[0]])
        definitions, words = subs[words[0]].get("options", []), words[1:]


def _data(
    call: ApiCall, channel: Channel, command: Command, words: list[str], focused: str | None
) -> tuple[str, JSON]:
    given = call.body.get("options") or {}
    if not isinstance(given, dict):
        raise invalid('"options" is an object of names and values.')
    if focused is not None:
        given = {**given, focused: call.get("value") if call.get("value") is not None else ""}
    path, definitions = _nested(command.body.get("options", []), words, command.name)
    if focused is not None:
        option = next((one for one in definitions if one["name"] == focused), None)
        if option is None:
            raise unknown("option", focused, (one["name"] for one in definitions))
        if not option.get("autocomplete"):
            raise ApiError(422, "option_no_autocomplete", f'The option "{focused}" has no autocomplete.')
    reader = OptionReader(call, channel, partial=focused is not None)
    options = reader.read(definitions, given, focused)
    for one in reversed(path):
        options = [{"name": one["name"], "type": one["type"], "options": options}]
    data: JSON = {"id": command.id, "name": command.name, "type": command.kind, "options": options}
    if command.guild_id is not None:
        data["guild_id"] = command.guild_id
    if reader.resolved:
        data["resolved"] = reader.resolved
    return " ".join([command.name, *(one["name"] for one in path)]), data
