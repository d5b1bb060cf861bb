"""Which IP addresses may be reached.

Rule 1: an address is public only if no table below holds it; every entry of the IANA special-purpose registries
counts, also those marked globally reachable, because `ipaddress.is_global` differs between Python's versions.
Rule 2: an IPv6 address that carries an IPv4 address is judged as the IPv6 address it is; the one exception is
NAT64's well-known prefix, which reaches exactly the embedded address.
Rule 3: an operator's network is compared with the address as it is, and never through an embedded address.

Sources: IANA IPv4 and IPv6 Special-Purpose Address Registries (RFC 6890), RFC 6052 section 2.1 for NAT64.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

Network = IPv4Network | IPv6Network


class AddressKind(StrEnum):
    """What an address is for. Only PUBLIC may be reached without an operator's leave."""

    PUBLIC = "public"
    UNSPECIFIED = "unspecified"
    LOOPBACK = "loopback"
    PRIVATE = "private"  # RFC 1918, RFC 4193
    SHARED = "shared"  # behind a carrier's NAT, RFC 6598
    LINK_LOCAL = "link_local"
    SITE_LOCAL = "site_local"
    MULTICAST = "multicast"
    DOCUMENTATION = "documentation"
    BENCHMARK = "benchmark"
    SPECIAL = "special"  # another assignment of the registries: anycast relays, AS112, ORCHID, discard
    RESERVED = "reserved"  # space that nobody was given
    CLOUD_HOST = "cloud_host"  # an endpoint of the machine's host in public space
    EMBEDDED_IPV4 = "embedded_ipv4"  # mapped, compatible, 6to4, or NAT64 of an address that is not public
    ZONED = "zoned"  # carries a zone id
    UNREADABLE = "unreadable"


_K = AddressKind
_IPV4_KINDS: Final = tuple(
    (IPv4Network(network), kind)
    for network, kind in (
        ("0.0.0.0/8", _K.UNSPECIFIED),
        ("10.0.0.0/8", _K.PRIVATE),
        ("100.64.0.0/10", _K.SHARED),
        ("127.0.0.0/8", _K.LOOPBACK),
        ("168.63.129.16/32", _K.CLOUD_HOST),
        ("169.254.0.0/16", _K.LINK_LOCAL),
        ("172.16.0.0/12", _K.PRIVATE),
        ("192.0.0.0/24", _K.SPECIAL),
        ("192.0.2.0/24", _K.DOCUMENTATION),
        ("192.31.196.0/24", _K.SPECIAL),
        ("192.52.193.0/24", _K.SPECIAL),
        ("192.88.99.0/24", _K.SPECIAL),
        ("192.168.0.0/16", _K.PRIVATE),
        ("192.175.48.0/24", _K.SPECIAL),
        ("198.18.0.0/15", _K.BENCHMARK),
        ("198.51.100.0/24", _K.DOCUMENTATION),
        ("203.0.113.0/24", _K.DOCUMENTATION),
        ("224.0.0.0/4", _K.MULTICAST),
        ("240.0.0.0/4", _K.RESERVED),
    )
)
_IPV6_GLOBAL_UNICAST: Final = IPv6Network("2000::/3")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_CARRIES_IPV4_AT_THE_END: Final = tuple(
    IPv6Network(network) for network in ("::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48")
)
_IPV6_KINDS: Final = tuple(  # the first that fits; outside 2000::/3 what is not here is reserved
    (IPv6Network(network), kind)
    for network, kind in (
        ("::/128", _K.UNSPECIFIED),
        ("::1/128", _K.LOOPBACK),
        ("::ffff:0:0/96", _K.EMBEDDED_IPV4),
        ("::/96", _K.EMBEDDED_IPV4),
        ("64:ff9b:1::/48", _K.PRIVATE),
        ("100::/64", _K.SPECIAL),
        ("2001::/23", _K.SPECIAL),
        ("2001:db8::/32", _K.DOCUMENTATION),
        ("2002::/16", _K.EMBEDDED_IPV4),
        ("2620:4f:8000::/48", _K.SPECIAL),
        ("3fff::/20", _K.DOCUMENTATION),
        ("5f00::/16", _K.SPECIAL),
        ("fc00::/7", _K.PRIVATE),
        ("fe80::/10", _K.LINK_LOCAL),
        ("fec0::/10", _K.SITE_LOCAL),
        ("ff00::/8", _K.MULTICAST),
    )
)

# Endpoints that hand a machine's identity to whoever asks from that machine: the general one, container and pod
# credentials, the resolver and time beside them, and the providers that chose another address.
_CLOUD_METADATA: Final = frozenset(
    ip_address(address)
    for address in (
        "169.254.169.254",
        "169.254.169.253",
        "169.254.169.123",
        "169.254.170.2",
        "169.254.170.23",
        "169.254.0.23",
        "169.254.42.42",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "fd00:ec2::254",
        "fd00:ec2::253",
        "fd00:ec2::123",
        "fd00:ec2::23",
        "fd20:ce::254",
        "fd00:42::42",
    )
)


@lru_cache(maxsize=1024)
def classify(address: str) -> AddressKind:
    """Say what `address` is for. Never raises: a text that is no address is UNREADABLE.

    Args:
        address: an IPv4 or IPv6 address as a resolver gives it, without brackets or port.
    """
    parsed = _parse(address)
    if parsed is None:
        return AddressKind.UNREADABLE
    return _kind_of_ipv4(parsed) if isinstance(parsed, IPv4Address) else _kind_of_ipv6(parsed)


def address_allowed(address: str, allow_private: Sequence[Network]) -> bool:
    """Say whether `address` is public or lies in one of the networks. Never raises.

    Args:
        address: an IPv4 or IPv6 address as a resolver gives it, without brackets or port.
        allow_private: networks that are not public and may be reached all the same.
    """
    parsed = _parse(address)
    if parsed is None:
        return False
    return classify(address) is AddressKind.PUBLIC or any(parsed in network for network in allow_private)


@lru_cache(maxsize=1024)
def is_cloud_metadata(address: str) -> bool:
    """Say whether `address` is, or carries, the address of a cloud's metadata endpoint. Never raises.

    Such an address may be reached only where an operator names it alone, never by a range that holds it.
    """
    parsed = _parse(address)
    return parsed is not None and any(candidate in _CLOUD_METADATA for candidate in _itself_and_embedded(parsed))


def operator_allows(address: str, operator_networks: Sequence[Network]) -> bool:
    """Say whether `address` may be reached under an operator's networks: `address_allowed`, but for cloud metadata
    only an entry of that one address counts. Never raises.

    Args:
        address: an IPv4 or IPv6 address as a resolver gives it, without brackets or port.
        operator_networks: the networks of the operator's settings that this request may use.
    """
    if is_cloud_metadata(address):
        operator_networks = [network for network in operator_networks if network.num_addresses == 1]
    return address_allowed(address, operator_networks)


@lru_cache(maxsize=1024)  # the same few addresses are dialled again and again
def _parse(address: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(address)
    except ValueError:
        return None


def _kind_of_ipv4(address: IPv4Address) -> AddressKind:
    return next((kind for network, kind in _IPV4_KINDS if address in network), AddressKind.PUBLIC)


def _kind_of_ipv6(address: IPv6Address) -> AddressKind:
    if address.scope_id is not None:
        return AddressKind.ZONED
    if address in _NAT64:
        embedded = _kind_of_ipv4(_low_ipv4(address))
        return embedded if embedded is AddressKind.PUBLIC else AddressKind.EMBEDDED_IPV4
    otherwise = AddressKind.PUBLIC if address in _IPV6_GLOBAL_UNICAST else AddressKind.RESERVED
    return next((kind for network, kind in _IPV6_KINDS if address in network), otherwise)


def _low_ipv4(address: IPv6Address) -> IPv4Address:
    return IPv4Address(int(address) & 0xFFFF_FFFF)


def _itself_and_embedded(address: IPv4Address | IPv6Address) -> Iterator[IPv4Address | IPv6Address]:
    if isinstance(address, IPv4Address):
        yield address
        return
    plain = IPv6Address(int(address))  # a zone id does not make it another machine
    yield plain
    if any(plain in network for network in _CARRIES_IPV4_AT_THE_END):
        yield _low_ipv4(plain)
    if plain.sixtofour is not None:
        yield plain.sixtofour
