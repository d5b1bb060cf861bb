"""Looking at the certificate of the operator's own public address; nothing is asked there, and nothing sent.

The address check of all other outgoing connections is not made: a public address is often one of a private network when
seen from inside.
"""

from __future__ import annotations

import socket
import ssl
from typing import Final

from keyturn.adapters.tls_rules import certificate_check, machine_context
from keyturn.core.errors import CERTIFICATE_FAULTS, ProviderTlsFailed, ProviderUnreachable

ANSWER_WITHIN_S: Final = 5.0


def addresses_of(host: str, port: int) -> list[str]:
    """The addresses of a host as text; ProviderUnreachable where the name is not known here."""
    try:
        return [str(each[4][0]) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        raise ProviderUnreachable("the name is not known here") from None


def certificate_ends_at(host: str, port: int) -> float:
    """When the certificate ends, Unix seconds.

    Raises:
        ProviderTlsFailed: it is refused; `check` and the detail, a clause about “it”, say why.
        ProviderUnreachable: nobody answers by TLS.
    """
    try:
        with (
            socket.create_connection((host, port), timeout=ANSWER_WITHIN_S) as plain,
            machine_context().wrap_socket(plain, server_hostname=host) as secured,
        ):
            return ssl.cert_time_to_seconds(str((secured.getpeercert() or {}).get("notAfter")))
    except ssl.SSLCertVerificationError as error:
        check = certificate_check(error)
        raise ProviderTlsFailed.at(check, CERTIFICATE_FAULTS[check]) from None
    except (OSError, ValueError):
        raise ProviderUnreachable("nobody answers by TLS") from None
