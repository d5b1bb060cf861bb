"""Where a request comes from, as far as it can be believed.

Rule 1: `X-Forwarded-For` is believed as far as trusted proxies wrote it: its rightmost address that is none of theirs.
What stands further left anybody may have written.
Rule 2: to be counted by, an IPv6 address is its /64: one customer has all addresses of one.

Source: the threat model, L2; RFC 7239 section 7.4 for why the rest is not believed.
"""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

from keyturn.core.requests.client_address import address_from

Network = IPv4Network | IPv6Network
FORWARDED_FOR: Final = b"x-forwarded-for"
MOST_HOPS: Final = 32


def is_within(host: str, networks: Iterable[Network]) -> bool:
    """Say whether a peer's address lies in one of these networks; an IPv4 address may come mapped into IPv6."""
    address = _address(host)
    return address is not None and any(address in network for network in networks)


def client_address(scope: MutableMapping[str, Any], trusted: tuple[Network, ...]) -> str | None:
    """The address that a request is counted by; None where the server does not know its peer.

    Args:
        scope: of an ASGI request.
        trusted: the networks of proxies whose word is believed.
    """
    host = _believed(scope, trusted)
    return None if host is None else counted_as(host)


def told_address(scope: MutableMapping[str, Any], trusted: tuple[Network, ...]) -> str | None:
    """The same address in full, to be passed on to a provider; None where it is not known, or no IP address."""
    host = _believed(scope, trusted)
    return None if host is None else address_from(host)


def _believed(scope: MutableMapping[str, Any], trusted: tuple[Network, ...]) -> str | None:
    client = scope.get("client")
    if client is None:
        return None
    host: str = client[0]
    if trusted and is_within(host, trusted):
        said = b",".join(value for name, value in scope["headers"] if name == FORWARDED_FOR).decode("latin-1")
        for hop in [each.strip() for each in said.split(",")][::-1][:MOST_HOPS]:
            if _address(hop) is None:
                break
            host = hop
            if not is_within(hop, trusted):
                break
    return host


def counted_as(host: str) -> str:
    """The network that stands for an address: itself, or the /64 of an IPv6 one."""
    address = _address(host)
    if isinstance(address, IPv6Address):
        return str(ip_network((address, 64), strict=False))
    return str(address) if address is not None else host


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(host.strip("[]"))
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
