"""Signatures of webhooks: HMAC-SHA256 over timestamp and body as Slipway makes them, or over the body alone."""

from __future__ import annotations

import hashlib
import hmac

TIMESTAMP, SIGNATURE = "Slipway-Timestamp", "Slipway-Signature"
# How far the clocks of both sides may be apart, and how long a request can be repeated.
TOLERANCE_S = 300.0


def signature(secret: str, timestamp: str, body: bytes) -> str:
    return f"v1={of_body(secret, f'{timestamp}.'.encode() + body)}"


def of_body(secret: str, body: bytes) -> str:
    """In hex, as GitHub and Sentry sign."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def same(expected: str, given: str) -> bool:
    """Whether two texts are equal, compared in constant time."""
    return hmac.compare_digest(expected.encode(), given.encode(errors="replace"))


def problem(
    secret: str, timestamp: str, signed: str, body: bytes, now: float, *, tolerance_s: float = TOLERANCE_S
) -> str:
    """What is wrong with a signed request, as a sentence; empty when nothing is. `now`: seconds since the epoch."""
    if not same(signature(secret, timestamp, body), signed):
        return f"The signature in {SIGNATURE} does not match."
    if not timestamp.isascii() or not timestamp.isdigit() or abs(now - int(timestamp)) > tolerance_s:
        return f"{TIMESTAMP} is more than {tolerance_s:g} s from now."
    return ""
