"""What a trial tells an author of an answer that brought no token, and the edit that it offers."""

from __future__ import annotations

from typing import Any

import pytest

from keyturn.core.errors import AddressNotAllowed, ProviderTlsFailed, ProviderUnreachable, TlsCheck
from keyturn.core.messages import Answer
from keyturn.core.templates import Template
from keyturn.engine.builder.diagnosing.author_words import of_error
from keyturn.engine.builder.diagnosing.diagnoses import of_not_allowed, of_template
from keyturn.engine.builder.trial_trace import Mark, Row
from tests.engine.builder.test_trials import AUTHOR, MFA, TYPED, begin, ended
from tests.engine.builder.texts import parsed
from tests.engine.story import error, me, publish, token
from tests.fakes.application import make_world
from tests.fakes.egress import json_answer

JSON = ", encoding: json"


async def failed(*answers: Answer | Exception, **parts: str) -> Row:
    """The first row that failed, of a trial with these answers."""
    world = make_world()
    await publish(world)
    world.egress.will_reply(*answers)
    run = await ended(world, await world.application.builder.trials.begin(parsed(**parts), TYPED, AUTHOR))
    return next(each for each in run.rows if each.mark is Mark.FAILED)


def answer(status: int, body: str = "", **headers: str) -> Answer:
    """An answer with headers."""
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Answer(status, pairs, body.encode())


async def test_a_code_that_is_asked_for_becomes_a_challenge() -> None:
    """The author reads what is missing; the edit is the whole challenge but the grant type, which they look up."""
    row = await failed(json_answer('{"error": "mfa_required", "mfa_token": "canary"}', 403))

    assert row.diagnosis.startswith("This provider asks for a code. Add a challenge")
    assert "app password" not in row.diagnosis
    assert row.suggestion is not None
    assert row.suggestion.blank is not None
    assert "/challenges" == row.suggestion.pointer
    (challenge,) = row.suggestion.filled("urn:acme:mfa-otp")
    expected = {"grant_type": "urn:acme:mfa-otp", "mfa_token": "{{ mfa_token }}", "otp": "{{ otp }}"}
    assert expected == challenge["then"]["params"]
    assert "" == row.suggestion.value[0]["then"]["params"]["grant_type"]


@pytest.mark.parametrize(
    ("reply", "words", "when"),
    [
        pytest.param(answer(401), "with status 401. That", {"status": [401]}, id="nothing else"),
        pytest.param(
            json_answer('{"message": "canary", "code": 7}', 400), "has: code, message",
            {"status": [400], "body": "code"}, id="names",
        ),
        pytest.param(
            error("token_revoked"), "the error token_revoked",
            {"status": [400], "body": "error == 'token_revoked'"}, id="an error of its own",
        ),
        pytest.param(json_answer('{"rt-8fK2mQ9xLw3ZpT7v": 1}', 401), "with status 401. That", {"status": [401]},
                     id="a name that may be a value"),
    ],
)  # fmt: skip
async def test_a_refresh_that_is_refused_in_its_own_way(reply: Answer, words: str, when: dict[str, Any]) -> None:
    """The author is offered the condition that would tell a dead refresh token, of names alone."""
    row = await failed(token(1), me(), json_answer("{}", 404), reply, *[json_answer("{}")] * 2)

    assert words in row.diagnosis
    assert row.suggestion is not None
    assert ("/refresh/rejected_when", when) == (row.suggestion.pointer, row.suggestion.value)
    assert "canary" not in repr(row.suggestion)
    assert "8fK2mQ9x" not in repr(row.suggestion)


@pytest.mark.parametrize(
    ("reply", "refresh"),
    [
        pytest.param(error("invalid_grant"), "", id="an OAuth error says it"),
        pytest.param(answer(500), "", id="the provider's trouble"),
        pytest.param(answer(401), "rejected_when: {body: other}", id="the author has said what one looks like"),
    ],
)
async def test_a_refresh_that_needs_no_condition(reply: Answer, refresh: str) -> None:
    """Its neighbours: nothing is offered."""
    parts = {"refresh": refresh} if refresh else {}
    row = await failed(token(1), me(), json_answer("{}", 404), reply, *[json_answer("{}")] * 2, **parts)

    assert (3, None) == (row.step, row.suggestion)


async def test_a_further_challenge_is_put_behind_the_first() -> None:
    """One that recognises another answer stays, and the new one is its neighbour."""
    row = await failed(json_answer('{"error": "totp-required"}', 401), more=MFA)

    assert row.suggestion is not None
    assert "/challenges/1" == row.suggestion.pointer
    assert {"extra_params": {"totp": "{{ otp }}"}} == row.suggestion.value["then"]


@pytest.mark.parametrize(
    ("reply", "parts", "words", "edit"),
    [
        pytest.param(answer(404, "no"), {}, "Nothing is at this address (404)", None, id="404"),
        pytest.param(
            answer(308, "", location="/oauth2/token?x=canary"), {}, "a redirect is never followed",
            ("/token/url", "https://auth.acme.example/oauth2/token"), id="redirect",
        ),
        pytest.param(
            answer(302, "", location="http://auth.acme.example/token2"), {}, "Put the address", None,
            id="a redirect that would leave https",
        ),
        pytest.param(answer(302, "", location="https://[canary/x"), {}, "Put the address", None, id="an odd redirect"),
        pytest.param(answer(302, "", location="https://a b/x"), {}, "Put the address", None, id="redirect to none"),
        pytest.param(
            answer(405, "", allow="GET, PUT"), {}, "takes no POST", ("/token/method", "PUT"), id="method",
        ),
        pytest.param(
            error("unsupported_grant_type"), {"token": JSON}, "may expect form", ("/token/encoding", "form"),
            id="a form was wanted",
        ),
        pytest.param(
            answer(401), {}, "gives no reason that is known", ("/token/rejected_when", {"status": [401]}),
            id="401 and nothing else",
        ),
        pytest.param(
            answer(200, "{}", x_subject_token="canary"), {}, "no token at access_token",
            ("/token/response/access_token", "header:x-subject-token"), id="in a header",
        ),
        pytest.param(
            answer(200, '"canary-of-a-token"'), {}, "The whole answer is one text",
            ("/token/response/access_token", "@"), id="bare",
        ),
        pytest.param(
            json_answer('{"access_token": "canary", "token_type": "Ticket"}'), {}, "type of token other than Bearer",
            ("/token/response/token_type", "no_token_type"), id="type",
        ),
        pytest.param(
            json_answer('{"ok": false, "access_token": "canary"}'), {}, "says no in the body", None, id="no in 200",
        ),
        pytest.param(
            json_answer('{"ok": false, "reason": "BAD_PASSWORD", "who": "canary"}'), {},
            "says no, though the status is 200: reason == 'BAD_PASSWORD'.",
            ("/token/rejected_when", {"body": "reason == 'BAD_PASSWORD'"}), id="a word in 200",
        ),
        pytest.param(
            json_answer('{"success": false, "message": "Sorry, canary."}'), {}, "says no, though",
            ("/token/rejected_when", {"body": "success == `false`"}), id="a sentence in 200",
        ),
        pytest.param(
            json_answer('{"ok": false, "reason": "NO"}'), {"token": ", rejected_when: {body: other}"},
            "in step 2 is another answer", None, id="a second word in 200",
        ),
        pytest.param(
            json_answer('{"ok": false, "reason": "NEED_CODE", "tx": "canary"}'), {"token": JSON},
            "asks for a code. Add a challenge",
            ("/challenges", [{
                "when": {"status": [200], "body": "reason == 'NEED_CODE'"},
                "ask": [{"key": "otp", "label": "Code", "type": "otp"}],
                "capture": {"tx": "tx"},
                "then": {"params": {"grant_type": "", "tx": "{{ tx }}", "otp": "{{ otp }}"}},
            }]), id="a demand in 200",
        ),
        pytest.param(
            json_answer('{"state": "ok", "type": "LOGIN"}'), {}, "has no token at access_token (it has: state, type)",
            None, id="a word that is no refusal",
        ),
        pytest.param(error("invalid_grant"), {}, "answered 400, invalid_grant. Username or", None, id="no"),
        pytest.param(ProviderUnreachable("x"), {}, "Nothing answers at this host", None, id="no host"),
        pytest.param(
            AddressNotAllowed("x"), {}, "in a private network", ("/private_network", True), id="private",
        ),
        pytest.param(
            error("invalid_client", 401), {"more": "client: {authentication: none}"}, "An operator sets both",
            ("/client/authentication", "basic"), id="client",
        ),
    ],
)  # fmt: skip
async def test_each_answer_has_its_words(
    reply: Answer | Exception, parts: dict[str, str], words: str, edit: tuple[str, Any] | None
) -> None:
    """In the author's terms, with the edit where one can be told; nothing of the answer's values is in either."""
    row = await failed(reply, **parts)
    found = None if row.suggestion is None else (row.suggestion.pointer, row.suggestion.value)

    assert words in row.diagnosis
    assert edit == found
    assert "canary" not in f"{row.diagnosis}{row.suggestion}"


async def test_the_test_calls_status_is_told_likewise() -> None:
    """An address with nothing there is one of step 5."""
    row = await failed(token(1), answer(404), json_answer("{}"), json_answer("{}"))

    assert (5, True) == (row.step, "URL of step 5" in row.diagnosis)


@pytest.mark.parametrize(
    ("expects", "words", "edit"),
    [
        pytest.param(
            "id", "expects “id” of the answer's body, which it doesn't have (it has: login)", "login", id="no"
        ),
        pytest.param("login == 'x'", "which is not true of it (it has: login)", None, id="untrue"),
    ],
)
async def test_what_the_test_expects_is_said_as_the_form_says_it(expects: str, words: str, edit: str | None) -> None:
    """With what the answer has in its place; whoever began with a blank file has not written it."""
    row = await failed(token(), json_answer('{"login": "canary"}'), expects=expects)
    found = None if row.suggestion is None else (row.suggestion.pointer, row.suggestion.value)

    assert words in row.diagnosis
    assert (None if edit is None else ("/test/expect/body", edit)) == found


async def test_a_revocation_that_finds_nothing_says_so() -> None:
    """With what it means for the token."""
    world = make_world()
    await publish(world)
    gone = [answer(404) for _ in range(4)]
    run = await ended(world, await begin(world, token(1), me(), json_answer("{}"), token(2), *gone))
    row = next(each for each in run.rows if each.mark is Mark.FAILED)

    assert 4 == row.step
    assert "Nothing is at this address (404)" in row.diagnosis
    assert row.diagnosis.endswith("The token is good there until it ends.")


@pytest.mark.parametrize("check", TlsCheck)
async def test_a_failed_check_of_tls_is_told_to_the_author(check: TlsCheck) -> None:
    """Each in its own words, at the login and at the test."""
    failure = ProviderTlsFailed.at(check, "the TLS handshake or the certificate failed")
    login, test = await failed(failure), await failed(token(1), failure, answer(200), answer(200))

    words = "There is no safe connection, and nothing was sent. "
    assert [2, 5] == [login.step, test.step]
    assert login.diagnosis.startswith(words)
    assert test.diagnosis.startswith(words)
    assert "{" not in login.diagnosis
    others = [of_error(ProviderTlsFailed.at(each, "")) for each in TlsCheck if each is not check]
    assert login.diagnosis not in others


def test_a_rule_is_suggested_where_the_host_is_written() -> None:
    """Of a test whose host the login names, nobody knows here."""
    words, suggestion = of_not_allowed(parsed(), "https://api.acme.example/v1/me?x=1")
    _, unknown = of_not_allowed(parsed(), "{{ token.api }}/v1/me")

    assert words.startswith("No allowed URL")
    assert suggestion is not None
    assert "https://api.acme.example/v1" == suggestion.value
    assert unknown is None


def test_a_template_is_mended_at_the_name_that_is_missing() -> None:
    """And not within another name that begins like it."""
    template = Template.parse("{{ test.ident }} {{ test.identity }} {{ test.ident[0] }}")
    _, suggestion = of_template("/unique_id", template, {"id": {"ident": "1"}, "identity": "2"})

    assert suggestion is not None
    assert "{{ test.id.ident }} {{ test.identity }} {{ test.ident[0] }}" == suggestion.value


LATE = '"access_token": "canary", "data": {"validFor": 3600000}'


@pytest.mark.parametrize(
    ("reply", "parts", "words", "edit", "place"),
    [
        pytest.param(token(), {}, "", None, "expires_in", id="where it usually is"),
        pytest.param(
            json_answer('{"access_token": "canary", "expires": 900}'), {}, "", None, "expires",
            id="at another usual name",
        ),
        pytest.param(
            json_answer(f"{{{LATE}}}"), {"token": ", default_ttl: 60, response: {expires: {from: validFor, unit: ms}}"},
            "no lifetime at validFor: the one that step 2 gives for such an answer was taken. data.validFor may be it",
            {"from": "data.validFor", "unit": "ms"}, "", id="elsewhere, and a default in its place",
        ),
        pytest.param(
            json_answer(f"{{{LATE}}}"), {}, "no lifetime at expires_in. data.validFor may be it, in milliseconds.",
            {"from": "data.validFor", "unit": "ms"}, None, id="elsewhere, and nobody has said where",
        ),
        pytest.param(
            json_answer('{"access_token": "canary", "ttl": 900}'), {}, "ttl may be it, in seconds.",
            {"from": "ttl", "unit": "s"}, None, id="elsewhere, in seconds",
        ),
        pytest.param(
            json_answer('{"access_token": "canary"}'), {"token": ", response: {expires: {from: validFor}}"},
            "The answer has no lifetime at validFor.", None, None, id="nowhere",
        ),
        pytest.param(
            json_answer('{"access_token": "canary"}'), {"token": ", default_ttl: 60"}, "", None, "",
            id="nowhere, and nobody has said that there is one",
        ),
        pytest.param(
            json_answer(f"{{{LATE}}}"), {"token": ", response: {expires: {from: data.validFor}}"},
            "By data.validFor the token lives 42 days.", {"from": "data.validFor", "unit": "ms"}, "data.validFor",
            id="milliseconds taken for seconds",
        ),
        pytest.param(
            json_answer(f"{{{LATE}}}"), {"token": ", response: {expires: {from: data.validFor, unit: ms}}"},
            "", None, "data.validFor", id="as it is",
        ),
    ],
)  # fmt: skip
async def test_a_lifetime_that_is_not_where_it_was_looked_for(
    reply: Answer, parts: dict[str, str], words: str, edit: dict[str, str] | None, place: str | None
) -> None:
    """The login goes well all the same: the row says where the lifetime came from, and what would be nearer."""
    world = make_world()
    await publish(world)
    world.egress.will_reply(reply, me())
    run = await ended(world, await world.application.builder.trials.begin(parsed(**parts), TYPED, AUTHOR))
    row = run.rows[0]
    suggested = None if row.suggestion is None else (row.suggestion.pointer, row.suggestion.value)

    assert Mark.OK is row.mark
    assert words in row.diagnosis
    assert bool(words) == bool(row.diagnosis)
    assert (None if edit is None else ("/token/response/expires", edit)) == suggested
    assert ([] if place is None else [place]) == [where for name, _, where in row.found if name == "lifetime"]
    assert "canary" not in f"{row.diagnosis}{row.suggestion}"
