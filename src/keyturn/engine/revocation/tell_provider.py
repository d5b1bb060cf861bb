"""One try of a revocation: its requests, and what each answer means.

Rule 1: a request that puts the access token on, once that has ended, follows a renewal: nothing else can cure its 401.
Where none may be made it is sent once as it is; a refusal then is the end of it, and no waiting helps.

Source: RFC 7009; the renewal design, column "revoke" of the outcome table; corrections R15.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from keyturn.core.answers.token_response import Outcome, read_answer
from keyturn.core.connector import Connector, FailureClass, ProviderRequest, TokenKind
from keyturn.core.errors import (
    ConnectorClientRejected,
    KeyturnError,
    ProviderRateLimited,
    ServerStopping,
    UrlNotAllowed,
)
from keyturn.core.messages import Answer
from keyturn.core.problems import Cause
from keyturn.core.renewal.plan import SendOutcome
from keyturn.core.renewal.retry import quiet_s
from keyturn.core.requests.provider_request import host_of
from keyturn.core.revocation import Revocation
from keyturn.engine.in_flight import InFlight, secrets_among
from keyturn.engine.provider_gate import Asking, ProviderGate, RequestKind
from keyturn.engine.revocation.renew_first import Fate, Renewal, RenewFirst
from keyturn.engine.revocation.sends import Send, kinds_of, needs_live_token, sends
from keyturn.engine.send import REVOKE_TIMEOUT_S, build, error_of, policy_of
from keyturn.engine.template_values import client_values, revoke_values
from keyturn.ports.egress import Egress
from keyturn.ports.store import ClientCredentials

_DONE: Final = frozenset({Outcome.TOKEN, Outcome.REJECTED_CREDENTIALS})


@dataclass(frozen=True, slots=True)
class Told:
    """What came of one try: what is done, and the code of what went wrong with another.

    `open`: what was tried and is not done, each with its code. `hopeless`: no later try can do better. `row`: as it is
    after the try, where it was made. `elsewhere`: another process sends it.
    """

    done: tuple[str, ...]
    error: str | None = None
    retry_after_s: float | None = None
    open: Mapping[str, str] = field(default_factory=dict)
    hopeless: bool = False
    row: Revocation | None = None
    elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Spoken:
    """What a try needs: the version that says how, and the application."""

    connector: Connector
    client: ClientCredentials | None


@dataclass(frozen=True, slots=True)
class _Answered:
    """What came of one request; no code: done."""

    code: str | None = None
    retry_after_s: float | None = None
    status: int | None = None

    @property
    def refused(self) -> bool:
        """Whether the provider said no, and not to the application."""
        by_status = self.status is not None and 400 <= self.status < 500 and self.status != 429
        return by_status and self.code != ConnectorClientRejected.code


@dataclass(frozen=True, slots=True)
class TellProvider:
    """The parts that a try needs."""

    egress: Egress
    gate: ProviderGate
    known: InFlight
    renew_first: RenewFirst

    async def __call__(self, row: Revocation, spoken: Spoken, *, last: bool, renew: bool = True) -> Told:
        """Send what is open. `renew`: the row is claimed, and its set may be renewed. Raises as `RenewFirst`."""
        connector, done, now = spoken.connector, list(row.done), self.renew_first.clock.now()
        wanted = [one for one in sends(connector, row) if one.name not in done]
        renewal: Renewal | None = None
        if renew and row.token_set.ended(now) and any(needs_live_token(one) for one in wanted):
            # First of all: another request may end the refresh token.
            renewal = await self.renew_first(row, connector, spoken.client)
            row = renewal.row
            if renewal.fate is Fate.LATER and not last:
                left = {one.name: renewal.code for one in wanted}
                return Told(tuple(done), renewal.code, renewal.retry_after_s, left, row=row)
        left, hopeless, retry_after = {}, set(), 0.0
        for name in [one.name for one in wanted]:
            one = _named(name, connector, row)
            if needs_live_token(one) and renewal is not None and renewal.fate is Fate.GONE:
                done.append(name)
                continue
            found = await self._one(row, spoken, one, last=last)
            if _ended_with_its_refresh_token(one, found, done):
                done.append(name)
                continue
            if renew and renewal is None and needs_live_token(one) and found.refused and found.status == 401:
                renewal = await self.renew_first(row, connector, spoken.client)
                row = renewal.row
                found = await self._after_401(found, renewal, spoken, name, last=last)
            if found.code is None:
                done.append(name)
                continue
            left[name] = found.code
            retry_after = max(found.retry_after_s or 0.0, retry_after)
            if renew and needs_live_token(one) and found.refused and _is_impossible(renewal):
                left[name] = renewal.code if renewal is not None else Cause.TOKEN_ENDED.value
                hopeless.add(name)
        error = next(reversed(left.values()), None)
        return Told(tuple(done), error, retry_after or None, left, bool(left) and hopeless == set(left), row)

    def host_of_first(self, row: Revocation, spoken: Spoken) -> str | None:
        """Where the first request that is open goes; None where it can't be made."""
        for one in sends(spoken.connector, row):
            if one.name in row.done:
                continue
            values = {**row.values, **client_values(spoken.client), **revoke_values(row.token_set, one.token, one.kind)}
            try:
                return host_of(build(spoken.connector, one.request, values, spoken.client))
            except KeyturnError:
                return None
        return None

    async def _after_401(
        self, found: _Answered, renewal: Renewal, spoken: Spoken, name: str, *, last: bool
    ) -> _Answered:
        """The provider takes the token no longer, whatever we thought of it."""
        match renewal.fate:
            case Fate.RENEWED:
                return await self._one(renewal.row, spoken, _named(name, spoken.connector, renewal.row), last=last)
            case Fate.GONE:
                return _Answered()
            case Fate.LATER:
                return _Answered(renewal.code, renewal.retry_after_s)
            case Fate.IMPOSSIBLE:
                return found

    async def _one(self, row: Revocation, spoken: Spoken, one: Send, *, last: bool) -> _Answered:
        connector, client = spoken.connector, spoken.client
        values: dict[str, Any] = {
            **row.values,
            **client_values(client),
            **revoke_values(row.token_set, one.token, one.kind),
        }
        try:
            request = build(connector, one.request, values, client)
            host = host_of(request)
            if host not in row.hosts:
                raise UrlNotAllowed
            asking = asking_of(row, host)
            if not last and (held := self.gate.refusal(asking)) is not None:
                raise held
            with self.known.in_flight(*secrets_among(values)):
                answer = await self.egress.send(request, policy_of(connector, REVOKE_TIMEOUT_S))
        except ServerStopping:
            return _Answered(ServerStopping.code)
        except KeyturnError as error:
            return _Answered(error.code, error.retry_after_s)
        code, wait = judge_revocation(connector, answer, one.request)
        if code == ConnectorClientRejected.code:
            # The refused application may be one of the revoke request alone: renewals go on being tried.
            return _Answered(code, quiet_s(row.tries + 1), answer.status)
        self.gate.heard(asking, _outcome(code, wait), code=code, asked_s=wait)
        return _Answered(code, wait, answer.status)


def asking_of(row: Revocation, host: str) -> Asking:
    """A revocation, as the gate knows it: by its row."""
    return Asking(host, RequestKind.REVOKE, row.connector, row.id, project=row.project)


def _outcome(code: str | None, wait: float | None) -> SendOutcome:
    """How a revocation ended, as the gate counts it."""
    if code is None:
        return SendOutcome.TOKEN
    asked = code == ProviderRateLimited.code or wait
    return SendOutcome.RATE_LIMITED if asked else SendOutcome.UNCLASSIFIED


def _named(name: str, connector: Connector, row: Revocation) -> Send:
    return next(one for one in sends(connector, row) if one.name == name)


def _ended_with_its_refresh_token(one: Send, found: _Answered, done: Sequence[str]) -> bool:
    """True if the provider refuses the access token that it is asked to end, and has ended its refresh token before.

    RFC 7009 section 2.1: access tokens of the same grant should end with the refresh token.
    """
    refused = found.refused and found.status == 401 and needs_live_token(one)
    return refused and one.kind == TokenKind.ACCESS_TOKEN and TokenKind.REFRESH_TOKEN in kinds_of(done)


def _is_impossible(renewal: Renewal | None) -> bool:
    return renewal is not None and renewal.fate is Fate.IMPOSSIBLE


def judge_revocation(
    connector: Connector, answer: Answer, spec: ProviderRequest | None = None
) -> tuple[str | None, float | None]:
    """A plain 2xx is done (RFC 7009 §2.2), and so is a token that the provider no longer knows.

    `spec`: which request was answered; the first where none is given.
    """
    if spec is None:
        assert connector.revoke is not None
        spec = connector.revoke.request
    reading = read_answer(
        answer,
        mapping=spec.response,
        rejected_when=spec.rejected_when,
        failures=(*spec.failures, *connector.failures),
    )
    if reading.outcome in _DONE and reading.failure in (None, FailureClass.WRONG_PASSWORD):
        return None, None
    silent = reading.oauth_error is None and reading.failure is None and 200 <= answer.status < 300
    if silent and reading.outcome is Outcome.MALFORMED:
        return None, None  # an empty or foreign body is no error here
    if reading.outcome in (Outcome.INVALID_CLIENT, Outcome.UNSUPPORTED_GRANT):
        return ConnectorClientRejected.code, None
    return error_of(reading, answer).code, reading.retry_after_s
