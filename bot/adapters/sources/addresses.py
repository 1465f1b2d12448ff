"""Classification of IP addresses as public or internal, also when one address is written inside another."""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address

# The only global unicast range of IPv6 in use; what else a library considers global differs by version.
_GLOBAL_UNICAST = IPv6Network("2000::/3")
# Prefixes behind which a gateway or tunnel continues to the IPv4 address in the last 32 bits.
_ENDS_IN_IPV4 = (
    IPv6Network("::/96"),  # IPv4-compatible, deprecated
    IPv6Network("64:ff9b::/96"),  # NAT64, RFC 6052
)
# For special purposes, by IANA's registries: what a library knows of them differs by its version.
_SPECIAL = (
    IPv4Network("192.0.0.0/24"),  # protocol assignments, RFC 6890: parts of it are in every network
    IPv4Network("192.88.99.0/24"),  # 6to4 relays, RFC 7526
    IPv6Network("2001::/23"),  # protocol assignments, RFC 2928
    IPv6Network("2001:db8::/32"),  # documentation
    IPv6Network("3fff::/20"),  # documentation, RFC 9637
)
# The first half of an ISATAP interface's id, behind any prefix (RFC 5214), without the bits for scope and group.
_ISATAP, _SCOPE_AND_GROUP = 0x00005EFE, 0x03000000


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
        return where.is_global and not where.is_multicast and not _is_special(where)
    inner = _embedded(where)
    if (isatap := _behind_isatap(where)) is not None and not is_public(isatap):
        return False
    if inner:
        return all(map(is_public, inner))
    return where in _GLOBAL_UNICAST and where.is_global and not _is_special(where)


def is_loopback(where: Address) -> bool:
    """Whether it is a loopback address."""
    mapped = where.ipv4_mapped if isinstance(where, IPv6Address) else None
    return (mapped or where).is_loopback


def _is_special(where: Address) -> bool:
    return any(where in network for network in _SPECIAL if network.version == where.version)


def _behind_isatap(where: IPv6Address) -> IPv4Address | None:
    """The machine behind an ISATAP router, which passes what it gets on to that IPv4 address."""
    interface = int(where) & 0xFFFFFFFFFFFFFFFF
    if interface >> 32 & ~_SCOPE_AND_GROUP != _ISATAP:
        return None
    return IPv4Address(interface & 0xFFFFFFFF)


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
