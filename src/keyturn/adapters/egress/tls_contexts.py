"""TLS as a connector wants it: its own authorities, its own certificate; and what came of it, or why nothing did.

Rule 1: with authorities of its own a connector trusts no others, and their certificates need not keep RFC 5280 in full
(tls_rules.py).
Rule 2: a private key is handed to the TLS library through a pipe, which no file system ever holds.
Rule 3: a context is made once for each identity; what can't be read makes none, and nothing is sent.
Rule 4: why a handshake failed is one word of a closed list; no text of the other side is in it.

Source: RFC 7468 for PEM; RFC 8705; OpenSSL's names of reasons.
"""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from keyturn.adapters.tls_rules import certificate_check, machine_context, own_context
from keyturn.core.errors import RFC_5280_FAULTS, ProviderTlsFailed, TlsCheck
from keyturn.core.messages import TlsFacts, TlsIdentity, TransportFacts
from keyturn.core.secret import Secret
from keyturn.core.urls.addresses import operator_allows

KEPT: Final = 256
_MAX_PEM: Final = 32_768  # less than a pipe takes without a reader
# Line ends may have been lost in a form; headers inside, as those of encrypted keys, make it unreadable.
_BLOCK: Final = re.compile(r"-----BEGIN ([A-Z ]{1,32})-----([A-Za-z0-9+/=\s]+)-----END \1-----", re.ASCII)
_KEYS: Final = frozenset({"PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"})
_LONGEST_NAME: Final = 100
_REASONS: Final[Mapping[str, TlsCheck]] = {
    "UNSUPPORTED_PROTOCOL": TlsCheck.OLD_VERSION, "TLSV1_ALERT_PROTOCOL_VERSION": TlsCheck.OLD_VERSION,
    "NO_PROTOCOLS_AVAILABLE": TlsCheck.OLD_VERSION, "SSLV3_ALERT_HANDSHAKE_FAILURE": TlsCheck.NO_COMMON_CIPHER,
    "SSL/TLS_ALERT_HANDSHAKE_FAILURE": TlsCheck.NO_COMMON_CIPHER, "NO_SHARED_CIPHER": TlsCheck.NO_COMMON_CIPHER,
    "TLSV1_ALERT_INSUFFICIENT_SECURITY": TlsCheck.NO_COMMON_CIPHER, "WRONG_VERSION_NUMBER": TlsCheck.NO_TLS,
    "RECORD_LAYER_FAILURE": TlsCheck.NO_TLS, "HTTP_REQUEST": TlsCheck.NO_TLS,
    "PACKET_LENGTH_TOO_LONG": TlsCheck.NO_TLS, "TLSV1_UNRECOGNIZED_NAME": TlsCheck.UNKNOWN_HOST,
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": TlsCheck.CLIENT_CERTIFICATE,
    "SSLV3_ALERT_BAD_CERTIFICATE": TlsCheck.CLIENT_CERTIFICATE, "TLSV1_ALERT_UNKNOWN_CA": TlsCheck.CLIENT_CERTIFICATE,
    "UNEXPECTED_EOF_WHILE_READING": TlsCheck.CLOSED,
}  # fmt: skip


def system_tls_context(cadata: str | None = None) -> ssl.SSLContext:
    """Return a context for HTTP/1.1, under the machine's authorities or, without the strict check, only under these.

    Args:
        cadata: authorities in PEM; None for those of the machine.

    Source: decision 0032.
    """
    context = machine_context() if cadata is None else own_context(pem=cadata)
    context.set_alpn_protocols(["http/1.1"])
    return context


class TlsContexts:
    """Contexts by identity, those used last."""

    def __init__(self, default: ssl.SSLContext | None = None) -> None:
        self._default = default or system_tls_context()
        self._made: OrderedDict[str, ssl.SSLContext] = OrderedDict()

    def of(self, identity: TlsIdentity | None) -> ssl.SSLContext:
        """The context to speak with; raises ProviderTlsFailed where a certificate or key can't be read."""
        if identity is None:
            return self._default
        found = self._made.get(identity.name)
        if found is None:
            found = self._made[identity.name] = _made(identity)
            if len(self._made) > KEPT:
                self._made.popitem(last=False)
        self._made.move_to_end(identity.name)
        return found


def failed_check(error: OSError) -> TlsCheck:
    """Which check it was that ended a handshake."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return certificate_check(error)
    if isinstance(error, ssl.SSLError):
        return _REASONS.get(error.reason or "", TlsCheck.OTHER)
    if isinstance(error, ConnectionAbortedError):
        return TlsCheck.TIMED_OUT
    return TlsCheck.CLOSED if isinstance(error, ConnectionError) else TlsCheck.OTHER


def handshake_failed(error: OSError) -> ProviderTlsFailed:
    """Return the error of a handshake that failed; its words name a rule of RFC 5280 if the strict check found one."""
    check = failed_check(error)
    fault = RFC_5280_FAULTS.get(check)
    said = "the TLS handshake or the certificate failed"
    return ProviderTlsFailed.at(check, said if fault is None else f"the host's certificate was refused: {fault}")


def facts_of(transport: asyncio.BaseTransport, *, by_proxy: bool, own_authorities: bool) -> TransportFacts:
    """How a connection that was just made travels.

    Args:
        transport: as it was made.
        by_proxy: the peer is the operator's proxy, so that its address is nobody's business here.
        own_authorities: whether the connector's own authorities are those that are trusted.
    """
    address = str((transport.get_extra_info("peername") or ("",))[0])
    family = "" if by_proxy or not address else "IPv6" if ":" in address else "IPv4"
    private = bool(family) and not operator_allows(address, ())
    spoken = transport.get_extra_info("ssl_object")
    if spoken is None:
        return TransportFacts(family, private, by_proxy)
    cipher = spoken.cipher()
    certificate = spoken.getpeercert() or {}  # empty where nothing was checked
    ends_at = None
    with suppress(KeyError, ValueError):
        ends_at = float(ssl.cert_time_to_seconds(certificate["notAfter"]))
    others = [value for kind, value in certificate.get("subjectAltName", ()) if kind in ("DNS", "IP Address")]
    tls = TlsFacts(
        version=str(spoken.version() or ""),
        cipher=str(cipher[0]) if cipher else "",
        subject=_name_in(certificate.get("subject", ()), "commonName") or _short(others[0] if others else ""),
        issuer=_name_in(certificate.get("issuer", ()), "organizationName", "commonName"),
        ends_at=ends_at,
        own_authorities=own_authorities,
    )
    return TransportFacts(family, private, by_proxy, tls)


def _name_in(name: Any, *parts: str) -> str:
    """These parts of a distinguished name, each once."""
    found = {key: value for group in name for key, value in group}
    return ", ".join(dict.fromkeys(_short(found[part]) for part in parts if found.get(part)))


def _short(text: str) -> str:
    """A name as it may stand in a page or a terminal: whoever made the certificate chose its characters."""
    plain = "".join(each if each.isprintable() else "?" for each in text)
    return plain if len(plain) <= _LONGEST_NAME else f"{plain[:_LONGEST_NAME]}…"


def _made(identity: TlsIdentity) -> ssl.SSLContext:
    try:
        context = system_tls_context(None if identity.ca is None else _pem(identity.ca, {"CERTIFICATE"}))
        if identity.client_certificate is not None:
            _show(context, identity.client_certificate)
    except (ssl.SSLError, ValueError, OSError):
        words = "the connector's own certificate or key can't be read"
        raise ProviderTlsFailed.at(TlsCheck.OWN_UNREADABLE, words) from None
    return context


def _show(context: ssl.SSLContext, both: Secret) -> None:
    text = both.reveal()
    with _Piped(_pem(text, {"CERTIFICATE"})) as certificates, _Piped(_pem(text, _KEYS)) as key:
        context.load_cert_chain(certificates, key, password=_no_password)


def _no_password() -> str:
    raise ValueError("an encrypted key")


def _pem(text: str, kinds: set[str] | frozenset[str]) -> str:
    """The blocks of these kinds, each with its lines as they have to be. Raises ValueError where there is none."""
    blocks = [(kind, "".join(body.split())) for kind, body in _BLOCK.findall(text[:_MAX_PEM]) if kind in kinds]
    if not blocks or len(text) > _MAX_PEM:
        raise ValueError("no such block")
    lines = (
        "\n".join([f"-----BEGIN {kind}-----", *re.findall(".{1,64}", body), f"-----END {kind}-----", ""])
        for kind, body in blocks
    )
    return "".join(lines)


class _Piped:
    """A text that can be opened once, as a file of this process; nothing is written anywhere."""

    def __init__(self, text: str) -> None:
        self._reading, writing = os.pipe()
        try:
            os.set_blocking(writing, False)
            os.write(writing, text.encode("ascii"))
        except BaseException:
            os.close(self._reading)
            raise
        finally:
            os.close(writing)

    def __enter__(self) -> str:
        return f"/dev/fd/{self._reading}"

    def __exit__(self, *_: object) -> None:
        os.close(self._reading)
