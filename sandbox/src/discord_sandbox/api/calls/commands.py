"""Commands and their autocomplete, as people send them."""

from discord_sandbox.api.call import ApiCall
from discord_sandbox.api.calls.people import present, reader
from discord_sandbox.api.command_lookup import find
from discord_sandbox.api.errors import ApiError, invalid, unknown
from discord_sandbox.api.options import OptionReader
from discord_sandbox.discord.state.model import (
    AUTOCOMPLETE,
    COMMAND,
    JSON,
    MESSAGE_COMMAND,
    SLASH_COMMAND,
    USER_COMMAND,
    Application,
    Channel,
    Command,
    Member,
)


async def commands(call: ApiCall) -> JSON:
    """POST commands: a person sends a slash command, or one of the context menu of a person or message."""
    if call.get("target_user") is not None or call.get("target_message") is not None:
        return _context_command(call)
    member, channel = present(call)
    application, command, words = _command(call, member, channel)
    label, data = _data(call, channel, command, words, None)
    begun = call.core.interactions.begin(COMMAND, application, member, channel, data, label=label)
    return {"interaction": begun.id}


def _context_command(call: ApiCall) -> JSON:
    name, given = call.text("command"), call.get("target_user")
    if call.get("options"):
        raise ApiError(422, "option_unknown", "A command of a context menu has no options.")
    if given is None:
        message, member = reader(call, call.get("target_message"))
        channel, kind = message.channel, MESSAGE_COMMAND
        target, resolved = message.id, {"messages": {message.id: call.core.render(message)}}
    elif call.get("target_message") is not None:
        raise invalid('Only one of "target_user" and "target_message" can be given.')
    else:
        member, channel = present(call)
        kind, options = USER_COMMAND, OptionReader(call, channel)
        target, resolved = options.person(given), options.resolved
    application, command = find(call, member, channel, name, kind)
    data: JSON = {"id": command.id, "name": name, "type": kind, "target_id": target, "resolved": resolved}
    if command.guild_id is not None:
        data["guild_id"] = command.guild_id
    begun = call.core.interactions.begin(COMMAND, application, member, channel, data, label=name)
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


def _command(call: ApiCall, member: Member, channel: Channel) -> tuple[Application, Command, list[str]]:
    """The application and command named by the call, and the rest of its words: subcommands."""
    words = call.text("command").removeprefix("/").split()
    if not words:
        raise invalid('"command" is empty.')
    application, command = find(call, member, channel, words[0], SLASH_COMMAND)
    return application, command, words[1:]


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
