"""Numbers as people read them on a card: percentages, durations, counts."""

from __future__ import annotations

import math


def percent(proportion: float) -> str:
    """`0.0312` -> `"3.1 %"`: two significant digits, and never `"0 %"` for what is not zero."""
    value = proportion * 100
    if value == 0 or not math.isfinite(value):
        return "0 %" if value == 0 else f"{value} %"
    if abs(value) >= 10:
        # "100 %" is said only of all of them: 99.7 % must not read as everything.
        whole = round(value)
        return f"{value:.1f} %" if whole == 100 and value != 100 else f"{whole} %"
    digits = max(0, 1 - math.floor(math.log10(abs(value))))
    return f"{float(f'{value:.{digits}f}'):g} %"


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


def count(number: int) -> str:
    """`12345` -> `"12,345"`."""
    return f"{number:,}"


LONGEST_REASON = 1000


def clean(text: str, longest: int = LONGEST_REASON) -> str:
    """Without characters that cannot be stored, and cut; what may be shown is decided where it is shown."""
    kept = text.replace("\0", "").encode("utf-8", "replace").decode("utf-8").strip()
    return kept if len(kept) <= longest else f"{kept[: longest - 1]}…"
