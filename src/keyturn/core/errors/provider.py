"""What the provider did; waiting may help."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from keyturn.core.errors.tree import ProviderError


class ProviderRateLimited(ProviderError):
    """The provider asks to wait."""

    code = "provider_rate_limited"


class ProviderUnreachable(ProviderError):
    """DNS or the connection failed; nothing was sent."""

    code = "provider_unreachable"


class TlsCheck(StrEnum):
    """Which check of a TLS connection failed, as far as it can be told."""

    EXPIRED = "expired"
    NOT_YET_VALID = "not_yet_valid"
    UNKNOWN_ISSUER = "unknown_issuer"
    SELF_SIGNED = "self_signed"
    WRONG_NAME = "wrong_name"
    WEAK = "weak"
    NO_AUTHORITY_KEY_ID = "no_authority_key_id"
    NO_SUBJECT_KEY_ID = "no_subject_key_id"
    UNMARKED_AUTHORITY = "unmarked_authority"  # basic constraints absent or not critical
    NO_KEY_USAGE = "no_key_usage"
    EMPTY_NAME = "empty_name"
    RFC_5280 = "rfc_5280"  # another rule of RFC 5280
    CERTIFICATE = "certificate"  # another rule for certificates
    OLD_VERSION = "old_version"
    NO_COMMON_CIPHER = "no_common_cipher"
    NO_TLS = "no_tls"
    UNKNOWN_HOST = "unknown_host"  # the server has no host of this name
    CLIENT_CERTIFICATE = "client_certificate"
    OWN_UNREADABLE = "own_unreadable"  # the connector's own certificates or key
    TIMED_OUT = "timed_out"
    CLOSED = "closed"
    OTHER = "other"


# The rules of RFC 5280 that only the strict check of the machine's authorities enforces (decision 0032).
RFC_5280_FAULTS: Final[Mapping[TlsCheck, str]] = {
    TlsCheck.NO_AUTHORITY_KEY_ID: "it lacks the authority key identifier that RFC 5280 requires",
    TlsCheck.NO_SUBJECT_KEY_ID: "its authority's certificate lacks the subject key identifier that RFC 5280 requires",
    TlsCheck.UNMARKED_AUTHORITY: "its authority's certificate is not marked as one by critical basic constraints, as "
    "RFC 5280 requires",
    TlsCheck.NO_KEY_USAGE: "its authority's certificate lacks the key usage that RFC 5280 requires",
    TlsCheck.EMPTY_NAME: "its subject, issuer or alternative names are empty in a way that RFC 5280 forbids",
    TlsCheck.RFC_5280: "it or its authority's certificate has an extension in a form that RFC 5280 forbids",
}
# What is wrong with a certificate, each a clause about “it”.
CERTIFICATE_FAULTS: Final[Mapping[TlsCheck, str]] = {
    TlsCheck.EXPIRED: "it has expired",
    TlsCheck.NOT_YET_VALID: "it is not valid yet",
    TlsCheck.UNKNOWN_ISSUER: "its authority is not trusted here",
    TlsCheck.SELF_SIGNED: "it is self-signed",
    TlsCheck.WRONG_NAME: "it is for another name",
    TlsCheck.WEAK: "its key or signature is too weak",
    TlsCheck.CERTIFICATE: "it can't be verified",
    **RFC_5280_FAULTS,
}


class ProviderTlsFailed(ProviderError):
    """The TLS handshake or the certificate failed; nothing was sent. `check`: which, for the connector's author."""

    code = "provider_tls_failed"
    check: TlsCheck = TlsCheck.OTHER

    @classmethod
    def at(cls, check: TlsCheck, detail: str) -> ProviderTlsFailed:
        """The error of a check that is known."""
        error = cls(detail)
        error.check = check
        return error


class ProviderTimeout(ProviderError):
    """The request was sent and no answer came; the result is not known."""

    code = "provider_timeout"


class ProviderUnavailable(ProviderError):
    """The provider says that it can't answer now."""

    code = "provider_unavailable"


class ProviderBadResponse(ProviderError):
    """The provider gave an answer that its connector doesn't describe."""

    code = "provider_bad_response"
