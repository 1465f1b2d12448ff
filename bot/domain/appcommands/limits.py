"""Discord's limits on application commands, in one place.

From Discord's documentation ("Application Commands") and its OpenAPI description, version 10. Lengths are
counted in Unicode code points.
"""

from __future__ import annotations

import unicodedata

CHAT_INPUT, USER, MESSAGE, PRIMARY_ENTRY_POINT = 1, 2, 3, 4
PER_SCOPE = {CHAT_INPUT: 100, USER: 15, MESSAGE: 15, PRIMARY_ENTRY_POINT: 1}
TYPE_NAMES = {
    CHAT_INPUT: "slash command",
    USER: "user command",
    MESSAGE: "message command",
    PRIMARY_ENTRY_POINT: "entry point",
}

SUB_COMMAND, SUB_COMMAND_GROUP, STRING, INTEGER, BOOLEAN = 1, 2, 3, 4, 5
OPTION_USER, CHANNEL, ROLE, MENTIONABLE, NUMBER, ATTACHMENT = 6, 7, 8, 9, 10, 11
OPTION_TYPES = range(1, 12)
OPTION_TYPE_NAMES = {
    SUB_COMMAND: "sub-command",
    SUB_COMMAND_GROUP: "sub-command group",
    STRING: "string",
    INTEGER: "integer",
    BOOLEAN: "boolean",
    OPTION_USER: "user",
    CHANNEL: "channel",
    ROLE: "role",
    MENTIONABLE: "mentionable",
    NUMBER: "number",
    ATTACHMENT: "attachment",
}
WITH_CHOICES = frozenset({STRING, INTEGER, NUMBER})
NUMERIC = frozenset({INTEGER, NUMBER})

NAME = 32
DESCRIPTION = 100
OPTIONS = 25
CHOICES = 25
CHOICE_NAME = 100
CHOICE_VALUE = 100
TOTAL = 8000
STRING_LENGTH = 6000
INT53 = 2**53 - 1  # whole numbers; others go to 2^53
IN_ALL = 130  # OpenAPI: all types together
CREATES_A_DAY = 200
MAX_PERMISSIONS = 18014398509481983  # OpenAPI: default_member_permissions
INTEGRATION_TYPES = frozenset({0, 1})
CONTEXTS = frozenset({0, 1, 2})
HANDLERS = frozenset({1, 2})
CHANNEL_TYPES = frozenset({0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 16})
LOCALES = frozenset(
    "ar bg cs da de el en-GB en-US es-419 es-ES fi fr he hi hr hu id it ja ko lt nl no pl pt-BR ro ru "
    "sv-SE th tr uk vi zh-CN zh-TW".split()
)

_DEVANAGARI = ((0x0900, 0x0950), (0x0955, 0x0963), (0x0966, 0x097F), (0xA8E0, 0xA8FF), (0x11B00, 0x11B09))
_THAI = ((0x0E01, 0x0E3A), (0x0E40, 0x0E5B))


def name_character(c: str) -> bool:
    """Whether `[-_'\\p{L}\\p{N}\\p{sc=Deva}\\p{sc=Thai}]` matches this character."""
    if c in "-_'" or unicodedata.category(c)[0] in "LN":
        return True
    code = ord(c)
    return any(low <= code <= high for low, high in (*_DEVANAGARI, *_THAI))


def lower_cased(name: str) -> bool:
    """Whether every letter that has a lower-case variant is in it."""
    return all(c == c.lower() for c in name)
