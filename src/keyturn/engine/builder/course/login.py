"""Step 2 of a trial: the requests before the login, the token request, and what the provider asks in between.

Rule 1: a password is sent once and counts against everything that logins count against.
Rule 2: what a login answers by itself, such as a code of a seed, a trial answers by itself.

Source: the product's rules for logging in.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from keyturn.core.challenges.steps import (
    MOST_RESENDS,
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
from keyturn.core.connector import Challenge, FailureClass, Field, FieldType, ProviderRequest
from keyturn.core.errors import KeyturnError, LoginBudgetSpent
from keyturn.core.messages import OutgoingRequest
from keyturn.core.requests.client_address import with_client_address
from keyturn.core.requests.provider_request import host_of
from keyturn.core.secret import Secret
from keyturn.core.token_set import TokenSet
from keyturn.engine.abuse.spraying import Tried
from keyturn.engine.before.own_values import remembered_in
from keyturn.engine.before.run_before import Opening, Ran, RunBefore, Step
from keyturn.engine.builder.course.state import TrialState, found_tokens
from keyturn.engine.builder.diagnosing.author_words import of_error
from keyturn.engine.builder.diagnosing.lifetimes import of_lifetime
from keyturn.engine.builder.diagnosing.token_diagnoses import of_token_answer
from keyturn.engine.builder.trial_trace import Mark, Row
from keyturn.engine.challenges.refusals import (
    asking_of_login,
    hear,
    of_own_request,
    of_poll,
    refuse_while_held,
    unknown_answer,
)
from keyturn.engine.challenges.seed_codes import seed_among, with_code
from keyturn.engine.login.answer_challenge import not_resent
from keyturn.engine.login.poll_challenges import still_pending
from keyturn.engine.login.under_way import without_codes
from keyturn.engine.login_budget import counted
from keyturn.engine.send import Sent, build, send_for_token
from keyturn.engine.template_values import login_uses, login_values, request_uses
from keyturn.ports.store import AttemptResult

_KEPT_ANSWERS: Final = frozenset({FieldType.CHOICE, FieldType.BOOLEAN})  # of which no code is one
TITLE: Final = "Challenge"
TOKEN: Final = "/token"  # noqa: S105  (where the file has the request)


@dataclass(frozen=True, slots=True)
class _Told:
    """An answer with the row that shows its request. `spec`, `pointer`: the request, and where the file has it."""

    sent: Sent
    row: Row
    spec: ProviderRequest
    pointer: str
    challenge: Challenge | None = None  # whose own request was answered


@dataclass(frozen=True, slots=True)
class _Wrong:
    """How many codes of this login were wrong, and whether the last one was."""

    codes: int
    last: bool


async def log_in(state: TrialState) -> TokenSet:
    """Log in, and return the token set that a connection would have.

    Raises:
        Stopped: it failed; the row says why.
    """
    connector, parts = state.connector, state.parts
    values = await _first_values(state)
    state.know(values)
    opening = Opening(connector, state.client, values, state.actor.client_address)
    try:
        state.host = host_of(opening.check()[-1])
        state.asking = await asking_of_login(parts.budget, connector, state.host, state.username)
        refuse_while_held(parts.gate, state.asking)
        await parts.turns.refuse_trial(connector, state.host, state.username, state.fields)
        tried = Tried(connector.id, state.host, state.username, state.actor.name)
        record = state.record("connector.trial_sent", host=state.host)
        await parts.budget.refuse_stopped(connector)
        booked = await parts.booking(connector, tried, state.actor, record)
    except KeyturnError as error:
        raise state.failed_with(2, "Log in", error) from None
    sent, result, left = None, AttemptResult.FAILED, None
    try:
        ran, sent = await _send_first(state, opening)
        result = ran.result(counted(sent.outcome))
        await parts.booking.told_spraying(booked, sent, result)
    finally:
        if sent is None:
            await parts.booking.told_unknown(booked)
        with suppress(KeyturnError):
            left = await parts.budget.settle(booked.attempt, result)
    shown = {**ran.found, **values, "username": Secret(state.username)}
    row = state.row(2, "Log in", connector.token, shown)
    counts = result is AttemptResult.FAILED and left is not None
    row = replace(row, text=_counted(connector.limits.logins, left)) if counts and left is not None else row
    return await _follow(state, _Told(sent, row, connector.token, TOKEN))


async def _first_values(state: TrialState) -> dict[str, Any]:
    """What the login is made with: what was typed, what is made for each connection, and the code of a seed."""
    connector = state.connector
    own = await state.parts.own.beside(connector, owner=state.actor.name, reconnects=None)
    state.fields |= own
    values = login_values(state.fields, state.username, state.password, state.client)
    declared = seed_field(connector)
    if declared is not None and seed_among(connector, values) is not None:
        state.know(values)  # the seed itself, before its code stands in its place
        if login_uses(connector, declared.key):
            state.totp_step = await state.parts.codes.next_step(None)
    return with_code(connector, values, state.totp_step)


async def _send_first(state: TrialState, opening: Opening) -> tuple[Ran, Sent]:
    parts, connector = state.parts, state.connector

    async def watch(step: Step, sent: Sent | None) -> None:
        await _watch(state, opening, step, sent)

    parts.egress.begin()
    ran = await RunBefore(parts.egress, parts.known)(opening, watch, state.held)
    state.know(ran.found)
    state.captured |= ran.found
    sent = ran.ended
    if ran.request is not None:
        parts.egress.begin()
        sent = await send_for_token(parts.egress, connector, connector.token, ran.request, login=True)
        state.exchanged("token", connector.token)
    assert sent is not None
    hear(parts.gate, state.asking, sent, sent.host or None)
    return ran, sent


async def _watch(state: TrialState, opening: Opening, step: Step, sent: Sent | None) -> None:
    if sent is None:
        refuse_while_held(state.parts.gate, state.asking, step.host)
        state.parts.egress.begin()
        return
    hear(state.parts.gate, state.asking, sent, step.host)
    state.exchanged(f"before/{step.before.name}", step.before.request)
    row = state.row(2, f"Before the login: {step.before.name}", step.before.request, opening.values)
    if sent.error is not None and sent.challenge is None:
        row = replace(row, mark=Mark.FAILED, diagnosis=of_error(sent.error))
    found = captured(step.before, sent.answer, sent.body) if sent.answer is not None else {}
    state.know(found)
    named = tuple((name, f"‹{name}›", step.before.capture[name]) for name in found)
    state.show(state.answered(replace(row, found=named)))


async def _follow(state: TrialState, told: _Told) -> TokenSet:
    """Go on until a token is there: challenges are answered by the person, or by themselves."""
    wrong = rounds = 0
    while True:
        challenge, again = told.sent.challenge, False
        if challenge is not None:
            again = challenge is told.challenge and asks_code(challenge.ask)
            wrong, rounds = wrong + int(again), rounds + 1
            _take_along(state, challenge, told)
        elif _wrong_code(told) and wrong + 1 < MOST_WRONG_CODES:
            challenge, wrong, again = told.challenge, wrong + 1, True
            assert challenge is not None
            state.show(state.answered(replace(told.row, mark=Mark.SKIPPED), text="The provider refused this code."))
        if challenge is None or wrong >= MOST_WRONG_CODES or rounds > MOST_ROUNDS:
            break
        told = await _answer(state, challenge, told.sent, _Wrong(wrong, again))
    sent = told.sent
    if sent.token_set is not None and told.challenge is not None and told.challenge.answers_challenge:
        state.came(sent.token_set)
        diagnosis = f"A further challenge was expected, as `answers: challenge` says. {of_error(unknown_answer())}"
        raise state.failed(state.answered(replace(told.row, diagnosis=diagnosis)))
    await _count_the_end(state, told)
    if sent.token_set is None:
        words, suggestion = of_token_answer(state.connector, told.spec, told.pointer, sent)
        raise state.failed(state.answered(replace(told.row, diagnosis=words, suggestion=suggestion)))
    return _token_came(state, told, sent.token_set)


def _wrong_code(told: _Told) -> bool:
    return told.challenge is not None and bool(told.challenge.ask) and told.sent.failure is FailureClass.WRONG_CODE


def _take_along(state: TrialState, challenge: Challenge, told: _Told) -> None:
    """What an answer that asks for something gives besides: values for the next request, perhaps a weaker token."""
    sent = told.sent
    assert sent.answer is not None
    if sent.weaker is not None:
        state.came(sent.weaker)
    found = captured(challenge, sent.answer, sent.body)
    state.know(found)
    state.captured |= found
    state.fields = without_codes(state.connector, state.fields)
    named = tuple((name, f"‹{name}›", challenge.capture[name]) for name in found)
    state.show(state.answered(replace(told.row, found=named), text="The provider asks for something in between."))


def _token_came(state: TrialState, told: _Told, token_set: TokenSet) -> TokenSet:
    state.came(token_set)
    state.token_set = token_set
    remembered = remembered_in(state.connector, told.sent)
    state.know(remembered)
    state.fields |= remembered
    found = found_tokens(told.spec, token_set, told.sent)
    found += tuple((name, f"‹{name}›", state.connector.remember[name]) for name in remembered)
    words, suggestion = "", None
    if told.pointer == TOKEN and told.sent.answer is not None:
        words, suggestion = of_lifetime(told.spec, TOKEN, token_set, told.sent.answer, told.sent.body)
    state.show(state.answered(replace(told.row, found=found, diagnosis=words, suggestion=suggestion)))
    return token_set


async def _count_the_end(state: TrialState, told: _Told) -> None:
    """A login with a challenge in it is counted when it ends, as one that makes a connection is."""
    if told.challenge is None:
        return
    if told.sent.token_set is not None:
        result = AttemptResult.SUCCEEDED
    elif told.sent.failure is FailureClass.WRONG_PASSWORD:
        result = AttemptResult.FAILED
    else:
        return
    with suppress(KeyturnError):
        await state.parts.budget.note(state.connector, state.host, state.username, result)


async def _answer(state: TrialState, challenge: Challenge, sent: Sent, wrong: _Wrong) -> _Told:
    """Ask what there is to ask, and send the challenge's own request."""
    connector = state.connector
    try:
        spec = then_of(connector, challenge)
        questions = asked(challenge, sent.body) if sent.challenge is challenge else challenge.ask
    except CannotAsk:
        words = "The answer lists nothing to choose from where `choices_from` points to."
        raise state.failed(Row(Mark.FAILED, 2, TITLE, diagnosis=words)) from None
    except KeyturnError as error:
        raise state.failed_with(2, TITLE, error) from None
    typed, by_seed = await _typed(state, challenge, questions, sent, wrong)
    chosen = {each.key: typed[each.key] for each in questions if each.type in _KEPT_ANSWERS and each.key in typed}
    state.captured |= chosen
    values = await _values(state, spec, by_seed) | typed
    state.know({name: Secret(value) for name, value in typed.items() if isinstance(value, str) and value})
    state.know(values)
    pointer = f"/challenges/{connector.challenges.index(challenge)}/then"
    told, row = await _send(state, challenge, spec, values)
    return _Told(told, row, spec, pointer, challenge)


async def _values(state: TrialState, spec: ProviderRequest, by_seed: str | None = None) -> dict[str, Any]:
    """What a challenge's request may name; where it names the seed, a code stands there that was not used yet."""
    connector = state.connector
    values = {**state.captured, **login_values(state.fields, state.username, state.password, state.client)}
    declared, step = seed_field(connector), None
    if declared is not None and seed_among(connector, values) and (by_seed or request_uses(spec, declared.key)):
        step = await state.parts.codes.next_step(state.totp_step)
        state.totp_step = step
    values = with_code(connector, values, step)
    if by_seed is not None and declared is not None:
        values[by_seed] = values[declared.key]
    return values


async def _typed(
    state: TrialState, challenge: Challenge, questions: tuple[Field, ...], sent: Sent, wrong: _Wrong
) -> tuple[dict[str, Any], str | None]:
    """The answers, and the key of the question that a seed answers instead."""
    if not questions:
        return {}, None
    key = asked_of_seed(questions)
    if key is not None and not wrong.codes and seed_among(state.connector, state.fields) is not None:
        return {}, key
    left = 600.0 if sent.answer is None else lifetime_s(challenge, sent.answer, sent.body)
    ends = state.parts.clock.now() + left
    words = "That code was not accepted." if wrong.last else ""
    try:
        while True:
            able = challenge.resend is not None and state.resends < MOST_RESENDS
            typed = await state.ask(questions, ends, able, words)
            if typed is not None:
                return dict(typed), None
            state.resends += 1
            words = await _resend(state, challenge)
    except KeyturnError as error:
        raise state.failed_with(2, TITLE, error) from None


async def _resend(state: TrialState, challenge: Challenge) -> str:
    """Ask the provider for another code; says how that went, and the trial goes on waiting either way."""
    spec, parts = challenge.resend, state.parts
    assert spec is not None
    title = "Ask for another code"
    try:
        await parts.budget.take_message(state.connector, state.host, state.username)
        values = await _values(state, spec)
        request = build(state.connector, spec, values, state.client)
        refuse_while_held(parts.gate, state.asking, host_of(request))
    except LoginBudgetSpent as error:
        state.show(Row(Mark.SKIPPED, 2, title, diagnosis=of_error(error)))
        return "No other code was asked for: too many were."
    sent = await _sent(state, spec, request)
    for token_set in (sent.token_set, sent.weaker):
        if token_set is not None:
            state.came(token_set)
    if sent.answer is not None:
        found = captured(challenge, sent.answer, sent.body)
        state.know(found)
        state.captured |= found
    row, refused = state.row(2, title, spec, values), not_resent(sent)
    if refused is not None:
        state.show(state.answered(replace(row, mark=Mark.SKIPPED, diagnosis=of_error(refused))))
        return "The provider did not send another code."
    state.show(state.answered(row))
    return "Another code was asked for."


async def _sent(state: TrialState, spec: ProviderRequest, request: OutgoingRequest) -> Sent:
    state.parts.egress.begin()
    request = with_client_address(request, state.connector, state.actor.client_address)
    sent = await send_for_token(state.parts.egress, state.connector, spec, request, login=True)
    hear(state.parts.gate, state.asking, sent, host_of(request))
    return of_own_request(sent)


async def _send(
    state: TrialState, challenge: Challenge, spec: ProviderRequest, values: Mapping[str, Any]
) -> tuple[Sent, Row]:
    """Send a challenge's request, again and again where the person confirms elsewhere."""
    clock = state.parts.clock
    optional = frozenset(each.key for each in challenge.ask)
    ends = clock.now() + (challenge.poll.for_s if challenge.poll else 0.0)
    while True:
        try:
            request = build(state.connector, spec, values, state.client, optional=optional)
            refuse_while_held(state.parts.gate, state.asking, host_of(request))
            await state.parts.budget.refuse_stopped(state.connector)
        except KeyturnError as error:
            raise state.failed_with(2, TITLE, error) from None
        sent = await _sent(state, spec, request)
        sent = of_poll(sent) if challenge.poll is not None else sent
        if challenge.poll is None or not still_pending(challenge, sent) or clock.now() >= ends:
            state.exchanged(f"challenge/{state.connector.challenges.index(challenge)}", spec)
            return sent, state.row(2, "Answer the challenge", spec, values, optional)
        await clock.sleep(max(challenge.poll.every_s, sent.retry_after_s or 0.0))


def _counted(logins: int, left: int) -> str:
    return f"This counts as a failed login of the account: {left} of {logins} may still fail for now."
