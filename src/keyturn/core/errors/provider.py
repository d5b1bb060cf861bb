"""What the provider did; waiting may help."""

from __future__ import annotations

from keyturn.core.errors.tree import ProviderError


class ProviderRateLimited(ProviderError):
    """The provider asks to wait."""

    code = "provider_rate_limited"


class ProviderUnreachable(ProviderError):
    """DNS or the connection failed; nothing was sent."""

    code = "provider_unreachable"


class ProviderTlsFailed(ProviderError):
    """The TLS handshake or the certificate failed; nothing was sent."""

    code = "provider_tls_failed"


class ProviderTimeout(ProviderError):
    """The request was sent and no answer came; the result is not known."""

    code = "provider_timeout"


class ProviderUnavailable(ProviderError):
    """The provider says that it can't answer now."""

    code = "provider_unavailable"


class ProviderBadResponse(ProviderError):
    """The provider gave an answer that its connector doesn't describe."""

    code = "provider_bad_response"
