"""What is said of how long requests take."""

from __future__ import annotations

from bot.domain.formatting import duration


def latency_about(quantile: float, above_s: float, upto_s: float | None, limit_s: float) -> str:
    """`p95 about 250–500 ms (limit 800 ms)`, as a histogram tells it. upto_s: None where it has no higher bound."""
    named, limit = f"p{quantile * 100:.6g}", f"(limit {duration(limit_s)})"
    if upto_s is None:
        return f"{named} above {duration(above_s)} {limit}"
    if not above_s:
        return f"{named} up to {duration(upto_s)} {limit}"
    low, high = duration(above_s), duration(upto_s)
    number, _, unit = low.partition(" ")
    shared = " " not in unit and high.endswith(f" {unit}")
    return f"{named} about {number if shared else low}–{high} {limit}"
