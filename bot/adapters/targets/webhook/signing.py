"""Signatures of webhooks, the same in both directions: HMAC-SHA256 over timestamp and body."""

from __future__ import annotations

import hashlib
import hmac

TIMESTAMP, SIGNATURE = "Slipway-Timestamp", "Slipway-Signature"
# How far the clocks of both sides may be apart, and how long a request can be repeated.
TOLERANCE_S = 300.0


def signature(secret: str, timestamp: str, body: bytes) -> str:
    signed = hmac.new(secret.encode(), f"{timestamp}.".encode() + body, hashlib.sha256)
    return f"v1={signed.hexdigest()}"


def problem(secret: str, timestamp: str, signed: str, body: bytes, now: float) -> str:
    """What is wrong with a signed request, as a sentence; empty when nothing is. `now`: seconds since the epoch."""
    if not hmac.compare_digest(signature(secret, timestamp, body).encode(), signed.encode(errors="replace")):
        return f"The signature in {SIGNATURE} does not match."
    if not timestamp.isascii() or not timestamp.isdigit() or abs(now - int(timestamp)) > TOLERANCE_S:
        return f"{TIMESTAMP} is more than {TOLERANCE_S:g} s from now."
    return ""
