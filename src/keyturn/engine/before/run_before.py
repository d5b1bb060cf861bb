"""The requests that run before the token request of a login: one after the other, each sent once.

Rule 1: what one finds is for those after it, for the token request and for challenges; each text of it is a Secret.
Rule 2: the first that fails ends the login, with what its answer says; the token request is not sent then.
Rule 3: whoever runs them hears of each before it leaves and after its answer, and may keep it from leaving.

Source: the connector format, `token.before`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from keyturn.core.answers.preliminary import read_preliminary
from keyturn.core.challenges.steps import captured
from keyturn.core.connector import Before, Connector, ProviderRequest
from keyturn.core.errors import ConnectorInvalid, KeyturnError, ProviderBadResponse, ValidationFailed, ValueAbsent
from keyturn.core.field_values import holds
from keyturn.core.messages import OutgoingRequest
from keyturn.core.renewal.plan import SendOutcome, classify
from keyturn.core.requests.client_address import with_client_address
from keyturn.core.requests.provider_request import host_of
from keyturn.core.secret import Secret
from keyturn.engine.in_flight import InFlight, secrets_among
from keyturn.engine.send import Sent, build, error_of, exchange
from keyturn.engine.template_values import request_uses
from keyturn.ports.egress import Egress
from keyturn.ports.store import AttemptResult, ClientCredentials

_STAND_IN: Final = Secret("0")


@dataclass(frozen=True, slots=True)
class Step:
    """One of them, built. `shows_password`: whether the password is in it."""

    before: Before
    request: OutgoingRequest
    shows_password: bool

    @property
    def host(self) -> str:
        """Where it goes."""
        return host_of(self.request)


# Called before a step leaves, with None, and after its answer. What it raises before keeps the step from leaving.
Watch: TypeAlias = Callable[[Step, Sent | None], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of them.

    `ended`: how the login ended on the way, or the challenge that stopped it; None where all went well. `request`: the
    token request then. `password_shown`: whether a step that was sent had the password in it; `by_last`: and whether
    that was the one that ended the login.
    """

    found: Mapping[str, Any] = field(default_factory=dict, repr=False)
    request: OutgoingRequest | None = None
    ended: Sent | None = None
    password_shown: bool = False
    by_last: bool = False

    def result(self, counted: AttemptResult) -> AttemptResult:
        """What the login budget is told, where `counted` is what it makes of the last answer alone."""
        if self.ended is not None and not self.password_shown:
            return AttemptResult.NOT_SENT
        passed = self.password_shown and not self.by_last
        return AttemptResult.SUCCEEDED if passed and counted is AttemptResult.NOT_SENT else counted


@dataclass(frozen=True, slots=True)
class Opening:
    """What a login is made with, before anything is sent.

    `values`: all that it may use. `client_address`: of whoever logs in, for a provider that asks for it.
    """

    connector: Connector
    client: ClientCredentials | None
    values: Mapping[str, Any] = field(repr=False)
    client_address: str | None = field(default=None, repr=False)

    def build(self, spec: ProviderRequest, found: Mapping[str, Any]) -> OutgoingRequest:
        """Build one of its requests; errors as `send.build`."""
        request = build(self.connector, spec, {**found, **self.values}, self.client)
        return with_client_address(request, self.connector, self.client_address)

    def check(self) -> tuple[OutgoingRequest, ...]:
        """Build all of them, the token request last, with stand-ins for what is found on the way.

        So a value that the person has to correct is said before anything leaves, and the hosts are known.
        """
        return tuple(self.build(each, self._stand_ins()) for each in self._specs())

    def first_with_password(self) -> OutgoingRequest:
        """The request in which the password leaves for the first time, with the same stand-ins."""
        specs = self._specs()
        first = next((each for each in specs if request_uses(each, "password")), specs[-1])
        return self.build(first, self._stand_ins())

    def _specs(self) -> tuple[ProviderRequest, ...]:
        return (*(each.request for each in due(self.connector, self.values)), self.connector.token)

    def _stand_ins(self) -> dict[str, Secret]:
        return {name: _STAND_IN for each in self.connector.before for name in each.capture}


def due(connector: Connector, values: Mapping[str, Any]) -> tuple[Before, ...]:
    """Those that these values of the fields call for."""
    return tuple(each for each in connector.before if holds(each.when, values))


@dataclass(frozen=True, slots=True)
class RunBefore:
    """Sends them, for logins of persons and for those with a kept password."""

    egress: Egress
    known: InFlight

    async def __call__(self, login: Opening, watch: Watch, held: ExitStack) -> Ran:
        """Send them, and build the token request with what they found.

        Args:
            login: what it is made with.
            watch: hears of each.
            held: while it is open, what they found counts as secret wherever something is written down.
        """
        connector, shown = login.connector, False
        found: dict[str, Any] = {}
        for each in due(connector, login.values):
            shows = request_uses(each.request, "password")
            try:
                step = Step(each, login.build(each.request, found), shows)
                await watch(step, None)
            except (ValueAbsent, ValidationFailed, ConnectorInvalid):
                return Ran(found, ended=_unusable(), password_shown=shown)
            except KeyturnError as error:
                return Ran(found, ended=Sent(SendOutcome.NOT_SENT, error), password_shown=shown)
            sent, more = await _send(self.egress, connector, step)
            held.enter_context(self.known.in_flight(*secrets_among(more)))
            shown = shown or shows
            await watch(step, sent)
            if sent.outcome is not SendOutcome.TOKEN:
                return Ran(found, ended=sent, password_shown=shown, by_last=shows)
            found = {**found, **more}
        try:
            return Ran(found, login.build(connector.token, found), password_shown=shown)
        except (ValueAbsent, ValidationFailed, ConnectorInvalid):
            return Ran(found, ended=_unusable(), password_shown=shown)


async def _send(egress: Egress, connector: Connector, step: Step) -> tuple[Sent, dict[str, Any]]:
    """Send one, and read its answer; `SendOutcome.TOKEN` stands for one that went well."""
    spec = step.before.request
    answer = await exchange(egress, connector, step.request)
    if isinstance(answer, Sent):
        return answer, {}
    reading = read_preliminary(
        answer,
        mapping=spec.response,
        success_when=spec.success_when,
        rejected_when=spec.rejected_when,
        failures=(*spec.failures, *(each for each in connector.failures if each not in spec.failures)),
        challenges=connector.challenges,
    )
    found = captured(step.before, answer, reading.body)
    if reading.went_well and found.keys() == step.before.capture.keys():
        return Sent(SendOutcome.TOKEN, answer=answer, body=reading.body, host=step.host), found
    wrong = reading.otherwise
    sent = Sent(
        classify(wrong, answer.status),
        error_of(wrong, answer),
        failure=wrong.failure,
        challenge=wrong.challenge,
        retry_after_s=wrong.retry_after_s,
        answer=answer,
        body=wrong.body,
        host=step.host,
    )
    return sent, {}


def _unusable() -> Sent:
    """What an answer gave makes no request: nothing describes such an answer."""
    return Sent(SendOutcome.UNCLASSIFIED_SUCCESS, ProviderBadResponse())
