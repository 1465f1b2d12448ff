"""What people do: slash commands, autocomplete, buttons, selects, modals, messages."""

from typing import Any

from discord_sandbox.api.call import ApiCall
from discord_sandbox.api.errors import ApiError, invalid, unknown
from discord_sandbox.api.forms import fill
from discord_sandbox.api.options import OptionReader
from discord_sandbox.api.text import SELECTS, walk
from discord_sandbox.api.views import Views
from discord_sandbox.discord import permissions as perms
from discord_sandbox.discord.model import (
    AUTOCOMPLETE,
    COMMAND,
    COMPONENT,
    JSON,
    MODAL_SUBMIT,
    Application,
    Channel,
    Command,
    Member,
    Message,
)
from discord_sandbox.discord.posts import Origin, Upload


def _place(call: ApiCall) -> tuple[Member, Channel]:
    channel = call.channel(call.need("channel"))
    member = call.member(call.need("user"), channel.guild)
    if not call.core.state.permissions(member, channel) & perms.VIEW_CHANNEL:
        raise ApiError(403, "missing_permissions", f"{member.user.name} cannot see #{channel.name}.")
    return member, channel


def _usable(call: ApiCall, member: Member, channel: Channel, command: Command) -> str | None:
    """Why the person may not use the command; None when they may."""
    allowed = call.core.state.permissions(member, channel)
    if not allowed & perms.USE_APPLICATION_COMMANDS:
        return "may not use application commands in this channel"
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
        return None if verdict else "is not allowed this command by the server's settings"
    needed = command.body.get("default_member_permissions")
    if needed is not None and (int(needed) == 0 or int(needed) & ~allowed):
        return f"lacks {', '.join(perms.names(int(needed) & ~allowed)) or 'administrator rights'}"
    return None


def _command(call: ApiCall, member: Member, channel: Channel) -> tuple[Application, Command, list[str]]:
    """The command that the person means, and the names of its subcommands."""
    words = call.text("command").removeprefix("/").split()
    if not words:
        raise invalid('"command" is empty.')
    wanted = call.application()
    guild = channel.guild
    known = []
    for application in call.core.state.applications.values():
        if (wanted is not None and application is not wanted) or guild.id not in application.guilds:
            continue
        for scope in (guild.id, None):
            found = application.by_name.get((scope, 1, words[0]))
            if found is not None:
                reason = _usable(call, member, channel, found)
                if reason is not None:
                    raise ApiError(403, "missing_permissions", f"{member.user.name} {reason}: /{words[0]}.")
                return application, found, words[1:]
        known += [one.name for one in application.commands.values()]
    raise unknown("command", f"/{words[0]}", (f"/{name}" for name in known))


def _nested(definitions: list[JSON], words: list[str], label: str) -> tuple[list[JSON], list[JSON]]:
    """The path of subcommands and the options at its end."""
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


async def commands(call: ApiCall) -> JSON:
    member, channel = _place(call)
    application, command, words = _command(call, member, channel)
    label, data = _data(call, channel, command, words, None)
    begun = call.core.conversations.begin(COMMAND, application, member, channel, data, label=label)
    return {"interaction": begun.id}


async def autocomplete(call: ApiCall) -> JSON:
    member, channel = _place(call)
    application, command, words = _command(call, member, channel)
    label, data = _data(call, channel, command, words, call.text("option"))
    begun = call.core.conversations.begin(AUTOCOMPLETE, application, member, channel, data, label=label)
    await call.core.conversations.settled(begun, 4)
    if begun.choices is None:
        raise ApiError(504, "no_choices", begun.reason or "The application did not answer.")
    return {"choices": begun.choices, "interaction": begun.id}


def _target(call: ApiCall, *, raw: bool) -> tuple[Message, Member, Application]:
    message = call.message(call.need("message"), also_deleted=raw)
    member = call.member(call.need("user"), message.channel.guild)
    if message.ephemeral_to not in (None, member.user.id):
        raise ApiError(404, "unknown_message", f"{member.user.name} cannot see this message.")
    if not call.core.state.permissions(member, message.channel) & perms.VIEW_CHANNEL:
        raise ApiError(403, "missing_permissions", f"{member.user.name} cannot see #{message.channel.name}.")
    owner = call.core.state.applications.get(message.application_id or message.author.id)
    if owner is None:
        raise ApiError(409, "gone", "No application answers for this message.")
    return message, member, owner


def _begin(call: ApiCall, message: Message, member: Member, owner: Application, data: JSON) -> JSON:
    begun = call.core.conversations.begin(
        COMPONENT, owner, member, message.channel, data, label=data["custom_id"], message=message
    )
    return {"interaction": begun.id}


async def presses(call: ApiCall) -> JSON:
    """One press, or many people's at the same moment when the body lists them as `presses`."""
    together = call.body.get("presses")
    if together is None:
        return _press(call)
    if not isinstance(together, list) or not all(isinstance(one, dict) for one in together):
        raise invalid('"presses" is a list of objects: user, message, button or custom_id.')
    return {"interactions": [_press(ApiCall(call.request, one))["interaction"] for one in together]}


def _press(call: ApiCall) -> JSON:
    raw = call.get("custom_id")
    message, member, owner = _target(call, raw=raw is not None)
    if raw is not None:
        number = next((o["id"] for o in walk(message.components) if o.get("custom_id") == raw), 1)
        data = {"custom_id": str(raw), "component_type": 2, "id": number}
        return _begin(call, message, member, owner, data)
    wanted = call.text("button")
    found = [one for one in walk(message.components) if one.get("type") == 2]
    hits = [one for one in found if one.get("custom_id") == wanted] or [
        one for one in found if wanted in (one.get("label"), (one.get("emoji") or {}).get("name"))
    ]
    if not hits:
        hits = [one for one in found if str(one.get("label", "")).lower() == wanted.lower()]
    if not hits:
        raise unknown("button", wanted, (str(one.get("label") or one.get("custom_id")) for one in found))
    usable = [one for one in hits if not one.get("disabled")]
    if not usable:
        raise ApiError(
            409,
            "disabled",
            f'The button "{wanted}" is disabled.',
            'Give its "custom_id" to press it all the same.',
        )
    button = usable[0]
    if button.get("custom_id") is None:
        raise ApiError(409, "not_pressable", f'The button "{wanted}" is a link.', str(button.get("url")))
    data = {"custom_id": button["custom_id"], "component_type": 2, "id": button["id"]}
    return _begin(call, message, member, owner, data)


async def selects(call: ApiCall) -> JSON:
    raw = call.get("custom_id")
    message, member, owner = _target(call, raw=raw is not None)
    given = call.need("values")
    values: list[Any] = given if isinstance(given, list) else [given]
    if raw is not None:
        data = {"custom_id": str(raw), "component_type": 3, "values": [str(one) for one in values], "id": 1}
        return _begin(call, message, member, owner, data)
    wanted = call.text("select")
    found = [one for one in walk(message.components) if one.get("type") in SELECTS]
    hit = next((one for one in found if wanted in (one["custom_id"], one.get("placeholder"))), None)
    if hit is None:
        raise unknown("select", wanted, (str(one.get("placeholder") or one["custom_id"]) for one in found))
    if hit.get("disabled"):
        raise ApiError(409, "disabled", f'The select "{wanted}" is disabled.')
    if not hit["min_values"] <= len(values) <= hit["max_values"]:
        raise ApiError(
            422,
            "value_count",
            f"It takes {hit['min_values']} to {hit['max_values']} values, not {len(values)}.",
        )
    data = {"custom_id": hit["custom_id"], "component_type": hit["type"], "id": hit["id"]}
    return _begin(call, message, member, owner, data | _chosen(call, message.channel, hit, values))


def _chosen(call: ApiCall, channel: Channel, select: JSON, values: list[Any]) -> JSON:
    kind = select["type"]
    if kind == 3:
        options = select.get("options", [])
        picked = []
        for value in values:
            hit = next((one for one in options if value in (one["value"], one["label"])), None)
            if hit is None:
                error = unknown("value", value, (one["label"] for one in options))
                raise ApiError(422, "value_unknown", error.message, error.hint)
            picked.append(hit["value"])
        return {"values": picked}
    reader = OptionReader(call, channel)
    types = {5: 6, 6: 8, 7: 9, 8: 7}
    definition = [{"name": str(index), "type": types[kind]} for index in range(len(values))]
    read = reader.read(definition, {str(index): value for index, value in enumerate(values)})
    return {"values": [one["value"] for one in read], "resolved": reader.resolved}


async def modals(call: ApiCall) -> JSON:
    source = call.interaction(call.need("interaction"))
    member = call.member(call.need("user"), source.channel.guild)
    if source.modal is None:
        raise ApiError(
            409, "no_modal", f"Interaction {source.id} has not opened a modal.", f"It is {source.state}."
        )
    if member.user.id != source.member.user.id:
        raise ApiError(403, "forbidden", f"The modal was opened for {source.member.user.name}.")
    fields = call.body.get("fields") or {}
    if not isinstance(fields, dict):
        raise invalid('"fields" is an object of custom ids or labels and values.')
    reader = OptionReader(call, source.channel)
    data: JSON = {
        "custom_id": source.modal["custom_id"],
        "components": fill(source.modal, fields, reader),
    }
    if reader.resolved:
        data["resolved"] = reader.resolved
    begun = call.core.conversations.begin(
        MODAL_SUBMIT,
        source.application,
        member,
        source.channel,
        data,
        label=data["custom_id"],
        message=source.message,
        source=source,
    )
    return {"interaction": begun.id}


async def messages(call: ApiCall) -> JSON:
    """A person writes a message."""
    member, channel = _place(call)
    needed = perms.SEND_MESSAGES_IN_THREADS if channel.is_thread else perms.SEND_MESSAGES
    if not call.core.state.permissions(member, channel) & needed:
        raise ApiError(403, "missing_permissions", f"{member.user.name} may not write in #{channel.name}.")
    upload = Upload({"content": call.text("content")})
    message = call.core.posts.create(channel, Origin(member.user, member), upload)
    return Views(call.core).message(message)
