"""A challenge in a login with the kept password: a kept TOTP seed answers it; what needs the person is left to them.

Rule 1: the step of a code is committed with the connection before the code leaves; a step is used once.
Rule 2: a rejected code says nothing about the password: the connection then needs the person, as without a seed.
Rule 3: a token that comes with a challenge is revoked, never kept.

Source: the renewal design, "Outcomes of a send", challenge.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import structlog

from keyturn.core.challenges.steps import asked_of_seed, captured, seed_field
from keyturn.core.connection import Connection
from keyturn.core.connector import Challenge, Connector
from keyturn.core.errors import ConnectorInvalid, KeyturnError, MfaUnsupported, ValidationFailed, ValueAbsent
from keyturn.core.requests.provider_request import host_of
from keyturn.core.revocation import RevocationCause
from keyturn.core.token_set import TokenSet
from keyturn.engine.actor import Actor
from keyturn.engine.challenges.refusals import of_own_request
from keyturn.engine.challenges.seed_codes import SeedCodes, seed_among, with_code
from keyturn.engine.in_flight import InFlight, secrets_among
from keyturn.engine.renewal.settlement import Settlement
from keyturn.engine.revocation.revocation_rows import revocation_row, without_live
from keyturn.engine.send import Sent, build, send_for_token
from keyturn.engine.template_values import login_uses, request_uses
from keyturn.ports.egress import Egress
from keyturn.ports.store import ClientCredentials

ROUNDS: Final = 3

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
        for _ in range(ROUNDS):
            if sent.challenge is None:
                break
            if sent.weaker is not None:
                weaker.append(sent.weaker)
            found = captured(sent.challenge, sent.answer, sent.body) if sent.answer is not None else {}
            stopped = replace(stopped, values={**stopped.values, **found})
            following = await self._answer(stopped, sent.challenge, actor)
            if following is None:
                break
            connection, sent = following
            stopped = replace(stopped, connection=connection)
        for each in weaker:  # not before: the next request may have shown it, or made it good
            await self._revoke_weaker(stopped, without_live(each, sent.token_set), actor)
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
        outcome = "challenge_required" if sent.challenge is not None else sent.error.code if sent.error else "ok"
        told = self.settlement.record(connection, "challenge.answered", actor, outcome=outcome, host=host)
        return await self.settlement.between(declared_step, told, after_send=True) or declared_step, sent

    async def _revoke_weaker(self, stopped: Stopped, weaker: TokenSet | None, actor: Actor) -> None:
        keep_tokens = self.settlement.keep_tokens
        row = revocation_row(
            stopped.connector,
            stopped.connection,
            without_live(weaker, stopped.live),
            RevocationCause.REFUSED,
            sealed_fields={},
            clock=keep_tokens.clock,
            entropy=keep_tokens.entropy,
        )
        if row is None:
            return
        record = self.settlement.record(stopped.connection, "login.refused", actor, outcome=MfaUnsupported.code)
        try:
            await keep_tokens.revocations.add(row, records=[record])
        except KeyturnError as error:
            log.warning("weaker_token_not_revoked", connection=stopped.connection.id, code=error.code)
