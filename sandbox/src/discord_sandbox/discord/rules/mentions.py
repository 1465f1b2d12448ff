"""Mentions in a message, and which of them `allowed_mentions` lets notify."""

import re
from dataclasses import dataclass

from discord_sandbox.discord.rules.fields import Fields
from discord_sandbox.discord.state import permissions as perms
from discord_sandbox.discord.state.model import JSON, Channel, Member, Message
from discord_sandbox.discord.state.store import State

_MENTION = re.compile(r"<@(&|!?)(\d{1,20})>|@(everyone|here)")


@dataclass(frozen=True, slots=True)
class Allowed:
    """`allowed_mentions`; `parse` None: not given, so everything is allowed."""

    parse: frozenset[str] | None = None
    users: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    replied_user: bool = True

    def admits(self, kind: str, target: str = "") -> bool:
        if self.parse is None or kind in self.parse:
            return True
        return target in (self.users if kind == "users" else self.roles if kind == "roles" else ())


@dataclass(slots=True)
class Mentions:
    users: list[str]
    roles: list[str]
    everyone: bool
    notified: list[str]


def read_allowed(body: Fields) -> Allowed:
    given = body.object("allowed_mentions")
    if given is None:
        return Allowed()
    given.known(("parse", "users", "roles", "replied_user"))
    parse = given.items("parse", 3) or []
    for index, kind in enumerate(parse):
        if kind not in ("users", "roles", "everyone"):
            given.complaints.add(
                (*given.path, "parse", index),
                "BASE_TYPE_CHOICES",
                "Value must be one of {'users', 'everyone', 'roles'}.",
            )
    lists: dict[str, frozenset[str]] = {}
    for key in ("users", "roles"):
        ids = frozenset(given.snowflakes(key, 100) or [])
        lists[key] = ids
        if ids and key in parse:
            given.complain(
                None,
                "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE",
                f'parse:["{key}"] and {key}: [ids...] are mutually exclusive.',
            )
    replied = given.flag("replied_user")
    return Allowed(frozenset(str(one) for one in parse), lists["users"], lists["roles"], bool(replied))


def texts_of(components: list[JSON]) -> list[str]:
    """All text displays, in reading order."""
    found: list[str] = []
    for one in components:
        if one.get("type") == 10:
            found.append(str(one.get("content", "")))
        found += texts_of(one.get("components", []))
    return found


def find(
    state: State, message: Message, author: Member | None, allowed: Allowed, replied_to: str | None = None
) -> Mentions:
    """Everyone whom the message mentions, and everyone it notifies: those who can see the channel."""
    text = "\n".join([message.content, *texts_of(message.components)])
    finder = _Finder(state, message.channel, author, allowed)
    if "@" in text:
        for sigil, number, everyone in _MENTION.findall(text):
            finder.add("everyone" if everyone else "roles" if sigil == "&" else "users", number)
    if replied_to is not None and allowed.replied_user and replied_to in state.users:
        if replied_to not in finder.found.users:
            finder.found.users.append(replied_to)
        finder.heard[replied_to] = None
    return finder.finish()


class _Finder:
    def __init__(self, state: State, channel: Channel, author: Member | None, allowed: Allowed) -> None:
        self.found = Mentions([], [], False, [])
        self.heard: dict[str, None] = {}
        self._state, self._channel, self._author, self._allowed = state, channel, author, allowed
        self._may_all = author is None or bool(state.permissions(author, channel) & perms.MENTION_EVERYONE)

    def add(self, kind: str, target: str) -> None:
        if not self._allowed.admits(kind, target):
            return
        members = self._channel.guild.members
        if kind == "everyone":
            if self._may_all:
                self.found.everyone = True
                self.heard |= dict.fromkeys(members)
        elif kind == "roles":
            role = self._channel.guild.roles.get(target)
            if role is None:
                return
            if target not in self.found.roles:
                self.found.roles.append(target)
            if role.mentionable or self._may_all:
                self.heard |= {key: None for key, one in members.items() if target in one.roles}
        elif target in self._state.users:
            if target not in self.found.users:
                self.found.users.append(target)
            self.heard[target] = None

    def finish(self) -> Mentions:
        own = self._author.user.id if self._author is not None else ""
        for user_id in self.heard:
            member = self._channel.guild.members.get(user_id)
            if member is None or user_id == own or member.user.bot:
                continue
            if self._state.permissions(member, self._channel) & perms.VIEW_CHANNEL:
                self.found.notified.append(user_id)
        return self.found
