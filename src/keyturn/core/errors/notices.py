"""What goes wrong where others are told of events: their endpoints, and the operator's mail server."""

from __future__ import annotations

from keyturn.core.errors.tree import CallerError, OperatorError


class WebhookDisabled(CallerError):
    """The endpoint is disabled."""

    code = "webhook_disabled"


class WebhookRefused(CallerError):
    """The endpoint answered with another status than 2xx."""

    code = "webhook_refused"


class WebhookUnreachable(CallerError):
    """The receiver can't be reached; nothing was sent."""

    code = "webhook_unreachable"


class WebhookTimeout(CallerError):
    """The message was sent, and no answer came in time."""

    code = "webhook_timeout"


class WebhookTlsFailed(CallerError):
    """The receiver's certificate is not trusted, or there is no TLS."""

    code = "webhook_tls_failed"


class WebhookHeld(CallerError):
    """The last tries at this endpoint failed; this one waits its turn unsent."""

    code = "webhook_held"


class WebhookGone(CallerError):
    """The endpoint answered 410: it wants no more."""

    code = "webhook_gone"


class WebhookFailing(CallerError):
    """Nothing reached the endpoint for three days."""

    code = "webhook_failing"


class WebhookSecretMissing(OperatorError):
    """The key that sealed the endpoint's secret was given up as lost."""

    code = "webhook_secret_missing"


class MailUnavailable(OperatorError):
    """The mail server can't be reached, or does not take the mail."""

    code = "mail_unavailable"
