"""One request to a token endpoint and what its answer means; sent exactly once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from keyturn.core.answers.answer_body import UNREADABLE, Body
from keyturn.core.answers.lifetimes import parse_http_date
from keyturn.core.answers.token_response import Outcome, Reading, read_answer
from keyturn.core.connector import Challenge, ClientAuthentication, Connector, FailureClass, ProviderRequest
from keyturn.core.errors import (
    AccountLocked,
    AddressNotAllowed,
    ConnectorClientMissing,
    ConnectorClientRejected,
    CredentialsRejected,
    GrantDisabled,
    InteractionRequired,
    KeyturnError,
    MfaUnsupported,
    OtpInvalid,
    PasswordExpired,
    ProviderBadResponse,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderTlsFailed,
    ProviderUnavailable,
    ProviderUnreachable,
    ScopeInsufficient,
    ServerStopping,
    UrlNotAllowed,
)
from keyturn.core.messages import Answer, OutgoingRequest
from keyturn.core.renewal.plan import SendOutcome, classify
from keyturn.core.requests.provider_request import build_request, host_of
from keyturn.core.requests.request_url import render_url
from keyturn.core.requests.tls_identity import tls_identity
from keyturn.core.secret import Secret
from keyturn.core.token_set import TokenSet
from keyturn.engine.template_values import client_values, dotted_names, optional_names
from keyturn.ports.egress import Egress, EgressPolicy
from keyturn.ports.store import ClientCredentials

TOKEN_TIMEOUT_S: Final = 30.0
REVOKE_TIMEOUT_S: Final = 10.0
CLOCKS_AGREE_S: Final = 60.0  # less is the time that an answer takes
CLOCKS_BELIEVED_S: Final = 86_400.0

_NOT_SENT = (ProviderUnreachable, ProviderTlsFailed, AddressNotAllowed, UrlNotAllowed, ServerStopping)


@dataclass(frozen=True, slots=True)
class Sent:
    """How one send ended. `error` says it for callers; None with a token.

    `weaker`: what an answer that matched a challenge held besides: a token set that is never kept. `host`: who was
    asked, with its port; none where nothing was to be sent.
    """

    outcome: SendOutcome
    error: KeyturnError | None = None
    token_set: TokenSet | None = None
    failure: FailureClass | None = None
    challenge: Challenge | None = None
    retry_after_s: float | None = None
    answer: Answer | None = None
    body: Body = field(default=UNREADABLE, repr=False)
    weaker: TokenSet | None = None
    host: str = ""


def policy_of(connector: Connector, timeout_s: float = TOKEN_TIMEOUT_S) -> EgressPolicy:
    """What the connector asks of the way out."""
    return EgressPolicy(connector.private_network, connector.insecure_http, timeout_s)


def _assertion(
    connector: Connector, spec: ProviderRequest, values: Mapping[str, Any], client: ClientCredentials | None
) -> Secret | None:
    """The proof that RFC 7523 asks for, whose audience is the token endpoint; None where it is proved otherwise."""
    if spec.authentication is not ClientAuthentication.PRIVATE_KEY_JWT:
        return None
    if client is None or client.client_secret is None or client.assertions is None:
        raise ConnectorClientMissing
    known = {**client_values(client), **values}
    audience = render_url(connector.token.url, known, dotted=dotted_names(connector)).partition("?")[0]
    return client.assertions.sign(client.client_secret, client_id=client.client_id, audience=audience)


def build(
    connector: Connector,
    spec: ProviderRequest,
    values: Mapping[str, Any],
    client: ClientCredentials | None,
    *,
    optional: frozenset[str] = frozenset(),
) -> OutgoingRequest:
    """Build the request; ValueAbsent or ValidationFailed where the values do not make one.

    `optional`: names that may be absent besides those of step 1.
    """
    request = build_request(
        spec,
        values,
        client_id=client.client_id if client else None,
        client_secret=client.client_secret if client else None,
        client_assertion=_assertion(connector, spec, values, client),
        optional=optional_names(connector) | optional,
        dotted=dotted_names(connector),
    )
    return replace(request, tls=tls_identity(connector, {**client_values(client), **values}))


async def exchange(egress: Egress, connector: Connector, request: OutgoingRequest) -> Answer | Sent:
    """Send a request once; the answer, or how it ended where none came."""
    try:
        return await egress.send(request, policy_of(connector))
    except _NOT_SENT as error:
        return Sent(SendOutcome.NOT_SENT, error, host=host_of(request))
    except ProviderTimeout as error:
        return Sent(SendOutcome.NO_ANSWER, error, host=host_of(request))


async def send_for_token(
    egress: Egress,
    connector: Connector,
    spec: ProviderRequest,
    request: OutgoingRequest,
    *,
    login: bool,
    live: Secret | None = None,
) -> Sent:
    """Send a token request once and place its answer in the outcome table.

    `login`: challenges are looked for (they are not part of a refresh). `live`: the access token that the request
    shows to have it go on living.
    """
    answer = await exchange(egress, connector, request)
    if isinstance(answer, Sent):
        return answer
    ahead = provider_ahead_s(answer)
    reading = read_answer(
        replace(answer, received_at=answer.received_at + ahead),
        mapping=spec.response,
        success_when=spec.success_when,
        rejected_when=spec.rejected_when,
        failures=(*spec.failures, *(each for each in connector.failures if each not in spec.failures)),
        challenges=connector.challenges if login else (),
        default_ttl_s=connector.default_ttl_s,
        refresh_lifetime_s=connector.refresh.lifetime_s,
        live=live,
    )
    outcome = classify(reading, answer.status)
    weaker = None
    if reading.challenge is not None:
        bare = read_answer(answer, mapping=spec.response)
        weaker = bare.token_set
    return Sent(
        outcome,
        None if outcome is SendOutcome.TOKEN else error_of(reading, answer),
        _on_our_clock(reading.token_set, ahead),
        reading.failure,
        reading.challenge,
        reading.retry_after_s,
        answer,
        reading.body,
        weaker,
        host_of(request),
    )


def provider_ahead_s(answer: Answer) -> float:
    """How far the provider's clock is ahead of ours, in seconds; 0 where they agree, or it can't be believed.

    An instant that the provider names (`exp`, `expires_at`) is one of its own clock: where ours was stepped by an hour
    each new token would else look ended, and each call would renew it.
    """
    date = parse_http_date(answer.value("date"))
    ahead = 0.0 if date is None else date - answer.received_at
    return ahead if CLOCKS_AGREE_S < abs(ahead) <= CLOCKS_BELIEVED_S else 0.0


def _on_our_clock(token_set: TokenSet | None, ahead_s: float) -> TokenSet | None:
    if token_set is None or not ahead_s:
        return token_set
    ends, refresh_ends = token_set.expires_at, token_set.refresh_expires_at
    return replace(
        token_set,
        issued_at=token_set.issued_at - ahead_s,
        expires_at=None if ends is None else ends - ahead_s,
        refresh_expires_at=None if refresh_ends is None else refresh_ends - ahead_s,
    )


_BY_FAILURE: Final[Mapping[FailureClass, type[KeyturnError]]] = {
    FailureClass.WRONG_PASSWORD: CredentialsRejected,
    FailureClass.WRONG_CODE: OtpInvalid,
    FailureClass.PASSWORD_OR_CODE: CredentialsRejected,
    FailureClass.LOCKED: AccountLocked,
    FailureClass.PASSWORD_EXPIRED: PasswordExpired,
    FailureClass.MUST_ACT: InteractionRequired,
    FailureClass.GRANT_DISABLED: GrantDisabled,
    FailureClass.CLIENT_WRONG: ConnectorClientRejected,
    FailureClass.SCOPE_DENIED: ScopeInsufficient,
    FailureClass.RATE_LIMITED: ProviderRateLimited,
}
_BY_OUTCOME: Final[Mapping[Outcome, type[KeyturnError]]] = {
    Outcome.REJECTED_CREDENTIALS: CredentialsRejected,
    Outcome.CHALLENGE: MfaUnsupported,
    Outcome.INVALID_CLIENT: ConnectorClientRejected,
    Outcome.INVALID_SCOPE: ScopeInsufficient,
    Outcome.UNSUPPORTED_GRANT: GrantDisabled,
    Outcome.RATE_LIMITED: ProviderRateLimited,
    Outcome.TEMPORARILY_UNAVAILABLE: ProviderUnavailable,
    Outcome.MALFORMED: ProviderBadResponse,
}


def error_of(reading: Reading, answer: Answer) -> KeyturnError:
    """The error that tells a caller of this answer; the author's own help text comes along, the provider's never."""
    kind = _BY_FAILURE[reading.failure] if reading.failure else _BY_OUTCOME[reading.outcome]
    if kind is ProviderBadResponse and classify(reading, answer.status) is SendOutcome.SETUP_WRONG:
        kind = ConnectorClientRejected
    provider: dict[str, Any] = {"status": answer.status}
    if reading.oauth_error:
        provider["error"] = reading.oauth_error
    extensions: dict[str, Any] = {"provider": provider}
    if reading.help:
        extensions["help"] = reading.help
    return kind(retry_after_s=reading.retry_after_s, extensions=extensions)
