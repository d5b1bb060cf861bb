"""TLS as a connector wants it: its own authorities, its own certificate.

Rule 1: with authorities of its own a connector trusts no others.
Rule 2: a private key is handed to the TLS library through a pipe, which no file system ever holds.
Rule 3: a context is made once for each identity; what can't be read makes none, and nothing is sent.

Source: RFC 7468 for PEM; RFC 8705.
"""

from __future__ import annotations

import os
import re
import ssl
from collections import OrderedDict
from typing import Final

from keyturn.core.errors import ProviderTlsFailed
from keyturn.core.messages import TlsIdentity
from keyturn.core.secret import Secret

KEPT: Final = 256
_MAX_PEM: Final = 32_768  # less than a pipe takes without a reader
# Line ends may have been lost in a form; headers inside, as those of encrypted keys, make it unreadable.
_BLOCK: Final = re.compile(r"-----BEGIN ([A-Z ]{1,32})-----([A-Za-z0-9+/=\s]+)-----END \1-----", re.ASCII)
_KEYS: Final = frozenset({"PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"})


def system_tls_context(cadata: str | None = None) -> ssl.SSLContext:
    """TLS 1.2 or later, HTTP/1.1, the machine's own authorities or only these (PEM)."""
    context = ssl.create_default_context(cadata=cadata)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
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


def _made(identity: TlsIdentity) -> ssl.SSLContext:
    try:
        context = system_tls_context(None if identity.ca is None else _pem(identity.ca, {"CERTIFICATE"}))
        if identity.client_certificate is not None:
            _show(context, identity.client_certificate)
    except (ssl.SSLError, ValueError, OSError):
        raise ProviderTlsFailed("the connector's own certificate or key can't be read") from None
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
