"""What only the person whose account it is can mend."""

from __future__ import annotations

from keyturn.core.errors.tree import OwnerError


class CredentialsRejected(OwnerError):
    """The provider refused username and password."""

    code = "provider_credentials_rejected"


class MfaUnsupported(OwnerError):
    """The provider asks for a second step that this connection can't do."""

    code = "provider_mfa_unsupported"


class OtpInvalid(OwnerError):
    """The one-time code was not accepted."""

    code = "provider_otp_invalid"


class AccountLocked(OwnerError):
    """The provider has locked the account for now."""

    code = "provider_account_locked"


class PasswordExpired(OwnerError):
    """The provider wants the password changed first."""

    code = "provider_password_expired"


class InteractionRequired(OwnerError):
    """The provider wants the person on its own site first."""

    code = "provider_interaction_required"


class AccessDenied(OwnerError):
    """Signed in, but this account may not use the API."""

    code = "provider_access_denied"


class NeedsReconnect(OwnerError):
    """The token ended and only the person can get another."""

    code = "connection_needs_reconnect"


class MigrationNeedsLogin(OwnerError):
    """Only a login brings the connection to the connector's newest version; `reason` says why."""

    code = "migration_needs_login"


class IdentityMismatch(OwnerError):
    """A reconnect came back as another account."""

    code = "identity_mismatch"


class ConnectionTestFailed(OwnerError):
    """Signed in, but the test call failed; nothing was kept."""

    code = "connection_test_failed"
