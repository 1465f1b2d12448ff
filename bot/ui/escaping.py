"""Text from outside, made safe to show: neutralised, cut to Discord's limits, unable to ping or to format.

Lengths are counted in UTF-16 units, as Discord's clients do: what fits in them fits in code points too.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime

CONTENT = 2000
EMBED_DESCRIPTION = 4096
EMBED_TITLE = 256
CARD = 4000
CHOICE = 100
LABEL = 80
THREAD_NAME = 100

_ELLIPSIS = "…"
_ZERO = "\u200b"
# What would start a mention, a timestamp, an emoji, a command or a link, and what pings everybody.
_NEVER = ("Cc", "Cs", "Co", "Cn")
_DIRECTIONS = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\ufeff"
_OPENS = re.compile(r"<(?=[@#:/]|a:|t:|id:)|@(?=everyone|here)", re.IGNORECASE)
# Our own sentences may carry timestamps, which can do no harm.
_OPENS_BUT_TIMES = re.compile(r"(?!<t:-?\d{1,13}(?::[tTdDfFR])?>)" + f"(?:{_OPENS.pattern})", re.IGNORECASE)
_URL = re.compile(r"https?://[A-Za-z0-9.-]+(?::\d+)?(?:/[A-Za-z0-9._~%/+=&?#-]*)?")
_MARKS = re.compile(r"([\\*_~`|>\[\]()#])")
_BULLET = re.compile(r"^(\s*\d*)([-+.])(?=\s)", re.MULTILINE)
_SENTENCE_MARKS = re.compile(r"\](?=\()")
_SENTENCE_START = re.compile(r"^(\s*)(#{1,3}\s|-#\s|>{1,3}\s)", re.MULTILINE)


def units(text: str) -> int:
    """Length as Discord counts it."""
    return len(text) + sum(ord(c) > 0xFFFF for c in text)


_HALF_A_TIME = re.compile(r"<(?:t(?::[^>]*)?)?$")


def cut(text: str, limit: int) -> str:
    """At most `limit` units; what was cut ends in an ellipsis. Never half an escape or half a character."""
    if limit <= 0:
        return ""
    if units(text) <= limit:
        return text
    channels, kept = limit - 1, 0
    for index, char in enumerate(text):
        channels -= 2 if ord(char) > 0xFFFF else 1
        if channels < 0:
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
    """Without control and direction characters; line breaks stay only where `lines` says so."""
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
    """A person's words on one line: nothing in them formats or pings; bare web addresses stay usable."""
    line = re.sub(r"\s+", " ", _printable(text, lines=False)).strip()
    # Cut before escaping too, so that no work is done on a wall of text.
    line = cut(line, limit)
    out, at = [], 0
    for url in _URL.finditer(line):
        out += [_escaped(line[at : url.start()]), url.group(0)]
        at = url.end()
    out.append(_escaped(line[at:]))
    return cut("".join(out), limit)


def code(text: str, limit: int = 64) -> str:
    """A name in a code span: versions, services. Empty names show as a dash."""
    line = re.sub(r"\s+", " ", _printable(text, lines=False)).replace("`", "'").strip()
    return f"`{cut(_defuse(line), limit - 2) or '-'}`"


def sentence(text: str, limit: int) -> str:
    """One of our sentences that may carry outside words: code spans stay; pings, links and headings do not."""
    lines = re.sub(r"[ \t]+", " ", _printable(text, lines=True)).strip()
    safe = _SENTENCE_MARKS.sub("]" + _ZERO, _defuse(lines, _OPENS_BUT_TIMES))
    return cut(_SENTENCE_START.sub(lambda m: f"{m.group(1)}{_ZERO}{m.group(2)}", safe), limit)


def name(text: str, limit: int = CHOICE) -> str:
    """Where Discord formats nothing (choices, labels, thread names): one line, not empty."""
    return cut(re.sub(r"\s+", " ", _printable(text, lines=False)).strip(), limit) or "-"


def relative(at: datetime) -> str:
    """`in 5 minutes`, counted by Discord itself, without an edit."""
    return f"<t:{int(at.timestamp())}:R>"


def clock(at: datetime) -> str:
    """`14:03:20` in the reader's own time zone."""
    return f"<t:{int(at.timestamp())}:T>"


def moment(at: datetime) -> str:
    """Date and time in the reader's own time zone."""
    return f"<t:{int(at.timestamp())}:f>"
