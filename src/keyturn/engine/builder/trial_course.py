"""The course of one trial: log in (2), test (5), name (6), identify (8), a sample call (9), refresh (3), revoke (4).

Rule 1: every request is built, guarded and read by the parts that connections use; only what is kept differs: nothing.
Rule 2: a password is sent once and counts against the login budget like any other.
Rule 3: every token that came is revoked at the end, however the trial ends.
Rule 4: the first step that fails ends it; what was not tried is said.

Source: the product's rules for logging in; the interfaces' "Try it".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

from keyturn.core.answers.test_verdict import test_values
from keyturn.core.audit_record import AuditRecord
from keyturn.core.building.near_paths import paths_of
from keyturn.core.challenges.steps import CannotAsk, asked, captured, lifetime_s, then_of
from keyturn.core.connector import Challenge, Connector, Field, ProviderRequest, Revoke, Strategy, TokenKind
from keyturn.core.errors import KeyturnError, UrlNotAllowed, ValueAbsent
from keyturn.core.requests.client_address import preview_with_address, with_client_address
from keyturn.core.requests.provider_request import host_of
from keyturn.core.secret import Secret
from keyturn.core.token_set import TokenSet
from keyturn.engine.actor import Actor
from keyturn.engine.before.run_before import Opening, RunBefore, Step
from keyturn.engine.builder.diagnoses import of_error, of_not_allowed, of_template, of_test, of_token_answer
from keyturn.engine.builder.previews import masked_preview, sample_call
from keyturn.engine.builder.trial_exchange import WatchedEgress
from keyturn.engine.builder.trial_trace import Mark, Row, TrialRun, answer_text, request_text, shown_value
from keyturn.engine.challenges.refusals import hear, of_own_request, refuse_while_held
from keyturn.engine.challenges.seed_codes import SeedCodes, seed_among, with_code
from keyturn.engine.in_flight import InFlight, secrets_among
from keyturn.engine.login.login_course import ROUNDS
from keyturn.engine.login.poll_challenges import still_pending
from keyturn.engine.login.store_login import name_of, unique_id_of
from keyturn.engine.login_budget import LoginBudget, counted
from keyturn.engine.provider_gate import ProviderGate
from keyturn.engine.revocation.revoke import judge_revocation
from keyturn.engine.send import REVOKE_TIMEOUT_S, Sent, build, policy_of, send_for_token
from keyturn.engine.template_values import client_values, login_values, request_uses, revoke_values, token_values
from keyturn.engine.test_connection import TestCalls, allowed_urls_for
from keyturn.ports.clock import Clock
from keyturn.ports.store import AttemptResult, AuditLog, ClientCredentials

_TOKEN_TITLES: Final = {TokenKind.ACCESS_TOKEN: "access token", TokenKind.REFRESH_TOKEN: "refresh token"}


class Stopped(Exception):
    """A step failed; its row is written."""


@dataclass(frozen=True, slots=True)
class TrialParts:
    """What every trial uses."""

    tests: TestCalls  # over the watched way out
    egress: WatchedEgress
    budget: LoginBudget
    gate: ProviderGate
    audit: AuditLog
    codes: SeedCodes
    clock: Clock
    known: InFlight


@dataclass(slots=True)
class TrialCourse:
    """One trial. `show` takes a row; `ask` puts questions to the person and gives the answers, checked."""

    parts: TrialParts
    run: TrialRun
    connector: Connector
    client: ClientCredentials | None
    actor: Actor
    fields: Mapping[str, Any] = field(repr=False)
    username: str = field(repr=False)
    password: Secret = field(repr=False)
    show: Callable[[Row], None]
    ask: Callable[[tuple[Field, ...], float], Awaitable[Mapping[str, Any]]]
    tokens: list[TokenSet] = field(default_factory=list, repr=False)
    secrets: list[Secret] = field(default_factory=list, repr=False)
    values: dict[str, Any] = field(default_factory=dict, repr=False)
    revoked: list[tuple[Secret, Revoke]] = field(default_factory=list, repr=False)

    async def __call__(self) -> bool:
        """Run it; returns whether every step that there is passed."""
        with ExitStack() as held:
            self._know(held, {**login_values(self.fields, Secret(self.username), self.password, self.client)})
            try:
                token_set = await self._log_in(held)
                await self._test(token_set)
                await self._sample()
                await self._refresh(token_set, held)
                passed = True
            except Stopped:
                passed = False
            return await self._revoke() and passed

    def _know(self, held: ExitStack, values: Mapping[str, Any]) -> None:
        """Count what is secret among these as such, wherever something is written down or shown."""
        self.values |= values
        found = list(secrets_among(dict(values)))
        self.secrets += found
        held.enter_context(self.parts.known.in_flight(*found))

    async def _log_in(self, held: ExitStack) -> TokenSet:
        connector = self.connector
        values = login_values(self.fields, self.username, self.password, self.client)
        step = await self.parts.codes.next_step(None) if seed_among(connector, values) is not None else None
        values = with_code(connector, values, step)
        self._know(held, {name: value for name, value in values.items() if isinstance(value, Secret)})
        opening = Opening(connector, self.client, values, self.actor.client_address)
        try:
            host = host_of(opening.check()[-1])
            refuse_while_held(self.parts.gate, host)
            attempt = await self.parts.budget.reserve(connector, host, self.username)
        except KeyturnError as error:
            raise self._failed(Row(Mark.FAILED, 2, "Log in", diagnosis=of_error(error))) from None
        result = AttemptResult.FAILED
        try:
            await self.parts.audit.append([self._record("connector.trial_sent", host=host)])
            self.parts.egress.begin()
            ran = await RunBefore(self.parts.egress, self.parts.known)(opening, self._watch, held)
            self._know(held, ran.found)
            sent = ran.ended
            if ran.request is not None:
                self.parts.egress.begin()
                sent = await send_for_token(self.parts.egress, connector, connector.token, ran.request, login=True)
            assert sent is not None
            hear(self.parts.gate, host, sent)
            result = ran.result(counted(sent.outcome))
        finally:
            with suppress(KeyturnError):
                await self.parts.budget.settle(attempt, result)
        row = self._row(2, "Log in", connector.token, {**ran.found, **values, "username": Secret(self.username)})
        return await self._follow(sent, row, "/token", connector.token, host, held)

    async def _watch(self, step: Step, sent: Sent | None) -> None:
        if sent is None:
            refuse_while_held(self.parts.gate, step.host)
            self.parts.egress.begin()
            return
        hear(self.parts.gate, step.host, sent)
        row = self._row(2, f"Before the login: {step.before.name}", step.before.request, self.values)
        if sent.error is not None and sent.challenge is None:
            row = replace(row, mark=Mark.FAILED, diagnosis=of_error(sent.error))
        self.show(self._answered(row))

    async def _follow(
        self, sent: Sent, row: Row, pointer: str, spec: ProviderRequest, host: str, held: ExitStack
    ) -> TokenSet:
        """Go on until a token is there: challenges are answered by the person, or by themselves."""
        for _ in range(ROUNDS):
            if sent.challenge is None:
                break
            challenge = sent.challenge
            assert sent.answer is not None
            if sent.weaker is not None:
                self._came(sent.weaker, held)
            self._know(held, captured(challenge, sent.answer, sent.body))
            self.show(self._answered(row, text="The provider asks for something in between."))
            place = self.connector.challenges.index(challenge)
            spec, pointer = self._then(challenge), f"/challenges/{place}/then"
            typed = await self._typed(challenge, sent, held)
            optional = frozenset(each.key for each in challenge.ask)
            sent, row = await self._send_challenge(challenge, spec, typed, optional, host)
        if sent.token_set is None:
            words, suggestion = of_token_answer(self.connector, spec, pointer, sent)
            raise self._failed(self._answered(replace(row, mark=Mark.FAILED, diagnosis=words, suggestion=suggestion)))
        self._came(sent.token_set, held)
        self.show(self._answered(replace(row, found=_found_tokens(spec, sent.token_set))))
        return sent.token_set

    def _then(self, challenge: Challenge) -> ProviderRequest:
        try:
            return then_of(self.connector, challenge)
        except KeyturnError as error:
            raise self._failed(Row(Mark.FAILED, 2, "Challenge", diagnosis=of_error(error))) from None

    async def _typed(self, challenge: Challenge, sent: Sent, held: ExitStack) -> dict[str, Any]:
        assert sent.answer is not None
        try:
            questions = asked(challenge, sent.body)
        except CannotAsk:
            words = "The answer lists nothing to choose from where `choices_from` points to."
            raise self._failed(Row(Mark.FAILED, 2, "Challenge", diagnosis=words)) from None
        if not questions:
            return {}
        ends = self.parts.clock.now() + lifetime_s(challenge, sent.answer, sent.body)
        try:
            typed = dict(await self.ask(questions, ends))
        except KeyturnError as error:
            raise self._failed(Row(Mark.FAILED, 2, "Challenge", diagnosis=of_error(error))) from None
        hidden = {name: Secret(value) for name, value in typed.items() if isinstance(value, str) and value}
        self._know(held, {**typed, **hidden})
        return typed

    async def _send_challenge(
        self, challenge: Challenge, spec: ProviderRequest, typed: Mapping[str, Any], optional: frozenset[str], host: str
    ) -> tuple[Sent, Row]:
        """Send a challenge's request, again and again where the person confirms elsewhere."""
        values = {**self.values, **typed}
        ends = self.parts.clock.now() + (challenge.poll.for_s if challenge.poll else 0.0)
        while True:
            try:
                request = build(self.connector, spec, values, self.client, optional=optional)
                request = with_client_address(request, self.connector, self.actor.client_address)
                refuse_while_held(self.parts.gate, host_of(request))
                self.parts.egress.begin()
                sent = await send_for_token(self.parts.egress, self.connector, spec, request, login=True)
            except KeyturnError as error:
                raise self._failed(Row(Mark.FAILED, 2, "Challenge", diagnosis=of_error(error))) from None
            hear(self.parts.gate, host_of(request), sent)
            if challenge.poll is None or not still_pending(challenge, sent) or self.parts.clock.now() >= ends:
                return of_own_request(sent), self._row(2, "Answer the challenge", spec, values, optional)
            await self.parts.clock.sleep(challenge.poll.every_s)

    def _came(self, token_set: TokenSet, held: ExitStack) -> None:
        self.tokens.append(token_set)
        self._know(held, token_values(token_set))

    async def _test(self, token_set: TokenSet) -> None:
        values = {**self.fields, **client_values(self.client), **token_values(token_set)}
        connector = self.connector
        self.parts.egress.begin()
        try:
            preview = self.parts.tests.preview(connector, values, self.client)
            row = Row(Mark.OK, 5, "Test", method=preview.method, url=preview.url, request=request_text(preview))
        except KeyturnError as error:
            raise self._failed(Row(Mark.FAILED, 5, "Test", diagnosis=of_error(error))) from None
        try:
            proof = await self.parts.tests.prove(connector, values, self.client)
        except UrlNotAllowed:
            words, suggestion = of_not_allowed(connector, connector.test.request.url.source)
            raise self._failed(replace(row, mark=Mark.FAILED, diagnosis=words, suggestion=suggestion)) from None
        except KeyturnError as error:
            raise self._failed(replace(row, mark=Mark.FAILED, diagnosis=of_error(error))) from None
        row = self._answered(row)
        if not proof.passed or proof.answer is None:
            words, suggestion = of_test(connector, proof.cause, proof.answer)
            raise self._failed(replace(row, mark=Mark.FAILED, diagnosis=words, suggestion=suggestion))
        self.show(row)
        values["test"] = test_values(proof.answer)
        self.run.test_answer_paths = paths_of(values["test"])
        self.values |= values
        self._identify(values)

    def _identify(self, values: Mapping[str, Any]) -> None:
        """Steps 8 and 6, as the name may take in the id; shown in the order of their numbers."""
        connector, test = self.connector, values.get("test")
        try:
            unique_id = unique_id_of(connector, values)
        except KeyturnError:
            unique_id = ""
        name = name_of(connector, values, unique_id)
        try:
            connector.connection_name.render({**values, "unique_id": unique_id})
            self.run.name = name
            self.show(Row(Mark.OK, 6, f"Name: “{shown_value(name, 'name')}”"))
        except ValueAbsent:
            words, suggestion = of_template("/connection_name", connector.connection_name, test)
            self.show(
                Row(
                    Mark.FAILED,
                    6,
                    "Name",
                    text=f"“{name}” would be used instead.",
                    diagnosis=words,
                    suggestion=suggestion,
                )
            )
        if not unique_id:
            words, suggestion = of_template("/unique_id", connector.unique_id, test)
            raise self._failed(Row(Mark.FAILED, 8, "Unique id", diagnosis=words, suggestion=suggestion))
        self.run.unique_id = unique_id
        self.show(Row(Mark.OK, 8, f"Unique id: “{shown_value(unique_id, 'unique_id')}”"))

    async def _sample(self) -> None:
        """Call the API without a path; its status says nothing of the connector, unless the token is refused."""
        spec, values = sample_call(self.connector), {**self.values}
        self.parts.egress.begin()
        try:
            request = build(self.connector, spec, values, None)
            row = self._row(9, "A sample call", spec, values)
            if (
                not allowed_urls_for(self.connector, values, self.parts.tests.suffixes)
                .judge(request.url, "GET")
                .allowed
            ):
                text = "The base URL itself is not an allowed URL, so nothing was sent. This is what a call carries."
                self.show(replace(row, mark=Mark.SKIPPED, text=text))
                return
            answer = await self.parts.egress.send(request, policy_of(self.connector))
        except KeyturnError as error:
            raise self._failed(Row(Mark.FAILED, 9, "A sample call", diagnosis=of_error(error))) from None
        row = self._answered(row)
        if answer.status == 401:
            raise self._failed(
                replace(row, mark=Mark.FAILED, diagnosis="The API doesn't take the token as step 9 sends it.")
            )
        self.show(
            replace(row, text="" if answer.status < 400 else "The API has nothing at its base; the token was taken.")
        )

    async def _refresh(self, token_set: TokenSet, held: ExitStack) -> None:
        refresh = self.connector.refresh
        if refresh.strategy is Strategy.PASSWORD_ONLY or not refresh.honoured:
            self.show(Row(Mark.SKIPPED, 3, "Refresh", text="The connector doesn't renew by a refresh token."))
            return
        if token_set.refresh_token is None and not refresh.with_token:
            self.show(
                Row(
                    Mark.SKIPPED,
                    3,
                    "Refresh",
                    text="The provider gave no refresh token: a connection ends with its token.",
                )
            )
            return
        self.parts.egress.begin()
        values = {**self.fields, **client_values(self.client), **self.values, **token_values(token_set)}
        try:
            request = build(self.connector, refresh.request, values, self.client)
            sent = await send_for_token(self.parts.egress, self.connector, refresh.request, request, login=False)
            row = self._row(3, "Refresh", refresh.request, values)
        except KeyturnError as error:
            raise self._failed(Row(Mark.FAILED, 3, "Refresh", diagnosis=of_error(error))) from None
        if sent.token_set is None:
            words, suggestion = of_token_answer(self.connector, refresh.request, "/refresh", sent)
            raise self._failed(self._answered(replace(row, mark=Mark.FAILED, diagnosis=words, suggestion=suggestion)))
        self._came(sent.token_set, held)
        found = _found_tokens(refresh.request, sent.token_set)
        self.show(self._answered(replace(row, found=found)))

    async def _revoke(self) -> bool:
        """Revoke all that came, the newest first; a token that a renewal replaced may be known no longer."""
        if not self.tokens:
            return True
        if not self.connector.revokes:
            text = "The connector doesn't revoke: the tokens of this trial stay good at the provider until they end."
            self.show(Row(Mark.SKIPPED, 4, "Revoke", text=text))
            return True
        well = True
        for n, token_set in enumerate(reversed(self.tokens)):
            # What a renewal replaced is dead at many providers; only the newest has to go well.
            for revoke in self.connector.revokes:
                each = request_uses(revoke.request, "token", "token_type_hint")
                for kind in revoke.tokens if each else revoke.tokens[:1]:
                    well = await self._revoke_one(token_set, revoke, kind, must=n == 0) and well
        return well

    async def _revoke_one(self, token_set: TokenSet, revoke: Revoke, kind: TokenKind, *, must: bool) -> bool:
        connector = self.connector
        token = token_set.refresh_token if kind is TokenKind.REFRESH_TOKEN else token_set.access_token
        if not token or any(token == each and revoke is done for each, done in self.revoked):
            return True
        self.revoked.append((token, revoke))
        title = f"Revoke the {'' if must else 'earlier '}{_TOKEN_TITLES[kind]}"
        values = {**self.values, **revoke_values(token_set, token, kind.value)}
        self.parts.egress.begin()
        try:
            request = build(connector, revoke.request, values, self.client)
            row = self._row(4, title, revoke.request, values)
            answer = await self.parts.egress.send(request, policy_of(connector, REVOKE_TIMEOUT_S))
        except KeyturnError as error:
            self.show(Row(Mark.FAILED if must else Mark.SKIPPED, 4, title, diagnosis=of_error(error)))
            return not must
        code, _ = judge_revocation(connector, answer, revoke.request)
        if code is None:
            self.show(self._answered(row))
            return True
        words = "The provider did not take it back; the token is good there until it ends."
        self.show(self._answered(replace(row, mark=Mark.FAILED if must else Mark.SKIPPED, diagnosis=words)))
        return not must

    def _row(
        self,
        step: int,
        title: str,
        spec: ProviderRequest,
        values: Mapping[str, Any],
        optional: frozenset[str] = frozenset(),
    ) -> Row:
        """A row that shows the request, masked by where each value comes from."""
        hidden = {
            name: Secret(value) if name in self._typed_names() and isinstance(value, str) else value
            for name, value in values.items()
        }
        try:
            preview = masked_preview(self.connector, spec, hidden, self.client, optional=optional)
            if step == 2 and self.actor.client_address is not None:
                preview = preview_with_address(preview, self.connector)
        except KeyturnError as error:
            return Row(Mark.OK, step, title, text=of_error(error))
        return Row(Mark.OK, step, title, method=preview.method, url=preview.url, request=request_text(preview))

    def _typed_names(self) -> set[str]:
        """What the person typed and is shown by its name, whether it is secret or not."""
        return {"username"} | {each.key for challenge in self.connector.challenges for each in challenge.ask}

    def _answered(self, row: Row, *, text: str = "") -> Row:
        """The row with what came back."""
        answer, ms = self.parts.egress.answer, self.parts.egress.ms
        if answer is None:
            return replace(row, ms=ms, text=text or row.text)
        return replace(
            row, status=answer.status, ms=ms, answer=answer_text(answer, self.secrets), text=text or row.text
        )

    def _failed(self, row: Row) -> Stopped:
        self.show(replace(row, mark=Mark.FAILED))
        return Stopped()

    def _record(self, action: str, *, outcome: str = "ok", **facts: Any) -> AuditRecord:
        return AuditRecord(
            self.parts.clock.now(),
            action,
            self.actor.name,
            outcome=outcome,
            connector=self.connector.id,
            request_id=self.actor.request_id,
            facts={"trial": self.run.id, **facts},
        )


def _found_tokens(spec: ProviderRequest, token_set: TokenSet) -> tuple[tuple[str, str, str], ...]:
    """What was found in a token answer, and by which path."""
    mapping = spec.response
    found = [("access_token", "‹access_token›", mapping.access_token or "access_token")]
    if token_set.refresh_token is not None:
        found.append(("refresh_token", "‹refresh_token›", mapping.refresh_token or "refresh_token"))
    if token_set.expires_at is not None:
        seconds = round(token_set.expires_at - token_set.issued_at)
        found.append(("lifetime", f"{seconds} s", mapping.expires.source if mapping.expires else "expires_in"))
    found += [
        (f"token.{name}", shown_value(value, f"token.{name}"), mapping.keep.get(name, ""))
        for name, value in token_set.kept.items()
    ]
    return tuple(found)
