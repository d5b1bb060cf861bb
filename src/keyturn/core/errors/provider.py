"""What the provider did; waiting may help."""

from __future__ import annotations

from enum import StrEnum

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
