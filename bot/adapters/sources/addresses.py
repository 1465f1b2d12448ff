"""Classification of IP addresses as public or internal, also when one address is written inside another."""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address

# The only global unicast range of IPv6 in use; what else a library considers global differs by version.
_GLOBAL_UNICAST = IPv6Network("2000::/3")
# Prefixes behind which a gateway or tunnel continues to the IPv4 address in the last 32 bits.
_ENDS_IN_IPV4 = (
    IPv6Network("::/96"),  # IPv4-compatible, deprecated
    IPv6Network("64:ff9b::/96"),  # NAT64, RFC 6052
)
_RELAY_ANYCAST = ipaddress.IPv4Network("192.88.99.0/24")  # 6to4 relays, RFC 7526


def address(text: str) -> Address | None:
    """`text` as an IP address, without an interface; None for a name."""
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None


def is_public(where: Address) -> bool:
    """Whether a connection to it leaves the network: every address on the way is a global one.

    NAT64's local prefix (64:ff9b:1::/48, RFC 8215) is never public: only the local network knows where in it the IPv4
    address is and where that leads.
    """
    if isinstance(where, IPv4Address):
        return where.is_global and not where.is_multicast and where not in _RELAY_ANYCAST
    inner = _embedded(where)
    if inner:
        return all(map(is_public, inner))
    return where in _GLOBAL_UNICAST and where.is_global


def is_loopback(where: Address) -> bool:
    """Whether it is a loopback address."""
    mapped = where.ipv4_mapped if isinstance(where, IPv6Address) else None
    return (mapped or where).is_loopback


def _embedded(where: IPv6Address) -> tuple[IPv4Address, ...]:
    """The IPv4 addresses that a transition mechanism leads to."""
    if where.ipv4_mapped is not None:
        return (where.ipv4_mapped,)
    if where.sixtofour is not None:
        return (where.sixtofour,)
    if where.teredo is not None:
        return where.teredo
    if any(where in network for network in _ENDS_IN_IPV4):
        return (IPv4Address(int(where) & 0xFFFFFFFF),)
    return ()
