"""Sums over the last so many seconds, in at most thirteen slots, so that a stored window stays small."""

from __future__ import annotations

SLOTS = 12

# One slot: when it began (unix seconds, a multiple of the slot's length), then the sums in it.
Slot = tuple[float, ...]
Window = tuple[Slot, ...]


def push(window: Window, span_s: float, at: float, values: tuple[int, ...]) -> Window:
    """The window with `values` added at time `at`, without slots that are older than `span_s`."""
    length = span_s / SLOTS
    begin = at // length * length
    if window and window[-1][0] >= begin:
        last = window[-1]
        merged = (last[0], *[a + b for a, b in zip(last[1:], values, strict=True)])
        kept = (*window[:-1], merged)
    else:
        kept = (*window, (begin, *values))
    oldest = at - span_s
    while kept[0][0] + length <= oldest:
        kept = kept[1:]
    return kept


def sums(window: Window, width: int) -> tuple[int, ...]:
    """The `width` sums over the whole window; zeros when it is empty."""
    if not window:
        return (0,) * width
    return tuple(int(sum(column)) for column in list(zip(*window, strict=True))[1:])
