"""Format numbers, durations and times for people."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime

LONGEST_REASON = 1000

_STAMP = re.compile(r"⟨(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)⟩")
# Control characters, lone surrogates, unassigned and private code points, and marks that change the text direction.
_UNPRINTABLE = frozenset({"Cc", "Cs", "Cn", "Co"})
_DIRECTION = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
_INVISIBLE = frozenset({"Cf", "Mn", "Zs", "Zl", "Zp"})


def percent(proportion: float) -> str:
    """`0.0312` -> `"3.1%"`: two significant digits, and never `"0%"` for a proportion above zero."""
    value = proportion * 100
    if value == 0 or not math.isfinite(value):
        return "0%" if value == 0 else f"{value}%"
    if round(value) == 100 and value != 100:
        return f"{value:.1f}%"  # "100%" means all of them: 99.7% must not read as everything.
    digits = max(0, 1 - math.floor(math.log10(abs(value))))
    return f"{round(value, digits):.15g}%"


def times(ratio: float) -> str:
    """`4.23` -> `"4.2 times"`."""
    return f"{ratio:.2g} times" if ratio < 100 else f"{ratio:.0f} times"


def duration(seconds: float) -> str:
    """Seconds as `"250 ms"`, `"2.5 s"`, `"90 s"`, `"5 min"`, `"1 h 30 min"`."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.3g} ms" if seconds else "0 s"
    if seconds < 120:
        return f"{round(seconds, 1):g} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def rough_age(made_at: datetime, now: datetime) -> str:
    """`"12 min"`, `"5 h"`, `"12 days"`."""
    minutes = max(1, round((now - made_at).total_seconds() / 60))
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else counted(minutes // (24 * 60), "day")


def count(number: int) -> str:
    """`12345` -> `"12,345"`."""
    return f"{number:,}"


def counted(number: int, noun: str) -> str:
    """`(1, "rollout")` -> `"1 rollout"`, `(3, "rollout")` -> `"3 rollouts"`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def stamp(at: datetime) -> str:
    """A time inside a sentence, as `⟨2026-11-20T14:03:20Z⟩`. `with_times` formats it where the sentence is shown."""
    return f"⟨{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}⟩"


def with_times(text: str, show: Callable[[datetime], str]) -> str:
    """`text` with every stamp replaced by what `show` makes of its time (UTC)."""

    def shown(found: re.Match[str]) -> str:
        try:
            return show(datetime.fromisoformat(found[1]))
        except ValueError:
            return found[1]

    return _STAMP.sub(shown, text)


def plain_time(at: datetime, now: datetime) -> str:
    """A time for terminals: `"in 2 h (14:03 UTC)"`, `"3 min ago (14:03 UTC)"`, with the date when it is another day."""
    away = (at - now).total_seconds()
    # Seconds matter only within two minutes, minutes only within two days.
    unit = 1 if abs(away) < 120 else 60 if abs(away) < 172_800 else 3600
    length = duration(round(abs(away) / unit) * unit)
    at, now = at.astimezone(UTC), now.astimezone(UTC)
    clock = f"{at:%H:%M} UTC" if at.date() == now.date() else f"{at:%Y-%m-%d %H:%M} UTC"
    return f"in {length} ({clock})" if away > 0 else f"{length} ago ({clock})"


def clean(text: str, longest: int = LONGEST_REASON) -> str:
    """`text` without characters that cannot be stored, at most `longest` characters. Escape it where it is shown."""
    kept = text.replace("\0", "").encode(errors="replace").decode().strip()
    return kept if len(kept) <= longest else f"{kept[: longest - 1]}…"


def one_line(text: str, longest: int) -> str:
    """`text` on one line of at most `longest` characters; empty when nothing in it can be seen."""
    # Cut first as well: no work is done on a wall of text.
    kept = [
        " " if char.isspace() else char
        for char in text[: 8 * longest]
        if char.isspace() or (unicodedata.category(char) not in _UNPRINTABLE and char not in _DIRECTION)
    ]
    if all(unicodedata.category(char) in _INVISIBLE for char in kept):
        return ""
    line = " ".join("".join(kept).split())
    return line if len(line) <= longest else f"{line[: longest - 1].rstrip()}…"
