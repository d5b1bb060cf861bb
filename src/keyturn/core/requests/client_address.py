"""The end user's address, passed on in the header that a provider asks for.

Rule 1: only the requests of a login carry it, and only where a person or the caller told it.
Rule 2: it is a header's value and nothing else: it stands in no template, no store and no log.

Sources: the connector format, "client_address_header"; RFC 7239 §6 for `Forwarded`; RFC 4291 §2.2 for IPv6.
"""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv6Address, ip_address
from typing import Final

from keyturn.core.connector import Connector
from keyturn.core.messages import OutgoingRequest
from keyturn.core.requests.provider_request import NOT_OURS, Preview

SHOWN: Final = "‹client_address›"  # in a preview
_FORWARDED: Final = "forwarded"
_PREFIXES: Final = ("keyturn-", "sec-", "proxy-")
# What says who asks, what the body is or how it travels: an address in its place would break the request.
_TAKEN: Final = NOT_OURS | {
    "authorization", "cookie", "cookie2", "set-cookie", "www-authenticate", "authentication-info", "accept",
    "accept-charset", "accept-encoding", "accept-language", "content-type", "content-encoding", "content-language",
    "content-location", "content-md5", "content-range", "content-disposition", "date", "origin", "referer",
    "user-agent", "range", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range",
    "http2-settings", "max-forwards", "x-http-method-override", "x-http-method", "x-method-override",
}  # fmt: skip


def may_carry(name: str) -> bool:
    """Whether a header of this name may hold an address; case doesn't matter."""
    return name.lower() not in _TAKEN and not name.lower().startswith(_PREFIXES)


def address_from(text: str) -> str | None:
    """An IP address as it is passed on, or None where the text is none: no port, no zone, IPv4 not inside IPv6."""
    try:
        address = ip_address(text.strip("[]"))
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:
            return None
        address = address.ipv4_mapped or address
    return str(address)


def with_client_address(request: OutgoingRequest, connector: Connector, address: str | None) -> OutgoingRequest:
    """The request with the address in the connector's header; as it is where there is no header or no address."""
    name = connector.client_address_header
    if name is None or address is None:
        return request
    return replace(request, headers=(*request.headers, (name, _value(name, address))))


def preview_with_address(preview: Preview, connector: Connector) -> Preview:
    """The same for a preview."""
    name = connector.client_address_header
    if name is None:
        return preview
    return replace(preview, headers=(*preview.headers, (name, _value(name, SHOWN))))


def _value(name: str, address: str) -> str:
    if name.lower() != _FORWARDED:
        return address
    return f'for="[{address}]"' if ":" in address else f"for={address}"
