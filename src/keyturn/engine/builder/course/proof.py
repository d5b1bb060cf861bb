"""Steps 5, 6, 8, 9 and 3 of a trial: the test, name and identifier, a sample call, and the renewal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from keyturn.core.answers.test_verdict import test_values
from keyturn.core.building.near_paths import paths_of
from keyturn.core.connector import Strategy
from keyturn.core.errors import KeyturnError, UrlNotAllowed, ValueAbsent
from keyturn.core.templates import Template, as_text, look_up
from keyturn.engine.builder.course.state import TrialState, found_tokens
from keyturn.engine.builder.diagnosing.diagnoses import of_not_allowed, of_template, of_test
from keyturn.engine.builder.diagnosing.token_diagnoses import of_token_answer, of_unsent
from keyturn.engine.builder.previews import sample_call
from keyturn.engine.builder.trial_trace import Mark, Row, masked_value, request_text, shown_value
from keyturn.engine.login.store_login import name_of, unique_id_of
from keyturn.engine.send import build, policy_of, send_for_token
from keyturn.engine.template_values import answered_hosts, client_values, token_values
from keyturn.engine.test_connection import allowed_urls_for


def _values(state: TrialState) -> dict[str, Any]:
    """Those of a login."""
    return {**state.fields, **client_values(state.client), **token_values(state.token_set)}


async def prove(state: TrialState) -> None:
    """Step 5: the token works."""
    connector, parts, token_set = state.connector, state.parts, state.token_set
    assert token_set is not None
    if not answered_hosts(connector) <= token_set.kept.keys():
        words = "The provider's answer names no host for the API, or one that the hosts in step 2 don't list."
        raise state.failed(Row(Mark.FAILED, 2, "The host of the API", diagnosis=words))
    values = _values(state)
    parts.egress.begin()
    try:
        preview = parts.tests.preview(connector, values, state.client)
        row = Row(Mark.OK, 5, "Test", method=preview.method, url=preview.url, request=request_text(preview))
    except KeyturnError as error:
        raise state.failed_with(5, "Test", error) from None
    try:
        proof = await parts.tests.prove(connector, values, state.client)
    except UrlNotAllowed:
        words, suggestion = of_not_allowed(connector, connector.test.request.url.source)
        raise state.failed(replace(row, diagnosis=words, suggestion=suggestion)) from None
    except KeyturnError as error:
        words, suggestion = of_unsent(connector, error, 5)
        raise state.failed(replace(row, diagnosis=words, suggestion=suggestion)) from None
    state.exchanged("test", connector.test.request)
    row = state.answered(row)
    if not proof.passed or proof.answer is None:
        words, suggestion = of_test(connector, proof.cause, proof.answer, parts.egress.error)
        raise state.failed(replace(row, diagnosis=words, suggestion=suggestion))
    state.test = test_values(proof.answer)
    state.run.test_answer_paths = paths_of(state.test)
    state.run.test_answer = masked_value(state.test, state.secrets)
    state.show(replace(row, found=taken_from(state.test, connector.connection_name, connector.unique_id)))


async def identify(state: TrialState) -> None:
    """Steps 8 and 6, as the name may take in the id; shown in the order of their numbers."""
    connector, test = state.connector, state.test
    values = {**_values(state), "test": test}
    state.run.name = state.run.unique_id = ""
    try:
        unique_id = unique_id_of(connector, values)
    except KeyturnError:
        unique_id = ""
    template = connector.connection_name
    takes_id = template.uses("unique_id") or connector.unique_id.source in template.source  # as the default name does
    if takes_id and not unique_id:
        state.show(Row(Mark.SKIPPED, 6, "Name", text="It takes in the unique id, and step 8 finds none."))
    else:
        _name(state, {**values, "unique_id": unique_id})
    if not unique_id:
        words, suggestion = of_template("/unique_id", connector.unique_id, test)
        raise state.failed(Row(Mark.FAILED, 8, "Unique id", diagnosis=words, suggestion=suggestion))
    state.run.unique_id = unique_id
    found = taken_from(test, connector.unique_id)
    state.show(Row(Mark.OK, 8, f"Unique id: “{shown_value(unique_id, 'unique_id')}”", found=found))


def _name(state: TrialState, values: Mapping[str, Any]) -> None:
    template, test = state.connector.connection_name, state.test
    name = name_of(state.connector, values, str(values["unique_id"]))
    try:
        template.render(values)
    except ValueAbsent:
        words, suggestion = of_template("/connection_name", template, test)
        text = f"“{shown_value(name, 'name')}” would be used instead."
        state.show(Row(Mark.FAILED, 6, "Name", text=text, diagnosis=words, suggestion=suggestion))
        return
    state.run.name = name
    state.show(Row(Mark.OK, 6, f"Name: “{shown_value(name, 'name')}”", found=taken_from(test, template)))


def taken_from(test: Any, *templates: Template) -> tuple[tuple[str, str, str], ...]:
    """What templates take out of the test's answer, and where it stands there."""
    names = dict.fromkeys(name for each in templates for name in each.names() if name.startswith("test."))
    found = [(name, as_text(look_up(name, {"test": test}))) for name in names]
    return tuple((name, shown_value(text, name), name.removeprefix("test.")) for name, text in found if text)


async def call_once(state: TrialState) -> None:
    """Call the API without a path; its status says nothing of the connector, unless the token is refused."""
    connector, parts = state.connector, state.parts
    spec, values = sample_call(connector), state.of_connection()
    parts.egress.begin()
    try:
        request = build(connector, spec, values, None)
        row = state.row(9, "A sample call", spec, values)
        if not allowed_urls_for(connector, values, parts.tests.suffixes).judge(request.url, "GET").allowed:
            text = "The base URL itself is not an allowed URL, so nothing was sent. This is what a call carries."
            state.show(replace(row, mark=Mark.SKIPPED, text=text))
            return
        answer = await parts.egress.send(request, policy_of(connector))
    except KeyturnError as error:
        raise state.failed_with(9, "A sample call", error) from None
    row = state.answered(row)
    if answer.status == 401:
        raise state.failed(replace(row, diagnosis="The API doesn't take the token as step 9 sends it."))
    text = "" if answer.status < 400 else "The API has nothing at its base; the token was taken."
    state.show(replace(row, text=text))


async def renew_once(state: TrialState) -> None:
    """Refresh, where the connector does; what it sends is what a connection's renewal would."""
    connector, parts, refresh = state.connector, state.parts, state.connector.refresh
    token_set = state.token_set
    assert token_set is not None
    if refresh.strategy is Strategy.PASSWORD_ONLY or not refresh.honoured:
        state.show(Row(Mark.SKIPPED, 3, "Refresh", text="The connector doesn't renew by a refresh token."))
        return
    if token_set.refresh_token is None and not refresh.with_token:
        text = "The provider gave no refresh token: a connection ends with its token."
        state.show(Row(Mark.SKIPPED, 3, "Refresh", text=text))
        return
    parts.egress.begin()
    values = state.of_connection()
    live = token_set.access_token if refresh.with_token else None
    try:
        request = build(connector, refresh.request, values, state.client)
        sent = await send_for_token(parts.egress, connector, refresh.request, request, login=False, live=live)
        row = state.row(3, "Refresh", refresh.request, values)
    except KeyturnError as error:
        raise state.failed_with(3, "Refresh", error) from None
    state.exchanged("refresh", refresh.request)
    if sent.token_set is None:
        words, suggestion = of_token_answer(connector, refresh.request, "/refresh", sent)
        raise state.failed(state.answered(replace(row, diagnosis=words, suggestion=suggestion)))
    state.came(sent.token_set)
    state.token_set = sent.token_set
    if sent.token_set.refresh_token is None and token_set.refresh_token is not None:
        state.token_set = replace(sent.token_set, refresh_token=token_set.refresh_token)
    state.show(state.answered(replace(row, found=found_tokens(refresh.request, sent.token_set, sent))))
