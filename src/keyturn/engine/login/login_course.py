"""The course of a login after its first answer: a connection, a challenge that waits, a further request, or an error.

Rule 1: a challenge that needs nobody (nothing is asked, or a kept seed gives the code) is gone on with at once.
Rule 2: a rejection of a challenge's own request is a wrong code, unless the connector's failures say otherwise.
Rule 3: no answer is sent twice. What is not described, not answered or beyond the last round ends the login.
Rule 4: a token that comes with a challenge is never kept: it is handed to revocation, which waits where the token is
what the next request shows.

Source: the product's rules for logging in, "A challenge"; the connector format, "Challenges".
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from keyturn.core.audit_record import AuditRecord
from keyturn.core.challenges.steps import (
    MOST_ROUNDS,
    MOST_WRONG_CODES,
    CannotAsk,
    asked,
    asked_of_seed,
    asks_code,
    captured,
    lifetime_s,
    seed_field,
    then_of,
)
from keyturn.core.connector import Challenge, FailureClass, Field, ProviderRequest
from keyturn.core.errors import KeyturnError, MfaUnsupported, OtpInvalid, StoreUnavailable
from keyturn.core.messages import OutgoingRequest
from keyturn.core.requests.client_address import with_client_address
from keyturn.core.requests.provider_request import host_of
from keyturn.core.secret import Secret
from keyturn.core.token_set import TokenSet
from keyturn.engine.before.own_values import remembered_in
from keyturn.engine.challenges.asked_fields import as_plain
from keyturn.engine.challenges.refusals import (
    asking_of_login,
    hear,
    of_own_request,
    refusal,
    refuse_while_held,
    unknown_answer,
)
from keyturn.engine.challenges.seed_codes import SeedCodes, seed_among, with_code
from keyturn.engine.in_flight import InFlight, secrets_among
from keyturn.engine.login.challenged import Challenged, view_of
from keyturn.engine.login.login_request import Connected
from keyturn.engine.login.room.make_room import MakeRoom
from keyturn.engine.login.store_login import StoreLogin, login_from
from keyturn.engine.login.under_way import UnderWay, without_codes
from keyturn.engine.login_budget import LoginBudget
from keyturn.engine.provider_gate import Asking, ProviderGate
from keyturn.engine.send import Sent, build, send_for_token
from keyturn.engine.template_values import request_uses
from keyturn.ports.challenges import ChallengeRow, ChallengeState, ChallengeStore
from keyturn.ports.clock import Clock, Entropy
from keyturn.ports.egress import Egress
from keyturn.ports.store import AttemptResult, AuditLog

log = structlog.get_logger("keyturn.challenges")


@dataclass(frozen=True, slots=True)
class Asked:
    """A challenge that was answered: its place in the connector's list, and what it asked."""

    place: int
    ask: tuple[Field, ...] = ()


@dataclass(frozen=True, slots=True)
class Ready:
    """A challenge's own request, built. `going`: the login, with the step of a code that is in it."""

    going: UnderWay
    spec: ProviderRequest
    request: OutgoingRequest
    secrets: tuple[Secret, ...] = field(repr=False)

    @property
    def host(self) -> str:
        """Where it goes."""
        return host_of(self.request)


@dataclass(frozen=True, slots=True)
class LoginCourse:
    """The ports and parts that this needs."""

    challenges: ChallengeStore
    egress: Egress
    budget: LoginBudget
    gate: ProviderGate
    audit: AuditLog
    store_login: StoreLogin
    codes: SeedCodes
    make_room: MakeRoom
    clock: Clock
    entropy: Entropy
    known: InFlight

    async def follow(self, going: UnderWay, sent: Sent, *, answered: Asked | None = None) -> Connected | Challenged:
        """Go on after an answer, as far as nobody is needed.

        `answered`: the challenge whose own request this answers; None for a login's first answer.

        Raises:
            CredentialsRejected, OtpInvalid and their kin, ProviderError: as the provider answered.
            ConnectionTestFailed and its kin: as `StoreLogin`; the token set is revoked.
        """
        while True:
            if sent.challenge is None:
                if sent.token_set is not None:
                    return await self._connect(_remembering(going, sent), sent.token_set, answered)
                return await self._refused(going, sent, answered)
            again = answered
            going, stopped = await self._stopped(going, sent)
            challenge = going.connector.challenges[stopped.place]
            # The same code asked for again, whatever the provider's words: the one before was wrong.
            wrong = again is not None and again.place == stopped.place and asks_code(stopped.ask)
            if wrong:
                going = _count_wrong(going)
            by_seed = self._seed_answers(going, stopped.ask)
            if challenge.poll is not None or (stopped.ask and by_seed is None):
                return await self.wait(going, stopped, error=OtpInvalid.code if wrong else None)
            ready = await self.prepare(going, challenge, _then(going, challenge, sent), {}, by_seed=by_seed)
            await self.refuse_while_held(ready)
            going, answered = ready.going, stopped
            with self.known.in_flight(*ready.secrets):
                await self.audit.append([self.record(going, "challenge.sent", host=ready.host, place=stopped.place)])
                sent = await self.send(ready)
                await self.note_answer(going, sent, ready.host)

    async def prepare(
        self,
        going: UnderWay,
        challenge: Challenge,
        spec: ProviderRequest,
        typed: Mapping[str, Any],
        *,
        by_seed: str | None = None,
    ) -> Ready:
        """Build a challenge's request; a seed's code is put where it is named, its step committed before.

        `typed`: the answers. `by_seed`: the key of the question that the seed answers.

        Raises:
            ValueAbsent, ValidationFailed, ConnectorInvalid: the values make no request. RateLimited: as `SeedCodes`.
        """
        values, step = going.values(), None
        declared = seed_field(going.connector)
        seeded = declared is not None and seed_among(going.connector, values) is not None
        if declared is not None and seeded and (by_seed or request_uses(spec, declared.key)):
            step = await self.codes.take_step(going.request.reconnects, going.totp_step, going.request.project)
            going = replace(going, totp_step=step)
        values = with_code(going.connector, values, step)
        if by_seed is not None and declared is not None:
            values[by_seed] = values[declared.key]
        values |= typed
        optional = frozenset(each.key for each in challenge.ask)
        request = build(going.connector, spec, values, going.checked.client, optional=optional)
        request = with_client_address(request, going.connector, going.actor.client_address)
        return Ready(going, spec, request, tuple(secrets_among(values)))

    async def send(self, ready: Ready) -> Sent:
        """Send a challenge's own request once, and read its answer as one."""
        sent = await send_for_token(self.egress, ready.going.connector, ready.spec, ready.request, login=True)
        hear(self.gate, await self._asking(ready), sent)
        return of_own_request(sent)

    async def refuse_while_held(self, ready: Ready) -> None:
        """Raise ProviderRateLimited while the provider asks this account to wait."""
        refuse_while_held(self.gate, await self._asking(ready))

    async def _asking(self, ready: Ready) -> Asking:
        going = ready.going
        asking = await asking_of_login(
            self.budget, going.connector, going.host, going.request.username, going.request.project
        )
        return replace(asking, host=ready.host)

    async def note_answer(
        self, going: UnderWay, sent: Sent, host: str, *, action: str = "challenge.answered", **facts: Any
    ) -> None:
        """Log what an answer said; a log that can't be written may lose no token."""
        try:
            await self.audit.append([self.record(going, action, outcome=outcome_of(sent), host=host, **facts)])
        except KeyturnError as error:
            log.warning("answer_not_written_down", connector=going.connector.id, code=error.code)

    async def wait(
        self,
        going: UnderWay,
        stopped: Asked,
        *,
        error: str | None = None,
        polls_from: float | None = None,
    ) -> Challenged:
        """Put the login to rest until somebody answers, or until the provider is asked again.

        `polls_from`: the challenge was answered, and is asked after from this time on (Unix seconds).
        """
        challenge = going.connector.challenges[stopped.place]
        now = self.clock.now()
        facts = going.facts()
        if challenge.resend is not None:
            facts["resendable"] = True
        begins = now if polls_from is None and not stopped.ask else polls_from
        polls = challenge.poll is not None and begins is not None
        if polls and challenge.poll is not None:
            facts |= {"poll_until": min(now + challenge.poll.for_s, going.ends_at), "polls": 0}
        row = ChallengeRow(
            id=self.entropy.identifier("chl"),
            holder=going.actor.name,
            connector=going.connector.id,
            connector_version=going.checked.version,
            owner=going.request.owner,
            place=stopped.place,
            created_at=now,
            expires_at=going.ends_at,
            state=ChallengeState.PENDING if polls else ChallengeState.WAITING,
            ask=() if polls else tuple(as_plain(each) for each in stopped.ask),
            facts=facts,
            wrong_codes=going.wrong_codes,
            error=error,
            due_at=begins if polls else going.ends_at,  # when it has to be looked at: to be asked after, or to end
            project=going.request.project,
        )
        record = self.record(going, "login.challenged", challenge=row.id, place=row.place, wrong_codes=row.wrong_codes)
        stored = await self.challenges.add(row, going.pending(stopped.place), records=[record])
        return view_of(stored, now)

    def record(self, going: UnderWay, action: str, *, outcome: str = "ok", **facts: Any) -> AuditRecord:
        """An audit record about a login on its way."""
        request, actor = going.request, going.actor
        return AuditRecord(
            self.clock.now(),
            action,
            actor.name,
            outcome=outcome,
            connector=request.connector,
            connection=request.reconnects,
            owner=request.owner,
            request_id=actor.request_id,
            facts=facts,
            project=request.project,
        )

    def _seed_answers(self, going: UnderWay, ask: tuple[Field, ...]) -> str | None:
        """The question that a seed answers by itself; once a code was wrong, the person has to."""
        key = asked_of_seed(ask)
        seed = seed_among(going.connector, going.checked.fields)
        return key if seed is not None and not going.wrong_codes else None

    async def _connect(self, going: UnderWay, token_set: TokenSet, answered: Asked | None) -> Connected:
        account = await self.make_room.account_of(going.request, going.checked, going.host)
        login = login_from(going.request, going.checked, token_set, going.host, going.totp_step, account)
        if answered is not None:
            if going.connector.challenges[answered.place].answers_challenge:
                await self.store_login.revoke_weaker(login, going.actor)
                raise unknown_answer()
            await self._count(going, AttemptResult.SUCCEEDED)
            await self._spare_live(going, token_set)
        connection, created = await self.store_login(login, going.actor)
        return Connected(connection, created)

    async def _count(self, going: UnderWay, result: AttemptResult) -> int | None:
        """Book how the login ended; no token and no answer hangs on it."""
        request = going.request
        try:
            return await self.budget.note(going.connector, going.host, request.username, result, request.project)
        except KeyturnError as error:
            log.warning("login_not_written_down", connector=request.connector, code=error.code)
            return None

    async def _spare_live(self, going: UnderWay, token_set: TokenSet) -> None:
        """Some providers make the weaker token good instead of giving another: then it is the live one."""
        live = [each for each in (token_set.access_token, token_set.refresh_token) if each is not None]
        if any(one == each for one in secrets_among(going.captured) for each in live):
            with suppress(StoreUnavailable):
                for each in going.weaker:
                    await self.store_login.revocations.remove(each)

    async def _refused(self, going: UnderWay, sent: Sent, answered: Asked | None) -> Challenged:
        """Raise why the login ended, or have another code typed."""
        if answered is not None and sent.failure is FailureClass.WRONG_CODE and answered.ask:
            return await self.wait(_count_wrong(going), answered, error=OtpInvalid.code)
        left = None
        if answered is not None and sent.failure is FailureClass.WRONG_PASSWORD:
            left = await self._count(going, AttemptResult.FAILED)
        raise refusal(sent, left)

    async def _stopped(self, going: UnderWay, sent: Sent) -> tuple[UnderWay, Asked]:
        """Take in a challenge: what it captured, what it asks, how long there is; the weaker token goes."""
        challenge, answer = sent.challenge, sent.answer
        assert challenge is not None
        assert answer is not None
        found = captured(challenge, answer, sent.body)
        fields = without_codes(going.connector, going.checked.fields)
        going = replace(
            going,
            checked=replace(going.checked, fields=fields),
            captured={**going.captured, **found},
            round=going.round + 1,
            ends_at=self.clock.now() + lifetime_s(challenge, answer, sent.body),
        )
        if sent.weaker is not None:
            going = await self.revoke_weaker(going, sent.weaker)
        _then(going, challenge, sent)
        try:
            ask = asked(challenge, sent.body)
        except CannotAsk:
            raise unknown_answer() from None
        if going.round > MOST_ROUNDS:
            raise unknown_answer()
        return going, Asked(going.connector.challenges.index(challenge), ask)

    async def revoke_weaker(self, going: UnderWay, weaker: TokenSet) -> UnderWay:
        """Hand a token set that is not to be kept to revocation; later, where the next request shows it."""
        login = login_from(going.request, going.checked, weaker, going.host, None)
        values = [weaker.access_token] + ([weaker.refresh_token] if weaker.refresh_token is not None else [])
        shown = any(one == each for one in secrets_among(going.captured) for each in values)
        revocation = await self.store_login.revoke_weaker(
            login, going.actor, not_before=going.ends_at if shown else None
        )
        return replace(going, weaker=(*going.weaker, revocation)) if revocation is not None else going


def outcome_of(sent: Sent) -> str:
    """An answer as the audit log names it."""
    if sent.challenge is not None:
        return "challenge_required"
    return sent.error.code if sent.error else "ok"


def _then(going: UnderWay, challenge: Challenge, sent: Sent) -> ProviderRequest:
    try:
        return then_of(going.connector, challenge)
    except MfaUnsupported as error:
        error.extensions |= sent.error.extensions if sent.error else {}
        raise


def _remembering(going: UnderWay, sent: Sent) -> UnderWay:
    """The login with what its last answer gave for later ones."""
    found = remembered_in(going.connector, sent)
    return replace(going, checked=replace(going.checked, fields={**going.checked.fields, **found})) if found else going


def _count_wrong(going: UnderWay) -> UnderWay:
    """Count a wrong code.

    Raises:
        OtpInvalid: it was the third.
    """
    wrong = going.wrong_codes + 1
    if wrong >= MOST_WRONG_CODES:
        raise OtpInvalid(extensions={"tries_left": 0})
    return replace(going, wrong_codes=wrong)
