"""A challenge in a login with the kept password: a kept TOTP seed answers it; what needs the person is left to them.

Rule 1: the step of a code is committed with the connection before the code leaves; a step is used once.
Rule 2: a rejected code says nothing about the password: the connection then needs the person, as without a seed.
Rule 3: a token that comes with a challenge, or in the place of one that was to come, is revoked, never kept.
Rule 4: as in the person's login, a seed answers until a code was wrong, and no login has more than the rounds there.

Source: the renewal design, "Outcomes other than a token", challenge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from keyturn.core.challenges.steps import MOST_ROUNDS, asked_of_seed, asks_code, captured, seed_field
from keyturn.core.connection import Connection
from keyturn.core.connector import Challenge, Connector
from keyturn.core.errors import (
    ConnectorInvalid,
    KeyturnError,
    MfaUnsupported,
    ProviderBadResponse,
    ValidationFailed,
    ValueAbsent,
)
from keyturn.core.renewal.plan import SendOutcome
from keyturn.core.requests.provider_request import host_of
from keyturn.core.revocation import RevocationCause
from keyturn.core.token_set import TokenSet
from keyturn.engine.actor import Actor
from keyturn.engine.audit.answer_facts import answered_as
from keyturn.engine.challenges.refusals import of_own_request, unknown_answer
from keyturn.engine.challenges.seed_codes import SeedCodes, seed_among, with_code
from keyturn.engine.in_flight import InFlight, secrets_among
from keyturn.engine.renewal.settlement import Settlement
from keyturn.engine.revocation.revocation_rows import revocation_row, without_live
from keyturn.engine.send import Sent, build, send_for_token
from keyturn.engine.template_values import login_uses, request_uses
from keyturn.ports.egress import Egress
from keyturn.ports.store import ClientCredentials

log = structlog.get_logger("keyturn.renew")


@dataclass(frozen=True, slots=True)
class Stopped:
    """A renewal's login that was answered with a challenge. `connection`: with its intent, as declared."""

    connection: Connection
    connector: Connector
    client: ClientCredentials | None
    values: Mapping[str, Any] = field(repr=False)  # of the login, the seed as itself
    live: TokenSet | None = field(default=None, repr=False)

    @property
    def seeded(self) -> bool:
        """Whether a seed is kept."""
        return seed_among(self.connector, self.values) is not None


@dataclass(frozen=True, slots=True)
class AnswerBySeed:
    """The ports and parts that this needs."""

    egress: Egress
    settlement: Settlement
    codes: SeedCodes
    known: InFlight

    async def first_step(self, connection: Connection, connector: Connector, values: Mapping[str, Any]) -> int | None:
        """The step whose code the token request takes; None where it takes none. Waits for one that was not used."""
        declared = seed_field(connector)
        if declared is None or seed_among(connector, values) is None:
            return None
        if not login_uses(connector, declared.key):
            return None
        return await self.codes.next_step(connection.totp_step)

    async def __call__(self, stopped: Stopped, sent: Sent, actor: Actor) -> tuple[Connection, Sent]:
        """Go on for as long as the seed is enough; returns the connection as it then is, and the last answer."""
        weaker: list[TokenSet] = []
        rounds, answered = 0, None
        while (challenge := sent.challenge) is not None:
            if sent.weaker is not None:
                weaker.append(sent.weaker)
            if rounds == MOST_ROUNDS:
                sent = _undescribed(sent)
                break
            if challenge is answered and asks_code(challenge.ask):
                break  # the code was wrong: the person has to answer
            found = captured(challenge, sent.answer, sent.body) if sent.answer is not None else {}
            stopped = replace(stopped, values={**stopped.values, **found})
            following = await self._answer(stopped, challenge, actor)
            if following is None:
                break
            connection, sent = following
            stopped, answered, rounds = replace(stopped, connection=connection), challenge, rounds + 1
        for each in weaker:  # not before: the next request may have shown it, or made it good
            await self._revoke(stopped, without_live(each, sent.token_set), MfaUnsupported.code, actor)
        if answered is not None and answered.answers_challenge and sent.token_set is not None:
            await self._revoke(stopped, sent.token_set, ProviderBadResponse.code, actor)
            sent = _undescribed(sent)
        return stopped.connection, sent

    async def _answer(self, stopped: Stopped, challenge: Challenge, actor: Actor) -> tuple[Connection, Sent] | None:
        """Send the challenge's request with a code of the seed; None where that can't be."""
        key, spec, declared = asked_of_seed(challenge.ask), challenge.then, seed_field(stopped.connector)
        needs_person = challenge.poll is not None or (bool(challenge.ask) and (key is None or not stopped.seeded))
        if spec is None or needs_person:
            return None
        connection, values, step = stopped.connection, dict(stopped.values), None
        if declared is not None and stopped.seeded and (key is not None or request_uses(spec, declared.key)):
            step = await self.codes.next_step(connection.totp_step)
        values = with_code(stopped.connector, values, step)
        if key is not None and declared is not None:
            values[key] = values[declared.key]
        try:
            request = build(stopped.connector, spec, values, stopped.client)
        except (ValueAbsent, ValidationFailed, ConnectorInvalid):
            return None
        host = host_of(request)
        if host not in connection.hosts:
            return None
        record = self.settlement.record(connection, "challenge.sent", actor, host=host)
        declared_step = await self.settlement.between(connection, record, totp_step=step)
        if declared_step is None:
            return None  # somebody newer has spoken
        with self.known.in_flight(*secrets_among(values)):
            sent = of_own_request(await send_for_token(self.egress, stopped.connector, spec, request, login=True))
        told = self.settlement.record(connection, "challenge.answered", actor, outcome=answered_as(sent), host=host)
        return await self.settlement.between(declared_step, told, after_send=True) or declared_step, sent

    async def _revoke(self, stopped: Stopped, refused: TokenSet | None, code: str, actor: Actor) -> None:
        keep_tokens = self.settlement.keep_tokens
        row = revocation_row(
            stopped.connector,
            stopped.connection,
            without_live(refused, stopped.live),
            RevocationCause.REFUSED,
            sealed_fields={},
            clock=keep_tokens.clock,
            entropy=keep_tokens.entropy,
        )
        if row is None:
            return
        record = self.settlement.record(stopped.connection, "login.refused", actor, outcome=code)
        try:
            await keep_tokens.revocations.add(row, records=[record])
        except KeyturnError as error:
            log.warning("refused_token_not_revoked", connection=stopped.connection.id, code=error.code)


def _undescribed(sent: Sent) -> Sent:
    """The answer as one that the connector's challenges don't describe; it was read, so that it is no silence."""
    error = unknown_answer()
    return Sent(SendOutcome.UNCLASSIFIED_SUCCESS, error, answer=sent.answer, body=sent.body, host=sent.host)
