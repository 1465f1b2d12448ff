"""Discord's permission bits, and how roles and channel overwrites combine."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

BITS: Mapping[str, int] = {
    name: 1 << bit
    for name, bit in {
        "CREATE_INSTANT_INVITE": 0,
        "KICK_MEMBERS": 1,
        "BAN_MEMBERS": 2,
        "ADMINISTRATOR": 3,
        "MANAGE_CHANNELS": 4,
        "MANAGE_GUILD": 5,
        "ADD_REACTIONS": 6,
        "VIEW_AUDIT_LOG": 7,
        "PRIORITY_SPEAKER": 8,
        "STREAM": 9,
        "VIEW_CHANNEL": 10,
        "SEND_MESSAGES": 11,
        "SEND_TTS_MESSAGES": 12,
        "MANAGE_MESSAGES": 13,
        "EMBED_LINKS": 14,
        "ATTACH_FILES": 15,
        "READ_MESSAGE_HISTORY": 16,
        "MENTION_EVERYONE": 17,
        "USE_EXTERNAL_EMOJIS": 18,
        "VIEW_GUILD_INSIGHTS": 19,
        "CONNECT": 20,
        "SPEAK": 21,
        "MUTE_MEMBERS": 22,
        "DEAFEN_MEMBERS": 23,
        "MOVE_MEMBERS": 24,
        "USE_VAD": 25,
        "CHANGE_NICKNAME": 26,
        "MANAGE_NICKNAMES": 27,
        "MANAGE_ROLES": 28,
        "MANAGE_WEBHOOKS": 29,
        "MANAGE_GUILD_EXPRESSIONS": 30,
        "USE_APPLICATION_COMMANDS": 31,
        "REQUEST_TO_SPEAK": 32,
        "MANAGE_EVENTS": 33,
        "MANAGE_THREADS": 34,
        "CREATE_PUBLIC_THREADS": 35,
        "CREATE_PRIVATE_THREADS": 36,
        "USE_EXTERNAL_STICKERS": 37,
        "SEND_MESSAGES_IN_THREADS": 38,
        "USE_EMBEDDED_ACTIVITIES": 39,
        "MODERATE_MEMBERS": 40,
        "VIEW_CREATOR_MONETIZATION_ANALYTICS": 41,
        "USE_SOUNDBOARD": 42,
        "CREATE_GUILD_EXPRESSIONS": 43,
        "CREATE_EVENTS": 44,
        "USE_EXTERNAL_SOUNDS": 45,
        "SEND_VOICE_MESSAGES": 46,
        "SET_VOICE_CHANNEL_STATUS": 48,
        "SEND_POLLS": 49,
        "USE_EXTERNAL_APPS": 50,
        "PIN_MESSAGES": 51,
        "BYPASS_SLOWMODE": 52,
    }.items()
}
ALL = sum(BITS.values())

ADMINISTRATOR = BITS["ADMINISTRATOR"]
VIEW_CHANNEL = BITS["VIEW_CHANNEL"]
SEND_MESSAGES = BITS["SEND_MESSAGES"]
MANAGE_MESSAGES = BITS["MANAGE_MESSAGES"]
MANAGE_CHANNELS = BITS["MANAGE_CHANNELS"]
MANAGE_THREADS = BITS["MANAGE_THREADS"]
MANAGE_ROLES = BITS["MANAGE_ROLES"]
EMBED_LINKS = BITS["EMBED_LINKS"]
ATTACH_FILES = BITS["ATTACH_FILES"]
READ_MESSAGE_HISTORY = BITS["READ_MESSAGE_HISTORY"]
MENTION_EVERYONE = BITS["MENTION_EVERYONE"]
ADD_REACTIONS = BITS["ADD_REACTIONS"]
USE_APPLICATION_COMMANDS = BITS["USE_APPLICATION_COMMANDS"]
CREATE_PUBLIC_THREADS = BITS["CREATE_PUBLIC_THREADS"]
CREATE_PRIVATE_THREADS = BITS["CREATE_PRIVATE_THREADS"]
SEND_MESSAGES_IN_THREADS = BITS["SEND_MESSAGES_IN_THREADS"]
CONNECT = BITS["CONNECT"]
SPEAK = BITS["SPEAK"]
REQUEST_TO_SPEAK = BITS["REQUEST_TO_SPEAK"]
MUTE_MEMBERS = BITS["MUTE_MEMBERS"]
DEAFEN_MEMBERS = BITS["DEAFEN_MEMBERS"]
MOVE_MEMBERS = BITS["MOVE_MEMBERS"]
VIEW_AUDIT_LOG = BITS["VIEW_AUDIT_LOG"]
SEND_POLLS = BITS["SEND_POLLS"]
MANAGE_WEBHOOKS = BITS["MANAGE_WEBHOOKS"]
PIN_MESSAGES = BITS["PIN_MESSAGES"]
SET_VOICE_CHANNEL_STATUS = BITS["SET_VOICE_CHANNEL_STATUS"]
BYPASS_SLOWMODE = BITS["BYPASS_SLOWMODE"]
KICK_MEMBERS = BITS["KICK_MEMBERS"]
BAN_MEMBERS = BITS["BAN_MEMBERS"]
MANAGE_GUILD = BITS["MANAGE_GUILD"]
MANAGE_EVENTS = BITS["MANAGE_EVENTS"]
CREATE_EVENTS = BITS["CREATE_EVENTS"]
CREATE_INSTANT_INVITE = BITS["CREATE_INSTANT_INVITE"]
USE_EXTERNAL_EMOJIS = BITS["USE_EXTERNAL_EMOJIS"]
MANAGE_GUILD_EXPRESSIONS = BITS["MANAGE_GUILD_EXPRESSIONS"]
CREATE_GUILD_EXPRESSIONS = BITS["CREATE_GUILD_EXPRESSIONS"]
CHANGE_NICKNAME = BITS["CHANGE_NICKNAME"]
MANAGE_NICKNAMES = BITS["MANAGE_NICKNAMES"]
MODERATE_MEMBERS = BITS["MODERATE_MEMBERS"]
TIMED_OUT = VIEW_CHANNEL | READ_MESSAGE_HISTORY  # all that a timeout leaves


class Overwrite(NamedTuple):
    """What a channel allows and denies to one role (kind 0) or member (kind 1)."""

    target: str
    kind: int
    allow: int
    deny: int


def bits(names: Iterable[str]) -> int:
    """The union of named permissions. Raises ValueError for an unknown name."""
    value = 0
    for name in names:
        if name not in BITS:
            raise ValueError(f"there is no permission {name}")
        value |= BITS[name]
    return value


def names(value: int) -> list[str]:
    return [name for name, bit in BITS.items() if value & bit]


def in_channel(
    base: int, everyone: str, roles: Iterable[str], member: str, overwrites: Mapping[str, Overwrite]
) -> int:
    """Permissions after a channel's overwrites: @everyone, then the roles together, then the member."""
    if base & ADMINISTRATOR:
        return ALL
    value = base
    if (own := overwrites.get(everyone)) is not None:
        value = value & ~own.deny | own.allow
    allow = deny = 0
    for role in roles:
        if (own := overwrites.get(role)) is not None:
            allow |= own.allow
            deny |= own.deny
    value = value & ~deny | allow
    if (own := overwrites.get(member)) is not None:
        value = value & ~own.deny | own.allow
    return value if value & VIEW_CHANNEL else 0
