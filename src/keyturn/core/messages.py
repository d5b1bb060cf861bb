"""HTTP messages as values: what goes to a provider and what comes back.

Rule 1: both hide their contents from `repr`; a request may carry a password, an answer a token.
Rule 2: header names are kept as written and compared without case.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from keyturn.core.secret import Secret


@dataclass(frozen=True, slots=True)
class TlsIdentity:
    """Whose certificates are trusted, and the one that is shown. `name`: tells identities apart, and says no more.

    `ca`: PEM; None for the machine's authorities. `client_certificate`: certificate and key, PEM.
    """

    name: str
    ca: str | None = field(default=None, repr=False)
    client_certificate: Secret | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class OutgoingRequest:
    """One request, complete: exactly these bytes go out, once.

    `url`: absolute and encoded, a query included. `headers`: without Host, Content-Length and hop-by-hop ones.
    `tls`: None for what every request trusts.
    """

    method: str
    url: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    tls: TlsIdentity | None = None


@dataclass(frozen=True, slots=True)
class TlsFacts:
    """What was agreed by TLS, and whose certificate was shown.

    `subject`, `issuer`: names out of the certificate, printable and short; empty where it has none. `ends_at`: Unix
    seconds. `own_authorities`: whether the connector's own authorities were trusted, and not the machine's.
    """

    version: str
    cipher: str
    subject: str = ""
    issuer: str = ""
    ends_at: float | None = None
    own_authorities: bool = False


@dataclass(frozen=True, slots=True)
class TransportFacts:
    """How a request travelled. Of the address no more than its kind: which it is says something of the network.

    `family`: `IPv4` or `IPv6`; empty where the operator's proxy made the connection. `private`: whether the address is
    in a private network. `by_proxy`: by the operator's proxy. `tls`: None for plain http.
    """

    family: str
    private: bool = False
    by_proxy: bool = False
    tls: TlsFacts | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, chunking and compression undone.

    `complete`: False where the body was cut short, could not be decompressed or is over the size limit; then `body`
    is empty. `received_at`: Unix seconds. `transport`: only where the policy asks for it.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    body: bytes = field(default=b"", repr=False)
    received_at: float = 0.0
    complete: bool = True
    transport: TransportFacts | None = None

    def all_values(self, name: str) -> Sequence[str]:
        """Every value of a header, in order."""
        wanted = name.lower()
        return [value for key, value in self.headers if key.lower() == wanted]

    def value(self, name: str) -> str | None:
        """The first value of a header."""
        values = self.all_values(name)
        return values[0] if values else None
