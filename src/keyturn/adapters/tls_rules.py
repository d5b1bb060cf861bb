"""The rules by which certificates are verified. They are the product's own, the same on every Python.

Rule 1: under the machine's authorities a certificate must keep RFC 5280 in full (VERIFY_X509_STRICT).
Rule 2: under an authority that a connector or an operator names, it need not: old appliances and small authorities of
companies make certificates without key identifiers.
Rule 3: under both, an intermediate or a server's own certificate is an anchor if it is trusted by name
(VERIFY_X509_PARTIAL_CHAIN). Host names, dates, signatures and sizes of keys are verified without exception.
Rule 4: what is wrong with a certificate is said in words of a closed list; no text of the other side is in it.

Source: decision 0032; RFC 5280 section 4; OpenSSL's x509_vfy.h; `ssl.create_default_context` of Python 3.13.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from keyturn.core.errors import CERTIFICATE_FAULTS, TlsCheck

# Written out, not added to what a Python sets: 3.13 began to set both of the later two, and 3.11 sets neither.
_LENIENT: Final = ssl.VERIFY_X509_TRUSTED_FIRST | ssl.VERIFY_X509_PARTIAL_CHAIN
_STRICT: Final = _LENIENT | ssl.VERIFY_X509_STRICT
_CHECKS: Final[Mapping[int, TlsCheck]] = {
    2: TlsCheck.UNKNOWN_ISSUER, 9: TlsCheck.NOT_YET_VALID, 10: TlsCheck.EXPIRED, 18: TlsCheck.SELF_SIGNED,
    19: TlsCheck.UNKNOWN_ISSUER, 20: TlsCheck.UNKNOWN_ISSUER, 21: TlsCheck.UNKNOWN_ISSUER, 62: TlsCheck.WRONG_NAME,
    64: TlsCheck.WRONG_NAME, 66: TlsCheck.WEAK, 67: TlsCheck.WEAK, 68: TlsCheck.WEAK,
    79: TlsCheck.UNMARKED_AUTHORITY, 80: TlsCheck.RFC_5280, 81: TlsCheck.RFC_5280, 82: TlsCheck.RFC_5280,
    83: TlsCheck.EMPTY_NAME, 84: TlsCheck.EMPTY_NAME, 85: TlsCheck.NO_AUTHORITY_KEY_ID,
    86: TlsCheck.NO_SUBJECT_KEY_ID, 87: TlsCheck.EMPTY_NAME, 88: TlsCheck.EMPTY_NAME, 89: TlsCheck.UNMARKED_AUTHORITY,
    90: TlsCheck.RFC_5280, 91: TlsCheck.RFC_5280, 92: TlsCheck.NO_KEY_USAGE, 93: TlsCheck.RFC_5280,
    94: TlsCheck.RFC_5280,
}  # fmt: skip


def machine_context() -> ssl.SSLContext:
    """Return a client's context that trusts the machine's authorities: TLS 1.2 or later, RFC 5280 in full."""
    return _ruled(ssl.create_default_context(), _STRICT)


def own_context(*, pem: str | None = None, file: Path | str | None = None) -> ssl.SSLContext:
    """Return a client's context that trusts only the named authorities: TLS 1.2 or later, without the strict check.

    Args:
        pem: certificates in PEM; `file`: the path of a file with them. One of the two is given.

    Raises:
        ValueError: neither is given; the machine's authorities would be trusted instead.
        ssl.SSLError: what is given holds no certificate.
        OSError: the file can't be read.
    """
    if not pem and not file:
        raise ValueError("no authority is named")
    return _ruled(ssl.create_default_context(cafile=file, cadata=pem), _LENIENT)


def certificate_check(error: ssl.SSLCertVerificationError) -> TlsCheck:
    """Return the check that a certificate failed, by OpenSSL's number for it; CERTIFICATE if it is not listed."""
    return _CHECKS.get(error.verify_code, TlsCheck.CERTIFICATE)


def certificate_fault(error: BaseException) -> str:
    """Return what is wrong with the certificate, as a clause about “it”; empty if no certificate was refused.

    Args:
        error: as a client raised it; the refusal is looked for among its causes too.
    """
    for each in _causes(error):
        # aiohttp wraps the refusal in one of its own, which has the type but not the number.
        if isinstance(each, ssl.SSLCertVerificationError) and hasattr(each, "verify_code"):
            return CERTIFICATE_FAULTS[certificate_check(each)]
    return ""


def _ruled(context: ssl.SSLContext, flags: ssl.VerifyFlags) -> ssl.SSLContext:
    context.verify_flags = flags
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or found.__context__
