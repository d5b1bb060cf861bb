"""The register of codes: status, words and next step of every failure, the same on every surface.

Rule 1: a code never changes its meaning; a retired one stays listed.
Rule 2: texts here name the provider by nothing but "the provider"; a page puts its title in.
Rule 3: `docs/reference/problems.md`, the OpenAPI document and the CLI's exit codes are made from this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final


class Who(StrEnum):
    """Whose move it is."""

    CALLER = "caller"
    END_USER = "end_user"
    AUTHOR = "author"
    OPERATOR = "operator"
    NOBODY = "nobody"  # waiting helps


WHOSE_MOVE: Final[Mapping[Who, str]] = MappingProxyType(
    {
        Who.CALLER: "whoever sent the request",
        Who.END_USER: "the person whose account it is",
        Who.AUTHOR: "the author of the connector",
        Who.OPERATOR: "the operator of this instance",
        Who.NOBODY: "nobody: waiting helps",
    }
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One code: HTTP status, one sentence, whose move, and what that move is."""

    code: str
    status: int
    title: str
    who: Who
    action: str

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later without anybody's doing."""
        return self.who is Who.NOBODY

    def action_here(self, retry_after_s: float | None = None) -> str:
        """What that move is, where `retry_after_s` is all that is said of how long to wait, and maybe nothing is.

        The register's words are those of an answer with a header; a page, a mail or an answer without one has none.
        """
        return self.action if retry_after_s is not None else self.action.replace(_AS_THE_HEADER_SAYS, _BY_ONESELF)

    @property
    def exit_code(self) -> int:
        """The CLI's exit code, by who must act."""
        return _EXIT_BY_CODE.get(self.code, _EXIT_BY_WHO[self.who])

    def as_json(self) -> dict[str, Any]:
        """All of it, as plain JSON."""
        return {
            "code": self.code,
            "status": self.status,
            "title": self.title,
            "who": self.who.value,
            "action": self.action,
            "retryable": self.retryable,
            "exit_code": self.exit_code,
        }


_AS_THE_HEADER_SAYS: Final = "Wait as long as “Retry-After” says"
_BY_ONESELF: Final = "Wait a minute, and longer each time"  # as nobody said how long
_EXIT_BY_WHO: Final = {Who.CALLER: 2, Who.END_USER: 7, Who.AUTHOR: 6, Who.OPERATOR: 1, Who.NOBODY: 8}
_EXIT_BY_CODE: Final = {
    "not_found": 3,
    "connection_disconnected": 3,
    "unauthenticated": 4,
    "api_key_expired": 4,
    "forbidden_scope": 4,
    "forbidden_role": 4,
    "reauth_required": 4,
    "signed_out": 4,
    "sign_in_links_off": 4,
    "sign_in_link_used": 4,
    "sign_in_link_expired": 4,
    "version_conflict": 5,
    "version_immutable": 5,
    "generation_conflict": 5,
    "connection_exists": 5,
    "session_limit_reached": 5,
    "connection_paused": 5,
    "connection_unconfirmed": 5,
    "idempotency_in_progress": 5,
    "idempotency_key_reused": 5,
    "renewal_not_possible": 5,
    "migration_needs_login": 5,
    "identity_mismatch": 5,
    "job_not_ended": 5,
    "job_without_failures": 5,
    "connector_invalid": 6,
    "publish_blocked": 6,
}

_ROWS: Final[tuple[tuple[str, int, str, Who, str], ...]] = (
    ("bad_request", 400, "The request can't be parsed.", Who.CALLER, "Send well-formed JSON or YAML."),
    ("unauthenticated", 401, "No valid API key was sent.", Who.CALLER,
     "Send a current key as “Authorization: Bearer kt_…” or “Keyturn-Key: kt_…”."),
    ("api_key_expired", 401, "The API key has expired.", Who.CALLER, "Make a new key and use it."),
    ("forbidden_scope", 403, "The API key may not do this.", Who.CALLER,
     "Use a key with the scope that “required_scope” names."),
    ("forbidden_role", 403, "Your role may not do this.", Who.CALLER,
     "Ask an administrator of this instance, or sign in as somebody else."),
    ("reauth_required", 403, "This asks for a sign-in of the last five minutes.", Who.CALLER,
     "Sign in again in another tab, then send the form once more: the page has kept it."),
    ("signed_out", 403, "You are signed out, or were since this form was opened.", Who.CALLER,
     "Sign in again, then send the form once more: the page has kept what was typed."),
    ("sign_in_links_off", 403, "Nobody signs in by a link here.", Who.CALLER,
     "Sign in through the OpenID provider. Whoever runs the machine can make a link by “keyturn person link NAME”."),
    ("sign_in_link_used", 409, "This sign-in link leads nowhere: it was used before, or it is not the whole link.",
     Who.CALLER, "Open the whole link as it was made; if it was used, have another one made."),
    ("sign_in_link_expired", 410, "This sign-in link is too old.", Who.CALLER,
     "Have another one made: it lets in once, within ten minutes."),
    ("openid_state_mismatch", 400, "This sign-in was not begun in this browser, or too long ago.", Who.CALLER,
     "Begin again on the sign-in page, in this browser, and end within ten minutes."),
    ("openid_denied", 403, "The OpenID provider did not sign you in.", Who.CALLER,
     "Try again; if it stays so, ask whoever looks after your account there."),
    ("openid_not_invited", 403, "You are known to the OpenID provider, but not here.", Who.CALLER,
     "Ask an administrator to invite you by the e-mail that the provider has verified for you."),
    ("openid_role_missing", 403, "Your account at the OpenID provider gives you no role here.", Who.CALLER,
     "Ask for one of the groups that KEYTURN_OIDC_ROLES names."),
    ("openid_second_factor_missing", 403, "This instance asks for a second factor.", Who.CALLER,
     "Set one up at the OpenID provider, and sign in there with it."),
    ("openid_answer_invalid", 502, "The OpenID provider's answer fails a check; nobody was signed in.", Who.OPERATOR,
     "Compare KEYTURN_OIDC_ISSUER and KEYTURN_OIDC_CLIENT_ID with the provider's settings, and the clocks of both."),
    ("openid_client_refused", 502, "The OpenID provider does not know this instance.", Who.OPERATOR,
     "Check KEYTURN_OIDC_CLIENT_ID, KEYTURN_OIDC_CLIENT_SECRET and the redirect address at the provider."),
    ("openid_unavailable", 503, "The OpenID provider can't be reached now.", Who.NOBODY,
     "Try again in a while. Whoever runs the machine can make a link by “keyturn person link NAME”."),
    ("not_found", 404, "There is no such thing for this key.", Who.CALLER, "Check the id."),
    ("method_not_allowed", 405, "This path takes other methods.", Who.CALLER, "See the “Allow” header."),
    ("payload_too_large", 413, "The body is too large.", Who.CALLER, "Send a smaller body."),
    ("unsupported_media_type", 415, "The body is of a kind that is not read here.", Who.CALLER,
     "Send application/json, or application/yaml for a connector."),
    ("validation_failed", 422, "Some values break a rule.", Who.CALLER, "Mend what “errors” lists."),
    ("version_conflict", 412, "It has changed since you read it.", Who.CALLER, "Read it again and merge."),
    ("generation_conflict", 409, "Somebody else changed the connection at the same moment.", Who.CALLER,
     "Read the connection again, then decide."),
    ("idempotency_in_progress", 409, "A request with this Idempotency-Key is still running.", Who.NOBODY,
     "Wait a moment and send it again."),
    ("idempotency_key_reused", 422, "This Idempotency-Key was used for another request.", Who.CALLER,
     "Use a new key for a new request."),
    ("rate_limited", 429, "Too many requests.", Who.NOBODY, "Wait as long as “Retry-After” says."),
    ("login_budget_spent", 429, "Too many logins of this account failed lately.", Who.NOBODY,
     "Wait as long as “Retry-After” says: one more failure could lock the account."),
    ("login_spraying", 429, "Too many different accounts were refused lately; logins are held for a while.", Who.NOBODY,
     "Wait as long as “Retry-After” says. If nobody tries a password on many accounts here, tell the operator."),
    ("logins_stopped", 503, "An operator has stopped the logins of this connector.", Who.OPERATOR,
     "Start them again (connector start-logins) once the incident is over."),
    ("quiet_hours", 503, "The operator has asked that the provider be left alone at this time.", Who.NOBODY,
     "Wait as long as “Retry-After” says, or ask the operator to change the quiet hours."),
    ("request_timeout", 408, "The request's body did not come in time.", Who.CALLER,
     "Send the whole body without pauses."),
    ("illegal_transition", 409, "The connection's state does not allow this.", Who.CALLER,
     "Read the connection's state."),
    ("job_not_ended", 409, "The job has not ended.", Who.CALLER, "Wait for its end, or cancel it first."),
    ("job_without_failures", 409, "Nothing of this job failed.", Who.CALLER, "Begin a new job."),
    ("connector_invalid", 422, "The connector has errors.", Who.AUTHOR, "Mend every entry of “errors”."),
    ("connector_not_published", 409, "The connector has no published version.", Who.AUTHOR,
     "Publish the draft first."),
    ("publish_blocked", 409, "The draft has errors that block publishing.", Who.AUTHOR,
     "Mend every entry of “errors”."),
    ("version_immutable", 409, "A published version never changes, its advice aside.", Who.AUTHOR,
     "Publish without “corrects”, which makes a new version; “errors” names the keys that differ."),
    ("session_expired", 410, "The link or the page is too old.", Who.END_USER,
     "Ask the application for a new link."),
    ("session_used", 409, "The link was opened before; it works once.", Who.END_USER,
     "Ask the application for a new link."),
    ("challenge_used", 409, "This challenge was answered before; each is answered once.", Who.CALLER,
     "Read the challenge to see what came of it."),
    ("challenge_expired", 410, "This challenge is too old to be answered.", Who.END_USER,
     "Sign in again; the provider asks anew."),
    ("trial_not_held", 409, "The trial does not wait to go on: it runs, has ended, or waited for too long.", Who.CALLER,
     "Begin another trial."),
    ("return_url_not_allowed", 422, "The return URL can't be used.", Who.CALLER,
     "Use an https URL without a fragment or credentials."),
    ("connection_exists", 409, "This account is already connected.", Who.CALLER,
     "Use the connection that “connection_id” names, or disconnect it first."),
    ("session_limit_reached", 409, "Other connections hold all the sessions that the provider allows this account.",
     Who.END_USER, "Use a connection that is there, or disconnect one first; then sign in again."),
    ("connection_paused", 409, "The connection is paused.", Who.OPERATOR, "Resume it."),
    ("connection_unconfirmed", 409, "The connection has not been confirmed.", Who.CALLER,
     "Confirm the connect session with the code that came back to your return URL."),
    ("connection_disconnected", 410, "The connection was disconnected.", Who.END_USER, "Connect the account anew."),
    ("connection_needs_reconnect", 409, "Only the person can get another token.", Who.END_USER,
     "Send the person the reconnect link."),
    ("connection_test_failed", 424, "Signed in, but the test call failed; nothing was kept.", Who.NOBODY,
     "Try again; if it stays, the author should compare step 5 with the provider's answer."),
    ("identity_mismatch", 409, "The sign-in belongs to another account.", Who.END_USER,
     "Sign in with the account that this connection is for."),
    ("unique_id_missing", 424, "The provider did not say which account this is.", Who.AUTHOR,
     "Compare step 8 with the answer of the test call."),
    ("server_stopping", 503, "This server is stopping.", Who.NOBODY, "Send the call again in a second."),
    ("renewal_in_progress", 409, "A renewal is under way and takes long.", Who.NOBODY, "Send the call again."),
    ("migration_needs_login", 409, "This connection can't go over to the newest version without its person.",
     Who.END_USER, "Send the person a reconnect link: signing in moves the connection as well."),
    ("renewal_not_possible", 409, "This connection can't be renewed now.", Who.END_USER,
     "Reconnect it when its token ends."),
    ("url_not_allowed", 403, "The connector does not allow this URL.", Who.AUTHOR,
     "Call an allowed URL, or widen step 7."),
    ("address_not_allowed", 403, "The host's address may not be reached.", Who.OPERATOR,
     "For a private network, allow it by KEYTURN_EGRESS_ALLOW and in the connector."),
    ("token_vend_disabled", 403, "This connector's tokens are not handed out.", Who.CALLER, "Use the proxy."),
    ("body_not_mergeable", 422, "The connector adds parameters to bodies, and this body can't take them.", Who.CALLER,
     "Send a JSON object or a form of up to 10 MiB."),
    ("provider_credentials_rejected", 422, "The provider refused username and password.", Who.END_USER,
     "Check both and type them again."),
    ("provider_mfa_unsupported", 424, "The provider asks for a second step that can't be done here.", Who.END_USER,
     "Use an app password if the provider has them."),
    ("provider_otp_invalid", 422, "The code was not accepted.", Who.END_USER, "Type a new code."),
    ("provider_account_locked", 423, "The provider has locked the account for now.", Who.END_USER,
     "Wait, or unlock the account at the provider."),
    ("provider_password_expired", 424, "The provider wants the password changed first.", Who.END_USER,
     "Change the password at the provider, then try again."),
    ("provider_interaction_required", 424, "The provider wants a sign-in on its own site first.", Who.END_USER,
     "Sign in there once, then try again."),
    ("provider_access_denied", 424, "The account may not use the provider's API.", Who.END_USER,
     "Ask the provider's administrator for API access."),
    ("provider_rate_limited", 429, "The provider asks to wait.", Who.NOBODY,
     "Wait as long as “Retry-After” says."),
    ("provider_unreachable", 502, "The provider could not be reached; nothing was sent.", Who.NOBODY,
     "Try again; check the host and the provider's status page."),
    ("provider_tls_failed", 502, "No safe connection to the provider; nothing was sent.", Who.OPERATOR,
     "Check the provider's certificate."),
    ("provider_timeout", 504, "The provider did not answer in time; the result is not known.", Who.NOBODY,
     "Try once more."),
    ("provider_unavailable", 502, "The provider can't answer now.", Who.NOBODY, "Try again later."),
    ("provider_bad_response", 502, "The provider gave an answer that the connector does not describe.", Who.AUTHOR,
     "Compare the connector with the provider's answer."),
    ("connector_client_missing", 409, "The connector has no client id and secret yet.", Who.OPERATOR,
     "Register the application with the provider and set both."),
    ("connector_client_rejected", 424, "The provider refuses the client id or secret.", Who.OPERATOR,
     "Check both with the provider and set them anew."),
    ("provider_grant_disabled", 424, "The provider does not allow the password grant here.", Who.OPERATOR,
     "Ask the provider to allow it for this application."),
    ("scope_insufficient", 424, "The provider refuses the scope that is asked for.", Who.AUTHOR,
     "Ask for a scope that the application may have."),
    ("connector_value_absent", 424, "A value that the connector uses is not there.", Who.AUTHOR,
     "Compare the templates with the provider's answers."),
    ("internal_error", 500, "Something went wrong here.", Who.OPERATOR, "Report the request id."),
    ("key_unavailable", 503, "The key provider can't be reached.", Who.OPERATOR, "Bring the key provider back."),
    ("wrong_key", 503, "The key is not the one that sealed this data.", Who.OPERATOR, "Put the right key in place."),
    ("key_not_made_here", 409, "This server makes no key files: KEYTURN_KEYS names its keys.", Who.OPERATOR,
     "Make the key where KEYTURN_KEYS points, name it there beside the others, and start every process again."),
    ("key_state_conflict", 409, "The key's state does not allow this.", Who.OPERATOR,
     "Read the keys' states: only a standby key can be made current or be retired."),
    ("key_in_use", 409, "Data keys are still wrapped by this key.", Who.OPERATOR,
     "Let the rotation come to its end, then retire the key."),
    ("seal_broken", 503, "A sealed value can't be opened: it was altered or swapped.", Who.OPERATOR,
     "Have the person sign in again, which keeps the connection's id, or disconnect it: neither opens anything."),
    ("row_broken", 503, "The row can't be read: it was damaged, or a newer release wrote it.", Who.OPERATOR,
     "Run “keyturn doctor”. Have the person sign in again or disconnect it; neither reads it."),
    ("store_unavailable", 503, "The database can't be used.", Who.OPERATOR, "See /readyz, then the log."),
    ("backup_unusable", 422, "The back-up can't be used.", Who.OPERATOR,
     "Name another file, or make room; nothing was changed."),
    ("restore_refused", 409, "The back-up was not put back.", Who.OPERATOR,
     "Stop the server; to lose what happened since the back-up, say --over-newer."),
    ("not_ready", 503, "A part of this instance is missing.", Who.OPERATOR, "Mend what “parts” names."),
    ("audit_unavailable", 503, "The audit log's anchor file or sink can't be used.", Who.OPERATOR,
     "See the log; look at KEYTURN_AUDIT_ANCHOR and KEYTURN_AUDIT_SYSLOG."),
    ("webhook_disabled", 409, "The endpoint is disabled.", Who.CALLER, "Mend the receiver, then enable the endpoint."),
    ("webhook_refused", 502, "The receiver answered with another status than 2xx.", Who.CALLER,
     "Look at the receiver's log; redirects are not followed."),
    ("webhook_unreachable", 502, "The receiver can't be reached; nothing was sent.", Who.CALLER,
     "Check the webhook's address, and whether the receiver runs and may be reached from here."),
    ("webhook_timeout", 504, "The receiver did not answer in time; it may have the message.", Who.CALLER,
     "Let the receiver answer at once and work afterwards; it tells doubles by “webhook-id”."),
    ("webhook_tls_failed", 502, "The receiver's TLS or certificate can't be trusted; nothing was sent.", Who.CALLER,
     "Give the receiver a certificate that this machine trusts."),
    ("webhook_held", 503, "The last tries at this receiver failed; this one waits unsent.", Who.NOBODY,
     "Mend the receiver; what waits is tried again by itself."),
    ("webhook_gone", 410, "The receiver answered 410, so the endpoint was disabled.", Who.CALLER,
     "Enable the endpoint again if that was a mistake, else delete it."),
    ("webhook_failing", 409, "Nothing reached the receiver for three days, so the endpoint was disabled.", Who.CALLER,
     "Mend the receiver, then enable the endpoint."),
    ("webhook_secret_missing", 409, "The endpoint's secret is lost with the key that sealed it.", Who.CALLER,
     "Roll the endpoint's secret, and give the new one to the receiver."),
    ("mail_unavailable", 502, "The mail server does not take the mail.", Who.OPERATOR,
     "See the log; look at KEYTURN_SMTP_URL, KEYTURN_MAIL_FROM and KEYTURN_MAIL_TO."),
    ("settings_invalid", 500, "A setting can't be used.", Who.OPERATOR, "Correct the setting and start again."),
)  # fmt: skip

PROBLEMS: Final[Mapping[str, Problem]] = MappingProxyType({row[0]: Problem(*row) for row in _ROWS})


class Cause(StrEnum):
    """Why a connection is not plainly active: the `reason` of its state, stable like the codes above."""

    CREDENTIALS_REJECTED = "provider_credentials_rejected"
    SCOPE_NOT_GRANTED = "scope_not_granted"
    CHALLENGE_REQUIRED = "challenge_required"
    ANSWER_UNKNOWN = "provider_answer_unknown"
    OUTCOME_UNKNOWN = "renewal_outcome_unknown"
    GRANT_LOST = "grant_lost"
    TOKEN_ENDED = "token_ended"  # noqa: S105
    ACCOUNT_LOCKED = "provider_account_locked"
    PASSWORD_EXPIRED = "provider_password_expired"  # noqa: S105
    INTERACTION_REQUIRED = "provider_interaction_required"
    ACCESS_DENIED = "provider_access_denied"
    NO_ANSWER = "provider_timeout"
    KEY_LOST = "key_lost"
    SESSION_ENDED = "session_ended"
