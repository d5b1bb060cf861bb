"""Every error that keyturn raises on purpose, by whose move it is next.

Rule 1: `code` is public and stable; `problems` says its status, its words and the next step.
Rule 2: a message is made of safe parts: no secret, no text of a provider, no echo of an input.
Rule 3: what a caller may read besides the code stands in `extensions`, as plain JSON.
Each family has a file of its own; all are imported from here.
"""

from __future__ import annotations

from keyturn.core.errors.caller import (
    AddressNotAllowed,
    ApiKeyExpired,
    BadRequest,
    BodyNotMergeable,
    ChallengeExpired,
    ChallengeUsed,
    ConnectionDisconnected,
    ConnectionExists,
    ConnectionPaused,
    ConnectionUnconfirmed,
    ConnectorInvalid,
    ConnectorNotPublished,
    ForbiddenRole,
    ForbiddenScope,
    GenerationConflict,
    IdempotencyInProgress,
    IdempotencyKeyReused,
    IllegalTransition,
    JobNotEnded,
    JobWithoutFailures,
    LoginBudgetSpent,
    MethodNotAllowed,
    NotFound,
    PayloadTooLarge,
    PublishBlocked,
    RateLimited,
    RenewalInProgress,
    RenewalNotPossible,
    ReturnUrlNotAllowed,
    SessionExpired,
    SessionUsed,
    TokenVendDisabled,
    Unauthenticated,
    UnsupportedMediaType,
    UrlNotAllowed,
    ValidationFailed,
    VersionConflict,
)
from keyturn.core.errors.notices import (
    MailUnavailable,
    WebhookDisabled,
    WebhookFailing,
    WebhookGone,
    WebhookRefused,
    WebhookSecretMissing,
)
from keyturn.core.errors.operator import (
    AuditUnavailable,
    BackupUnusable,
    ConnectorClientMissing,
    ConnectorClientRejected,
    GrantDisabled,
    KeyInUse,
    KeyNotMadeHere,
    KeyStateConflict,
    KeyUnavailable,
    NotReady,
    RestoreRefused,
    ScopeInsufficient,
    SealBroken,
    SettingsInvalid,
    StoreUnavailable,
    UniqueIdMissing,
    ValueAbsent,
    WrongKey,
)
from keyturn.core.errors.owner import (
    AccessDenied,
    AccountLocked,
    ConnectionTestFailed,
    CredentialsRejected,
    IdentityMismatch,
    InteractionRequired,
    MfaUnsupported,
    NeedsReconnect,
    OtpInvalid,
    PasswordExpired,
)
from keyturn.core.errors.provider import (
    ProviderBadResponse,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderTlsFailed,
    ProviderUnavailable,
    ProviderUnreachable,
)
from keyturn.core.errors.tree import CallerError, Finding, KeyturnError, OperatorError, OwnerError, ProviderError

__all__ = [
    "AccessDenied",
    "AccountLocked",
    "AddressNotAllowed",
    "ApiKeyExpired",
    "AuditUnavailable",
    "BackupUnusable",
    "BadRequest",
    "BodyNotMergeable",
    "CallerError",
    "ChallengeExpired",
    "ChallengeUsed",
    "ConnectionDisconnected",
    "ConnectionExists",
    "ConnectionPaused",
    "ConnectionTestFailed",
    "ConnectionUnconfirmed",
    "ConnectorClientMissing",
    "ConnectorClientRejected",
    "ConnectorInvalid",
    "ConnectorNotPublished",
    "CredentialsRejected",
    "Finding",
    "ForbiddenRole",
    "ForbiddenScope",
    "GenerationConflict",
    "GrantDisabled",
    "IdempotencyInProgress",
    "IdempotencyKeyReused",
    "IdentityMismatch",
    "IllegalTransition",
    "InteractionRequired",
    "JobNotEnded",
    "JobWithoutFailures",
    "KeyInUse",
    "KeyNotMadeHere",
    "KeyStateConflict",
    "KeyUnavailable",
    "KeyturnError",
    "LoginBudgetSpent",
    "MailUnavailable",
    "MethodNotAllowed",
    "MfaUnsupported",
    "NeedsReconnect",
    "NotFound",
    "NotReady",
    "OperatorError",
    "OtpInvalid",
    "OwnerError",
    "PasswordExpired",
    "PayloadTooLarge",
    "ProviderBadResponse",
    "ProviderError",
    "ProviderRateLimited",
    "ProviderTimeout",
    "ProviderTlsFailed",
    "ProviderUnavailable",
    "ProviderUnreachable",
    "PublishBlocked",
    "RateLimited",
    "RenewalInProgress",
    "RenewalNotPossible",
    "RestoreRefused",
    "ReturnUrlNotAllowed",
    "ScopeInsufficient",
    "SealBroken",
    "SessionExpired",
    "SessionUsed",
    "SettingsInvalid",
    "StoreUnavailable",
    "TokenVendDisabled",
    "Unauthenticated",
    "UniqueIdMissing",
    "UnsupportedMediaType",
    "UrlNotAllowed",
    "ValidationFailed",
    "ValueAbsent",
    "VersionConflict",
    "WebhookDisabled",
    "WebhookFailing",
    "WebhookGone",
    "WebhookRefused",
    "WebhookSecretMissing",
    "WrongKey",
    "error_named",
    "leaves",
]


def leaves(kind: type[KeyturnError] = KeyturnError) -> list[type[KeyturnError]]:
    """Every error with a code of its own."""
    found = []
    for each in kind.__subclasses__():
        found += leaves(each) if each.__subclasses__() else [each]
    return found


def error_named(code: str, retry_after_s: float | None = None) -> KeyturnError:
    """The error of a code that was stored; a passing failure of the provider where the code names none."""
    for kind in leaves():
        if kind.code == code and kind.__init__ is KeyturnError.__init__:
            return kind(retry_after_s=retry_after_s)
    return ProviderUnavailable(retry_after_s=retry_after_s)
