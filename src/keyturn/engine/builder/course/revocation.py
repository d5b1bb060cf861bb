"""Step 4 of a trial: every token that came is revoked, by all the requests that a disconnect sends."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from keyturn.core.connector import TokenKind
from keyturn.core.errors import KeyturnError
from keyturn.core.revocation import Revocation, RevocationCause
from keyturn.core.token_set import TokenSet
from keyturn.engine.builder.course.state import TrialState
from keyturn.engine.builder.diagnosing.author_words import of_error
from keyturn.engine.builder.diagnosing.diagnoses import of_revocation
from keyturn.engine.builder.trial_trace import Mark, Row
from keyturn.engine.revocation.sends import Send, sends
from keyturn.engine.revocation.tell_provider import judge_revocation
from keyturn.engine.send import REVOKE_TIMEOUT_S, build, policy_of
from keyturn.engine.template_values import request_uses, revoke_values

_TITLES: Final = {TokenKind.ACCESS_TOKEN.value: "access token", TokenKind.REFRESH_TOKEN.value: "refresh token"}


async def revoke_all(state: TrialState) -> bool:
    """Revoke all that came, the newest first; whether it went well.

    What a renewal replaced is dead at many providers: only the newest has to go well.
    """
    if not state.tokens:
        return True
    if not state.connector.revokes:
        text = "The connector doesn't revoke: the tokens of this trial stay good at the provider until they end."
        state.show(Row(Mark.SKIPPED, 4, "Revoke", text=text))
        return True
    newest = state.token_set or state.tokens[-1]
    done: list[Send] = []
    well = await _revoke(state, newest, done, must=True)
    for earlier in reversed(state.tokens):
        await _revoke(state, earlier, done, must=False)
    return well


async def _revoke(state: TrialState, token_set: TokenSet, done: list[Send], *, must: bool) -> bool:
    now, connector = state.parts.clock.now(), state.connector
    row = Revocation(state.run.id, connector.id, 0, RevocationCause.REFUSED, now, now, token_set)
    well = True
    for one in sends(connector, row):
        # The same request about the same token: it was a part of two token sets.
        if any(each.request is one.request and each.token == one.token for each in done):
            continue
        done.append(one)
        well = await _revoke_one(state, token_set, one, must=must) and well
    return well


async def _revoke_one(state: TrialState, token_set: TokenSet, one: Send, *, must: bool) -> bool:
    connector, earlier = state.connector, "" if must else "earlier "
    about_one = request_uses(one.request, "token", "token_type_hint") or len(connector.revokes) == 1
    title = f"Revoke the {earlier}{_TITLES[one.kind] if about_one else 'token set'}"
    if len(connector.revokes) > 1:
        place = next(n for n, each in enumerate(connector.revokes, 1) if each.request is one.request)
        title = f"{title}, request {place}"
    values = {**state.of_connection(), **revoke_values(token_set, one.token, one.kind)}
    state.parts.egress.begin()
    try:
        request = build(connector, one.request, values, state.client)
        row = state.row(4, title, one.request, values)
        answer = await state.parts.egress.send(request, policy_of(connector, REVOKE_TIMEOUT_S))
    except KeyturnError as error:
        state.show(Row(Mark.FAILED if must else Mark.SKIPPED, 4, title, diagnosis=of_error(error, 4)))
        return not must
    place = next(n for n, each in enumerate(connector.revokes) if each.request is one.request)
    if must:
        state.exchanged(f"revoke/{place}", one.request)
    code, _ = judge_revocation(connector, answer, one.request)
    if code is None:
        state.show(state.answered(row))
        return True
    pointer = f"/revoke/{place}" if len(connector.revokes) > 1 else "/revoke"
    words, suggestion = of_revocation(answer, one.request.url.source, pointer)
    mark = Mark.FAILED if must else Mark.SKIPPED
    state.show(state.answered(replace(row, mark=mark, diagnosis=words, suggestion=suggestion if must else None)))
    return not must
