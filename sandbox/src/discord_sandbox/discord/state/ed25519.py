"""Ed25519 signatures (RFC 8032), for local tests only: neither fast nor safe from someone who measures it."""

import functools
import hashlib

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P

Point = tuple[int, int, int, int]


def _base() -> Point:
    y = 4 * pow(5, _P - 2, _P) % _P
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * pow(2, (_P - 1) // 4, _P) % _P
    x = _P - x if x % 2 else x
    return x, y, 1, x * y % _P


def _add(one: Point, other: Point) -> Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c = 2 * one[3] * other[3] * _D % _P
    d = 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _times(factor: int, point: Point) -> Point:
    found: Point = (0, 1, 1, 0)
    while factor:
        if factor & 1:
            found = _add(found, point)
        point = _add(point, point)
        factor >>= 1
    return found


def _packed(point: Point) -> bytes:
    inverse = pow(point[2], _P - 2, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


_BASE = _base()


@functools.cache
def _expanded(seed: bytes) -> tuple[int, bytes, bytes]:
    """The secret factor, the prefix of nonces, and the public key."""
    digest = hashlib.sha512(seed).digest()
    factor = int.from_bytes(digest[:32], "little") & (1 << 254) - 8 | 1 << 254
    return factor, digest[32:], _packed(_times(factor, _BASE))


def public_key(seed: bytes) -> bytes:
    """32 bytes, of a secret of 32 bytes."""
    return _expanded(seed)[2]


def sign(seed: bytes, message: bytes) -> bytes:
    """64 bytes."""
    factor, prefix, key = _expanded(seed)
    nonce = int.from_bytes(hashlib.sha512(prefix + message).digest(), "little") % _ORDER
    start = _packed(_times(nonce, _BASE))
    challenge = int.from_bytes(hashlib.sha512(start + key + message).digest(), "little") % _ORDER
    return start + ((nonce + challenge * factor) % _ORDER).to_bytes(32, "little")


def seed_of(application_id: str) -> bytes:
    """An application's secret: the same in every run, and known to everyone who reads this."""
    return hashlib.sha256(f"discord-sandbox/{application_id}".encode()).digest()
