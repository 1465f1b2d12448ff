"""Ids of traces and spans, derived from what they are about: every process gives the same ones, after a restart too."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from bot.domain.rollout.model import Identity

_TRACE_BYTES, _SPAN_BYTES = 16, 8


def trace_id_of(identity: Identity) -> str:
    """A rollout's trace id: 32 hexadecimal digits, as W3C Trace Context has them."""
    number, requested_at = identity
    return _hashed(_TRACE_BYTES, "rollout", str(number), moment(requested_at))


def span_id_of(trace_id: str, *what: str) -> str:
    """The id of the span that `what` names in its trace: 16 hexadecimal digits."""
    return _hashed(_SPAN_BYTES, trace_id, *what)


def moment(at: datetime | None) -> str:
    """A time as a part of an id: to the microsecond, as the database keeps it, in UTC."""
    return at.astimezone(UTC).isoformat(timespec="microseconds") if at is not None else ""


def _hashed(size: int, *parts: str) -> str:
    digest = hashlib.sha256("\0".join(parts).encode()).digest()[:size]
    # All zeros is the one id that is not valid.
    return (digest if any(digest) else b"\1" * size).hex()
