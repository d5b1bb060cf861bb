"""What a person is told of a login that ended without a token, and what the provider's host is remembered for."""

from __future__ import annotations

from dataclasses import replace

from keyturn.core.answers.oauth_errors import PollEnd, poll_end
from keyturn.core.connector import Connector, FailureClass
from keyturn.core.errors import (
    ChallengeExpired,
    CredentialsRejected,
    KeyturnError,
    OtpInvalid,
    ProviderBadResponse,
    ServerStopping,
)
from keyturn.core.renewal.plan import SendOutcome
from keyturn.engine.login_budget import LoginBudget, counted
from keyturn.engine.provider_gate import Asking, ProviderGate, RequestKind
from keyturn.engine.send import Sent
from keyturn.ports.store import AttemptResult

ANSWER_UNKNOWN = "provider_answer_unknown"


def refusal(sent: Sent, tries_left: int | None) -> KeyturnError:
    """The error for the person; where the send counts against the budget or was refused, with the tries left."""
    error = sent.error or ProviderBadResponse()
    counts = counted(sent.outcome) is AttemptResult.FAILED or isinstance(error, CredentialsRejected | OtpInvalid)
    if counts and tries_left is not None:
        error.extensions["tries_left"] = tries_left
    if sent.outcome in (SendOutcome.UNCLASSIFIED, SendOutcome.UNCLASSIFIED_SUCCESS):
        error.extensions["reason"] = ANSWER_UNKNOWN
    if sent.failure is FailureClass.PASSWORD_OR_CODE:
        error.extensions["retry"] = "sign_in"
    return error


def unknown_answer() -> ProviderBadResponse:
    """The error of an answer that a connector's challenges don't describe."""
    return ProviderBadResponse(extensions={"reason": ANSWER_UNKNOWN})


def of_own_request(sent: Sent) -> Sent:
    """Read what a challenge's own request was answered: a plain rejection is one of the code, not of the password."""
    if sent.outcome is not SendOutcome.REJECTED or sent.failure is not None or sent.error is None:
        return sent
    error = OtpInvalid(extensions=sent.error.extensions)
    return replace(sent, outcome=SendOutcome.CHALLENGE, failure=FailureClass.WRONG_CODE, error=error)


def of_poll(sent: Sent) -> Sent:
    """Read an answer to a poll that nothing describes: by RFC 8628 §3.5 the person refused, or waited too long."""
    provider = sent.error.extensions.get("provider", {}) if sent.error is not None else {}
    if sent.failure is not None or sent.outcome not in (SendOutcome.UNCLASSIFIED, SendOutcome.UNCLASSIFIED_SUCCESS):
        return sent
    match poll_end(provider.get("error")):
        case PollEnd.REFUSED:
            error: KeyturnError = OtpInvalid(extensions={"provider": provider})
        case PollEnd.EXPIRED:
            error = ChallengeExpired(extensions={"provider": provider})
        case None:
            return sent
    return replace(sent, outcome=SendOutcome.CHALLENGE, error=error)


async def asking_of_login(
    budget: LoginBudget, connector: Connector, host: str, username: str, project: str = "default"
) -> Asking:
    """A person's login, as the gate knows it: by its account, and as evidence against nobody else."""
    account = await budget.account(connector, host, username, project)
    return Asking(host, RequestKind.LOGIN, connector.id, account=account, project=project)


def refuse_while_held(gate: ProviderGate, asking: Asking, host: str | None = None) -> None:
    """Raise ProviderRateLimited while the provider asks this account to wait; `host`: where a further request goes."""
    error = gate.refusal(asking if host is None else replace(asking, host=host))
    if error is not None:
        raise error


def hear(gate: ProviderGate, asking: Asking, sent: Sent, host: str | None = None) -> None:
    """Remember what the provider answered; `host`: where, if that is not where the login goes."""
    if isinstance(sent.error, ServerStopping):
        return  # nobody was asked
    code = sent.error.code if sent.error is not None else None
    at = asking if host in (None, asking.host) else replace(asking, host=host)
    gate.heard(at, sent.outcome, code=code, asked_s=sent.retry_after_s)
