"""Which command of which application a person means, and whether they may use it here."""

from discord_sandbox.api.call import ApiCall
from discord_sandbox.api.errors import ApiError, unknown
from discord_sandbox.discord.render.messages import BOT_DIRECT
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.model import (
    MESSAGE_COMMAND,
    SLASH_COMMAND,
    USER_COMMAND,
    Application,
    Channel,
    Command,
    Member,
)

CALLED = {SLASH_COMMAND: "command", USER_COMMAND: "user_command", MESSAGE_COMMAND: "message_command"}
TARGETS = {USER_COMMAND: "target_user", MESSAGE_COMMAND: "target_message"}


def find(
    call: ApiCall, member: Member, channel: Channel, name: str, kind: int
) -> tuple[Application, Command]:
    """The command of that name and type here: of the server first, then the global one.

    Raises 404 `unknown_*`, with known names of the same type as a hint, or 403 `missing_permissions`.
    """
    wanted = call.application()
    guild = channel.guild
    known: list[Command] = []
    for application in call.core.state.applications.values():
        here = application.id in guild.members if guild.hidden else guild.id in application.guilds
        if (wanted is not None and application is not wanted) or not here:
            continue
        for scope in (guild.id, None):
            found = application.by_name.get((scope, kind, name))
            if found is not None and (not guild.hidden or _in_direct_messages(found)):
                reason = _reason_against(call, member, channel, found)
                if reason is not None:
                    raise ApiError(
                        403, "missing_permissions", f"{member.user.name} {reason}: {_typed(kind, name)}."
                    )
                return application, found
        known += [one for one in application.commands.values() if one.guild_id in (None, guild.id)]
    raise _unknown(name, kind, known)


def _typed(kind: int, name: str) -> str:
    return f"/{name}" if kind == SLASH_COMMAND else name


def _unknown(name: str, kind: int, known: list[Command]) -> ApiError:
    error = unknown(CALLED[kind], _typed(kind, name), (_typed(kind, o.name) for o in known if o.kind == kind))
    other = next((one.kind for one in known if one.name == name and one.kind in CALLED), None)
    if other is not None:
        how = f'name its target as "{TARGETS[other]}"' if other in TARGETS else "send it without a target"
        error.hint = f"There is a {CALLED[other].replace('_', ' ')} of that name: {how}."
    return error


def _reason_against(call: ApiCall, member: Member, channel: Channel, command: Command) -> str | None:
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
