"""Escape text for Discord: no mentions, no formatting from outside, cut to Discord's limits.

Lengths count UTF-16 units, as Discord's clients do; text that fits in them also fits in code points.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime

from bot.domain import formatting

CONTENT = 2000
EMBED_DESCRIPTION = 4096
EMBED_TITLE = 256
CARD = 4000
CHOICE = 100
LABEL = 80
THREAD_NAME = 100

_ELLIPSIS = "…"
_ZERO = "\u200b"
# Unicode categories that are never shown: control characters, surrogates, private use, unassigned.
_NEVER = ("Cc", "Cs", "Co", "Cn")
_DIRECTIONS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\ufeff"
# The start of a mention, timestamp, emoji, command or link, and @everyone.
_OPENS = re.compile(r"<(?=[@#:/]|a:|t:|id:)|@(?=everyone|here)", re.IGNORECASE)
# Timestamps of our own sentences stay: they are harmless.
_OPENS_BUT_TIMES = re.compile(r"(?!<t:-?\d{1,13}(?::[tTdDfFR])?>)" + f"(?:{_OPENS.pattern})", re.IGNORECASE)
_URL = re.compile(r"https?://[A-Za-z0-9.-]+(?::\d+)?(?:/[A-Za-z0-9._~%/+=&?#-]*)?")
_MARKS = re.compile(r"([\\*_~`|>\[\]()#])")
_BULLET = re.compile(r"^(\s*\d*)([-+.])(?=\s)", re.MULTILINE)
_SENTENCE_MARKS = re.compile(r"\](?=\()")
_SENTENCE_START = re.compile(r"^(\s*)(#{1,3}\s|-#\s|>{1,3}\s)", re.MULTILINE)


def units(text: str) -> int:
    """Length as Discord counts it."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


_HALF_A_TIME = re.compile(r"<(?:t(?::[^>]*)?)?$")


def cut(text: str, limit: int) -> str:
    """At most `limit` units, ending in an ellipsis when cut. Never splits an escape or a character."""
    if limit <= 0:
        return ""
    if units(text) <= limit:
        return text
    left, kept = limit - 1, 0
    for index, char in enumerate(text):
        left -= 2 if ord(char) > 0xFFFF else 1
        if left < 0:
            kept = index
            break
    short = text[:kept]
    while short and (unicodedata.combining(short[-1]) or short[-1] in "\u200d\ufe0f"):
        short = short[:-1]
    short = _HALF_A_TIME.sub("", short)
    trailing = len(short) - len(short.rstrip("\\"))
    if trailing % 2:
        short = short[:-1]
    if short.count("`") % 2:
        short = short[: short.rindex("`")]
    return short.rstrip() + _ELLIPSIS


def _printable(text: str, *, lines: bool) -> str:
    """`text` without control and direction characters; `lines` keeps line breaks."""
    if text.isprintable():  # most are
        return text
    kept = []
    for char in text:
        if char in "\n\r\t\u2028\u2029":
            kept.append("\n" if lines and char != "\t" else " ")
        elif unicodedata.category(char) not in _NEVER and char not in _DIRECTIONS:
            kept.append(char)
    return "".join(kept)


def _defuse(text: str, opens: re.Pattern[str] = _OPENS) -> str:
    return opens.sub(lambda m: m.group(0) + _ZERO, text)


def _escaped(text: str) -> str:
    return _BULLET.sub(r"\1\\\2", _MARKS.sub(r"\\\1", _defuse(text)))


def plain(text: str, limit: int) -> str:
    """Text of a person on one line, without formatting or mentions. Plain web addresses still work."""
    line = re.sub(r"\s+", " ", _printable(text, lines=False)).strip()
    # Cut before escaping as well, to avoid work on a wall of text.
    line = cut(line, limit)
    out, at = [], 0
    for url in _URL.finditer(line):
        out += [_escaped(line[at : url.start()]), url.group(0)]
        at = url.end()
    out.append(_escaped(line[at:]))
    return cut("".join(out), limit)


def code(text: str, limit: int = 64) -> str:
    """A name in a code span, such as a version. An empty name is shown as a dash."""
    line = re.sub(r"\s+", " ", _printable(text, lines=False)).replace("`", "'").strip()
    return f"`{cut(_defuse(line), limit - 2) or '-'}`"


def sentence(text: str, limit: int) -> str:
    """A sentence of ours with outside text in it: code spans and times stay; mentions, links and headings do not."""
    lines = times(re.sub(r"[ \t]+", " ", _printable(text, lines=True)).strip())
    safe = _SENTENCE_MARKS.sub("]" + _ZERO, _defuse(lines, _OPENS_BUT_TIMES))
    return cut(_SENTENCE_START.sub(lambda m: f"{m.group(1)}{_ZERO}{m.group(2)}", safe), limit)


def name(text: str, limit: int = CHOICE) -> str:
    """Plain text for choices, labels and thread names: one line, never empty."""
    return cut(re.sub(r"\s+", " ", _printable(text, lines=False)).strip(), limit) or "-"


def times(text: str) -> str:
    """`text` with the stamps of our own sentences as Discord's times."""
    return formatting.with_times(text, relative)


def relative(at: datetime) -> str:
    """`in 5 minutes`, kept current by Discord without an edit."""
    return f"<t:{int(at.timestamp())}:R>"


def clock(at: datetime) -> str:
    """`14:03:20` in the reader's own time zone."""
    return f"<t:{int(at.timestamp())}:T>"


def brief(at: datetime) -> str:
    """Date and time in the reader's own time zone, in figures: short enough for a line of a list on a phone."""
    return f"<t:{int(at.timestamp())}:d> <t:{int(at.timestamp())}:t>"


def moment(at: datetime) -> str:
    """Date and time in the reader's own time zone."""
    return f"<t:{int(at.timestamp())}:f>"
