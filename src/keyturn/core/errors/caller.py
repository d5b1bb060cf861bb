"""What the caller has to mend."""

from __future__ import annotations

from keyturn.core.errors.tree import CallerError


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


class SignedOut(CallerError):
    """A form of the console whose session has ended, or that was opened in an earlier one."""

    code = "signed_out"


class ReauthRequired(CallerError):
    """What was asked for needs a sign-in of the last minutes, and the person's is older."""

    code = "reauth_required"


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


class LoginSpraying(CallerError):
    """So many accounts were refused that one password seems to be tried on all; logins are held for a while."""

    code = "login_spraying"


class LoginsStopped(CallerError):
    """An operator has stopped this connector's logins."""

    code = "logins_stopped"


class InQuietHours(CallerError):
    """An operator has asked that the provider be left alone at this time."""

    code = "quiet_hours"


class RequestTimeout(CallerError):
    """The request's body did not come in time."""

    code = "request_timeout"


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


class VersionImmutable(CallerError):
    """A published version was to be corrected in what never changes; `errors` names the keys."""

    code = "version_immutable"


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


class TrialNotHeld(CallerError):
    """A trial does not wait to go on, or not any more."""

    code = "trial_not_held"


class ChallengeExpired(CallerError):
    """A challenge outlived its time, or its login is gone; a new login asks anew."""

    code = "challenge_expired"


class ReturnUrlNotAllowed(CallerError):
    """The return URL is no https URL (or loopback)."""

    code = "return_url_not_allowed"


class ConnectionExists(CallerError):
    """This account is already connected, and the connector says to reject a second one."""

    code = "connection_exists"


class SessionLimitReached(CallerError):
    """Other connections hold all the sessions that the provider allows the account; nothing was sent."""

    code = "session_limit_reached"


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


class ServerStopping(CallerError):
    """This server was told to stop: nothing is sent to a provider any more."""

    code = "server_stopping"

    def __init__(self) -> None:
        super().__init__(retry_after_s=1.0)


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
