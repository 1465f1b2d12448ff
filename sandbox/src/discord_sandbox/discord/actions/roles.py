"""Roles of a server: new ones at the bottom, changes, positions, deletion."""

from collections.abc import Mapping

from discord_sandbox.discord.actions.audit import AuditLog
from discord_sandbox.discord.actions.broadcast import Broadcast
from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.rules.roles import MOST, RoleFields
from discord_sandbox.discord.state.model import Guild, Role
from discord_sandbox.discord.state.store import State


class Roles:
    def __init__(self, state: State, broadcast: Broadcast, audit: AuditLog) -> None:
        self._state = state
        self._broadcast = broadcast
        self._audit = audit

    def create(self, guild: Guild, given: RoleFields) -> Role:
        """A role just above @everyone; the others move up. Raises 30005."""
        if len(guild.roles) >= MOST:
            raise DiscordError(30005)
        everyone = guild.roles[guild.id]
        made = Role(self._state.new_id(), guild.id, "new role", everyone.permissions, 0, 1, False)
        _apply(made, given)
        others = [one for one in guild.roles.values() if one is not everyone]
        for one in others:
            one.position += 1
        guild.roles[made.id] = made
        self._broadcast.role_changed(guild, made, created=True)
        self._audit.role_made(guild, made)
        for one in others:
            self._broadcast.role_changed(guild, one)
        return made

    def change(self, guild: Guild, role: Role, given: RoleFields) -> None:
        with self._audit.role_change(guild, role):
            _apply(role, given)
            guild.permission_cache.clear()
        self._broadcast.role_changed(guild, role)

    def move(self, guild: Guild, positions: Mapping[str, int]) -> None:
        """Put roles where they are wanted; the others keep their order around them."""
        everyone = guild.roles[guild.id]
        rising = sorted(
            (one for one in guild.roles.values() if one is not everyone),
            key=lambda one: (one.position, int(one.id)),
        )
        order = [one for one in rising if one.id not in positions]
        for role_id, position in sorted(positions.items(), key=lambda pair: pair[1]):
            order.insert(max(0, position - 1), guild.roles[role_id])
        for position, one in enumerate(order, 1):
            if one.position != position:
                one.position = position
                self._broadcast.role_changed(guild, one)

    def delete(self, guild: Guild, role: Role) -> None:
        """Members, channels and emoji lose it as well."""
        del guild.roles[role.id]
        for member in guild.members.values():
            member.roles = [one for one in member.roles if one != role.id]
        for channel in guild.channels.values():
            channel.overwrites.pop(role.id, None)
        for emoji in guild.emojis.values():
            emoji.roles = [one for one in emoji.roles if one != role.id]
        guild.permission_cache.clear()
        self._broadcast.role_deleted(guild, role)
        self._audit.role_deleted(guild, role)


def _apply(role: Role, given: RoleFields) -> None:
    role.name = role.name if given.name is None else given.name
    role.permissions = role.permissions if given.permissions is None else given.permissions
    role.color = role.color if given.color is None else given.color
    role.hoist = role.hoist if given.hoist is None else given.hoist
    role.mentionable = role.mentionable if given.mentionable is None else given.mentionable
    if given.emoji is not None:
        role.unicode_emoji = given.emoji or None
