"""Every error that keyturn raises on purpose, by whose move it is next.

Rule 1: `code` is public and stable; `problems` says its status, its words and the next step.
Rule 2: a message is made of safe parts: no secret, no text of a provider, no echo of an input.
Rule 3: what a caller may read besides the code stands in `extensions`, as plain JSON.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with an input: where, and what would be right.

    `pointer`: RFC 6901 into the input. `line` and `column` count from 1, where the input was a text. `rule`, `limit`:
    what is said, for pages that have words of their own (`field_values.RULES`); they are no part of the JSON.
    """

    pointer: str
    code: str
    message: str
    line: int | None = None
    column: int | None = None
    rule: str = ""
    limit: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Say it as a member of `errors[]`."""
        found: dict[str, Any] = {"pointer": self.pointer, "code": self.code, "message": self.message}
        if self.line is not None:
            found |= {"line": self.line, "column": self.column}
        return found


class KeyturnError(Exception):
    """Base of all. `str()` of it is safe to show to anybody."""

    code: ClassVar[str] = "internal_error"

    def __init__(
        self,
        detail: str = "",
        *,
        errors: Sequence[Finding] = (),
        retry_after_s: float | None = None,
        extensions: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail or self.code)
        self.detail = detail
        self.errors = tuple(errors)
        self.retry_after_s = retry_after_s
        self.extensions: dict[str, Any] = dict(extensions or {})


class CallerError(KeyturnError):
    """The request was wrong; unchanged, it will fail again."""


class OwnerError(KeyturnError):
    """The connection needs the person it belongs to."""


class ProviderError(KeyturnError):
    """The provider answered badly or not at all."""


class OperatorError(KeyturnError):
    """keyturn or a connector is set up wrongly; the operator must act."""


# --- the caller's move ------------------------------------------------------------------------------------


class BadRequest(CallerError):
    """Not parseable at all."""

    code = "bad_request"


class ValidationFailed(CallerError):
    """Parseable, but some values break a rule; `errors` has every one of them."""

    code = "validation_failed"


class Unauthenticated(CallerError):
    """No API key, or one that is unknown, revoked or malformed."""

    code = "unauthenticated"


class ApiKeyExpired(CallerError):
    """The API key was good once."""

    code = "api_key_expired"


class ForbiddenScope(CallerError):
    """The API key is good for other things."""

    code = "forbidden_scope"


class ForbiddenRole(CallerError):
    """The person who is signed in has another role."""

    code = "forbidden_role"


class NotFound(CallerError):
    """No such thing for this key."""

    code = "not_found"


class MethodNotAllowed(CallerError):
    """The route exists, with other methods."""

    code = "method_not_allowed"


class PayloadTooLarge(CallerError):
    """The body is larger than this route takes."""

    code = "payload_too_large"


class UnsupportedMediaType(CallerError):
    """The body is of a kind that this route doesn't read."""

    code = "unsupported_media_type"


class VersionConflict(CallerError):
    """The `If-Match` names an older state."""

    code = "version_conflict"


class GenerationConflict(CallerError):
    """Another writer was faster; nothing was changed."""

    code = "generation_conflict"


class IdempotencyInProgress(CallerError):
    """A request with this `Idempotency-Key` is still running."""

    code = "idempotency_in_progress"


class IdempotencyKeyReused(CallerError):
    """The same `Idempotency-Key` came with another request."""

    code = "idempotency_key_reused"


class RateLimited(CallerError):
    """More requests than this key may make."""

    code = "rate_limited"


class LoginBudgetSpent(CallerError):
    """So many logins of this account failed that one more could lock it."""

    code = "login_budget_spent"


class JobNotEnded(CallerError):
    """What can be done with ended jobs only was asked of one that still runs or waits."""

    code = "job_not_ended"


class JobWithoutFailures(CallerError):
    """Nothing of the job failed, so there is nothing to do again."""

    code = "job_without_failures"


class IllegalTransition(CallerError):
    """A connection in this state can't take this event."""

    code = "illegal_transition"

    def __init__(self, state: str, event: str) -> None:
        super().__init__(f"a connection that is {state} cannot take {event}")


class ConnectorInvalid(CallerError):
    """The connector file has errors; `errors` has every one of them."""

    code = "connector_invalid"


class ConnectorNotPublished(CallerError):
    """There is a draft at most; connections need a published version."""

    code = "connector_not_published"


class PublishBlocked(CallerError):
    """The draft has findings that are errors."""

    code = "publish_blocked"


class SessionExpired(CallerError):
    """The connect link or the page was open too long."""

    code = "session_expired"


class SessionUsed(CallerError):
    """The connect link was opened before; it works once."""

    code = "session_used"


class ChallengeUsed(CallerError):
    """A challenge was answered before; each is answered once."""

    code = "challenge_used"


class ChallengeExpired(CallerError):
    """A challenge outlived its time, or its login is gone; a new login asks anew."""

    code = "challenge_expired"


class ReturnUrlNotAllowed(CallerError):
    """The return URL is no https URL (or loopback)."""

    code = "return_url_not_allowed"


class ConnectionExists(CallerError):
    """This account is already connected, and the connector says to reject a second one."""

    code = "connection_exists"


class ConnectionPaused(CallerError):
    """An operator paused the connection."""

    code = "connection_paused"


class ConnectionUnconfirmed(CallerError):
    """The application that asked for the connection has not confirmed whose it is."""

    code = "connection_unconfirmed"


class ConnectionDisconnected(CallerError):
    """The connection was ended here."""

    code = "connection_disconnected"


class RenewalInProgress(CallerError):
    """Somebody else renews, and did not end in time."""

    code = "renewal_in_progress"


class RenewalNotPossible(CallerError):
    """Nothing is kept that a renewal could use, or its use is not allowed now."""

    code = "renewal_not_possible"


class UrlNotAllowed(CallerError):
    """The URL is outside what the connector allows; nothing was resolved or connected to."""

    code = "url_not_allowed"


class AddressNotAllowed(CallerError):
    """The host's addresses are private, reserved or not to be had."""

    code = "address_not_allowed"


class TokenVendDisabled(CallerError):
    """This connector's tokens are not handed out."""

    code = "token_vend_disabled"


class BodyNotMergeable(CallerError):
    """The connector puts parameters into bodies, and this one is neither a JSON object nor a form."""

    code = "body_not_mergeable"


# --- the person's move ------------------------------------------------------------------------------------


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


class IdentityMismatch(OwnerError):
    """A reconnect came back as another account."""

    code = "identity_mismatch"


class ConnectionTestFailed(OwnerError):
    """Signed in, but the test call failed; nothing was kept."""

    code = "connection_test_failed"


# --- the provider's move ----------------------------------------------------------------------------------


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


# --- the operator's or the author's move ------------------------------------------------------------------


class ConnectorClientMissing(OperatorError):
    """The connector needs a client id and secret, and the operator has not set them."""

    code = "connector_client_missing"


class ConnectorClientRejected(OperatorError):
    """The provider refuses client id or secret."""

    code = "connector_client_rejected"


class GrantDisabled(OperatorError):
    """The provider does not allow the password grant to this application."""

    code = "provider_grant_disabled"


class ScopeInsufficient(OperatorError):
    """The provider refuses the scope that the connector asks for."""

    code = "scope_insufficient"


class UniqueIdMissing(OperatorError):
    """The answers hold nothing where the connector looks for the account's id."""

    code = "unique_id_missing"


class ValueAbsent(OperatorError):
    """A template of the connector names a value that isn't there."""

    code = "connector_value_absent"

    def __init__(self, path: str) -> None:
        super().__init__(f"the connector uses {path}, which has no value here")
        self.path = path


class KeyUnavailable(OperatorError):
    """The key provider can't be reached."""

    code = "key_unavailable"


class WrongKey(OperatorError):
    """The key at hand is not the one that sealed this data."""

    code = "wrong_key"


class KeyNotMadeHere(OperatorError):
    """KEYTURN_KEYS names the keys, so none is made in the data directory."""

    code = "key_not_made_here"


class KeyStateConflict(OperatorError):
    """What is asked for doesn't go with the state that the key is in."""

    code = "key_state_conflict"


class KeyInUse(OperatorError):
    """A key still wraps data keys, so it can't be retired."""

    code = "key_in_use"


class SealBroken(OperatorError):
    """A sealed value was altered, swapped or belongs elsewhere."""

    code = "seal_broken"


class StoreUnavailable(OperatorError):
    """The database can't be reached or written."""

    code = "store_unavailable"


class AuditUnavailable(OperatorError):
    """The place outside the database where the audit log is written down can't be used."""

    code = "audit_unavailable"


class SettingsInvalid(OperatorError):
    """A setting has a value that can't be used."""

    code = "settings_invalid"


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
