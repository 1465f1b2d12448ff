"""Invites to servers: make, find, use, delete."""

import secrets
import string

from discord_sandbox.discord.actions.audit import AuditLog
from discord_sandbox.discord.actions.broadcast import Broadcast
from discord_sandbox.discord.errors import DiscordError
from discord_sandbox.discord.rules.invites import MOST, InviteFields
from discord_sandbox.discord.state.clock import Clock
from discord_sandbox.discord.state.invite import Invite
from discord_sandbox.discord.state.model import Channel, Guild, User
from discord_sandbox.discord.state.store import State

_LETTERS, _LENGTH = string.ascii_letters + string.digits, 8


class Invites:
    def __init__(self, state: State, clock: Clock, broadcast: Broadcast, audit: AuditLog) -> None:
        self._state = state
        self._clock = clock
        self._broadcast = broadcast
        self._audit = audit

    def of(self, guild: Guild, channel: Channel | None = None) -> list[Invite]:
        """Those that can be used still: all, or those to one channel."""
        now = self._clock.now()
        found = [one for one in guild.invites.values() if one.is_open(now)]
        return found if channel is None else [one for one in found if one.channel_id == channel.id]

    def find(self, code: str) -> tuple[Guild, Invite]:
        """Raises 10006 for one that is not there, or has expired."""
        for guild in self._state.guilds.values():
            found = guild.invites.get(code)
            if found is not None and found.is_open(self._clock.now()):
                return guild, found
        raise DiscordError(10006)

    def create(self, channel: Channel, inviter: User, given: InviteFields) -> Invite:
        """A new one, or the inviter's of the same kind if it need not be unique. Raises 30016."""
        guild = channel.guild
        guild.invites = {one.code: one for one in self.of(guild)}
        made = Invite(
            "".join(secrets.choice(_LETTERS) for _ in range(_LENGTH)),
            channel.id,
            inviter.id,
            self._clock.now(),
            given.max_age,
            given.max_uses,
            given.temporary,
        )
        known = next((one for one in guild.invites.values() if _alike(one, made)), None)
        if known is not None and not given.unique:
            return known
        if len(guild.invites) >= MOST:
            raise DiscordError(30016)
        guild.invites[made.code] = made
        self._broadcast.invite_created(channel, made)
        self._audit.invite_made(guild, made)
        return made

    def delete(self, guild: Guild, it: Invite) -> None:
        self._end(guild, it)
        self._audit.invite_deleted(guild, it)

    def use(self, guild: Guild, it: Invite) -> None:
        """Count a person who is about to join. With its last use it ends, which bots are told before they join."""
        it.uses += 1
        if it.max_uses and it.uses >= it.max_uses:
            self._end(guild, it)

    def _end(self, guild: Guild, it: Invite) -> None:
        del guild.invites[it.code]
        self._broadcast.invite_deleted(guild.channels[it.channel_id], it)


def _alike(one: Invite, other: Invite) -> bool:
    kinds = [(it.channel_id, it.inviter_id, it.max_age, it.max_uses, it.temporary) for it in (one, other)]
    return kinds[0] == kinds[1]
