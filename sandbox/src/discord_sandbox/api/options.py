"""Options of a slash command as Discord's client sends them; refuses what it would refuse."""

from typing import Any

from discord_sandbox.api.call import ApiCall
from discord_sandbox.api.errors import ApiError, unknown
from discord_sandbox.api.files import read_file
from discord_sandbox.discord.render import objects as render
from discord_sandbox.discord.render.messages import attachment
from discord_sandbox.discord.state.model import JSON, Channel, Guild

SUB, GROUP, STRING, INTEGER, BOOLEAN, USER, CHANNEL, ROLE, MENTIONABLE, NUMBER, ATTACHMENT = range(1, 12)
TYPE_NAMES = {3: "text", 4: "a whole number", 5: "true or false", 10: "a number"}


class OptionReader:
    """Reads one command's options. `partial`: for autocomplete, where required ones may be missing."""

    def __init__(self, call: ApiCall, channel: Channel, *, partial: bool = False) -> None:
        self._call = call
        self._guild: Guild = channel.guild
        self._channel = channel
        self._partial = partial
        self.resolved: dict[str, JSON] = {}

    def read(self, definitions: list[JSON], given: JSON, focused: str | None = None) -> list[JSON]:
        by_name = {one["name"]: one for one in definitions}
        for name in given:
            if name not in by_name:
                error = unknown("option", name, by_name)
                raise ApiError(422, error.code, error.message, error.hint)
        found = []
        for definition in definitions:
            name = definition["name"]
            if given.get(name) is None:
                if definition.get("required") and not self._partial:
                    raise ApiError(422, "option_required", f'The option "{name}" is required.')
                continue
            value = given[name]
            if name == focused:
                found.append({"name": name, "type": definition["type"], "value": str(value), "focused": True})
                continue
            try:
                found.append(
                    {"name": name, "type": definition["type"], "value": self._value(definition, value)}
                )
            except ApiError:
                if not self._partial:
                    raise
        return found

    def _value(self, definition: JSON, value: Any) -> Any:
        kind = definition["type"]
        if kind in (USER, CHANNEL, ROLE, MENTIONABLE):
            return self._thing(kind, value)
        if kind == ATTACHMENT:
            return self.file(value)
        value = _plain(definition, value)
        choices = definition.get("choices")
        if choices:
            for choice in choices:
                if value in (choice["value"], choice["name"]):
                    return choice["value"]
            names = ", ".join(str(choice["name"]) for choice in choices)
            raise ApiError(
                422,
                "option_choice",
                f'"{value}" is not a choice of the option "{definition["name"]}".',
                f"Choices: {names}.",
            )
        _check_range(definition, value)
        return value

    def _thing(self, kind: int, value: Any) -> str:
        if kind in (USER, MENTIONABLE):
            for member in self._guild.members.values():
                if str(value).removeprefix("@") in (member.user.id, member.user.name):
                    self._add("users", member.user.id, render.user(member.user))
                    allowed = self._call.core.state.permissions(member, self._channel)
                    body = render.member_without_user(member) | {"permissions": str(allowed)}
                    del body["mute"], body["deaf"]
                    self._add("members", member.user.id, body)
                    return member.user.id
            if kind == USER:
                raise unknown("person", value, (one.user.name for one in self._guild.members.values()))
        if kind in (ROLE, MENTIONABLE):
            role = self._call.role(value, self._guild)
            self._add("roles", role.id, render.role(role))
            return role.id
        channel = self._call.channel(value)
        body = render.channel(channel)
        self._add("channels", channel.id, body | {"permissions": "0"})
        return channel.id

    def person(self, name: Any) -> str:
        """The id of a person or bot in the channel's server, kept with their member in `resolved`."""
        return self._thing(USER, name)

    def file(self, given: Any) -> str:
        """The id of a file that the person sends along, kept in `resolved` and on the CDN."""
        core, found = self._call.core, read_file(given)
        found.id = core.state.new_id()
        found.path = f"ephemeral-attachments/{self._channel.id}/{found.id}/{found.filename}"
        core.state.attachments[found.path] = found
        self._add("attachments", found.id, attachment(found, core.render.cdn, ephemeral=True))
        return found.id

    def _add(self, group: str, key: str, body: JSON) -> None:
        self.resolved.setdefault(group, {})[key] = body


def _plain(definition: JSON, value: Any) -> Any:
    kind = definition["type"]
    try:
        if kind == STRING and not isinstance(value, (dict, list, bool)):
            return str(value)
        if kind == BOOLEAN:
            if isinstance(value, bool):
                return value
            if str(value).lower() in ("true", "false"):
                return str(value).lower() == "true"
        if kind == INTEGER and not isinstance(value, bool) and float(value) == int(float(value)):
            return int(value)
        if kind == NUMBER and not isinstance(value, bool):
            return float(value)
    except (TypeError, ValueError, OverflowError):
        pass
    raise ApiError(
        422, "option_type", f'The option "{definition["name"]}" takes {TYPE_NAMES[kind]}, not {value!r}.'
    )


def _check_range(definition: JSON, value: Any) -> None:
    name, kind = definition["name"], definition["type"]
    if kind == STRING:
        size, least, most = len(value), definition.get("min_length", 0), definition.get("max_length", 6000)
        if not least <= size <= most:
            raise ApiError(422, "option_length", f'"{name}" takes {least} to {most} characters, not {size}.')
        return
    if kind in (INTEGER, NUMBER):
        least, most = definition.get("min_value", -(2**53)), definition.get("max_value", 2**53)
        if not least <= value <= most:
            raise ApiError(422, "option_range", f'"{name}" takes {least} to {most}, not {value}.')
