"""One spelling for each host, so that two hosts are equal exactly when their texts are.

Rule 1: the text is judged as written; what a parser would repair (escapes, odd IPv4 forms) is refused.
Rule 2: the result is an A-label name in lower case without a trailing dot, a dotted IPv4 address,
or a compressed IPv6 address in brackets. Whatever goes on from here compares results only.

Sources: UTS #46 (non-transitional, STD3), IDNA 2008 (RFC 5890 to 5893), RFC 4291 section 2.2, RFC 1035 for lengths.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from enum import StrEnum
from ipaddress import AddressValueError, IPv6Address
from typing import Final

import idna


class HostFault(StrEnum):
    """What is wrong with a host."""

    EMPTY = "empty"  # no host at all, or a label with nothing in it
    CHARACTER = "character"  # a character that no host has, as written or after mapping
    LABEL = "label"  # a label that is no LDH label, or not valid under IDNA 2008
    LENGTH = "length"  # a label over 63 characters, or a name over 253
    IPV4_FORM = "ipv4_form"  # ends in a number, yet is not four plain decimal ones
    IPV6_FORM = "ipv6_form"  # brackets around something else than an IPv6 address


class HostError(ValueError):
    """A text that names no host. The message holds nothing of the text."""

    def __init__(self, fault: HostFault) -> None:
        super().__init__(f"not a host: {fault}")
        self.fault: Final = fault


MAX_LABEL: Final = 63
MAX_NAME: Final = 253

_A_LABEL_PREFIX: Final = "xn--"
_FORBIDDEN_ASCII = re.compile(r"[\x00-\x2c\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]")  # all but letters, digits, dot, hyphen
_LDH_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
# Most hosts are already as they will be returned; the mapping of all characters costs a hundred times this.
_ORDINARY = re.compile(r"(?:(?!xn--)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*(?!xn--)[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_HEX_NUMBER = re.compile(r"0x[0-9a-f]*")
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")
_IPV6_TEXT = re.compile(r"[0-9A-Fa-f:.]+")
_MAPPED_AT_ONCE: Final = 1024  # the mapping library refuses longer text; the mapping goes by character


def normalise_host(text: str) -> str:
    """Return the one spelling of the host that `text` names.

    Args:
        text: the host part of a URL: a name, an IPv4 address, or an IPv6 address in brackets; without a port.

    Returns:
        A name of A-labels in lower case, `192.0.2.1`, or `[2001:db8::1]`.

    Raises:
        HostError: `text` names no host, or names an IPv4 address in a form other than four decimal numbers.
    """
    if len(text) <= MAX_NAME and (_ORDINARY.fullmatch(text) or _IPV4.fullmatch(text)):
        return text
    if text.startswith("["):
        return _normalise_ipv6(text)
    if _FORBIDDEN_ASCII.search(text):
        raise HostError(HostFault.CHARACTER)
    name = _map(text).removesuffix(".")
    if not name:
        raise HostError(HostFault.EMPTY)
    if len(name) > MAX_NAME:  # an A-label is never shorter than what it stands for
        raise HostError(HostFault.LENGTH)
    labels = name.split(".")
    if _is_number(labels[-1]):
        if not _IPV4.fullmatch(text):
            raise HostError(HostFault.IPV4_FORM)
        return text
    host = ".".join(_a_label(label) for label in labels)
    if len(host) > MAX_NAME:
        raise HostError(HostFault.LENGTH)
    return host


def matches_host(host: str, patterns: Iterable[str]) -> bool:
    """Whether a normalised host is one of these, or lies below one that begins with `*.`."""
    for pattern in patterns:
        wanted = pattern.lower()
        if host == wanted or (wanted.startswith("*.") and host.endswith(wanted[1:]) and len(host) > len(wanted) - 1):
            return True
    return False


def literal_address(host: str) -> str | None:
    """Return the address that a normalised `host` is, without brackets, or None for a name."""
    if host.startswith("["):
        return host[1:-1]
    return host if _IPV4.fullmatch(host) else None


def _normalise_ipv6(text: str) -> str:
    inside = text[1:-1]
    if not text.endswith("]") or not _IPV6_TEXT.fullmatch(inside):  # so no zone id, no IPvFuture, no escapes
        raise HostError(HostFault.IPV6_FORM)
    try:
        return f"[{IPv6Address(inside).compressed}]"
    except AddressValueError:
        raise HostError(HostFault.IPV6_FORM) from None


def _map(text: str) -> str:
    cuts = range(0, len(text), _MAPPED_AT_ONCE)
    try:
        pieces = [idna.uts46_remap(text[cut : cut + _MAPPED_AT_ONCE], std3_rules=True) for cut in cuts]
    except ValueError:  # idna's errors are ValueErrors, and quote their input
        raise HostError(HostFault.CHARACTER) from None
    return unicodedata.normalize("NFC", "".join(pieces))  # composes over the cuts


def _is_number(label: str) -> bool:
    # Digits of every script: such a last label is no top-level domain, and other software may read it as a number.
    return label.isdigit() or _HEX_NUMBER.fullmatch(label) is not None


def _a_label(label: str) -> str:
    if not label:
        raise HostError(HostFault.EMPTY)
    encoded = label if label.isascii() else _A_LABEL_PREFIX + label.encode("punycode").decode("ascii")
    if len(encoded) > MAX_LABEL:
        raise HostError(HostFault.LENGTH)
    if not _LDH_LABEL.fullmatch(encoded) or (encoded.startswith(_A_LABEL_PREFIX) and not _is_a_label(encoded)):
        raise HostError(HostFault.LABEL)
    return encoded


def _is_a_label(label: str) -> bool:
    try:
        decoded = idna.ulabel(label)
        # Encoded again, so that no second A-label stands for the same characters: not every release of idna does.
        return not decoded.isascii() and idna.alabel(decoded) == label.encode("ascii")
    except ValueError:
        return False
