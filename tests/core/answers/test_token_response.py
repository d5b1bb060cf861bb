"""What an answer means: the order of the rules, and each rule's neighbours."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.core.answers.token_response import Outcome, Reading, read_answer
from keyturn.core.connector import Challenge, ExpiryUnit, Failure, FailureClass, Lifetime, ResponseMapping, When
from keyturn.core.messages import Answer

NOW = 1_790_000_000.25
TOKEN = {"access_token": "at-1"}


def _answer(status: int, body: object = b"", *headers: tuple[str, str]) -> Answer:
    return Answer(status, headers, body if isinstance(body, bytes) else json.dumps(body).encode(), NOW)


def _read(status: int, body: object = b"", *headers: tuple[str, str], **rules: Any) -> Reading:
    return read_answer(_answer(status, body, *headers), **({"mapping": ResponseMapping()} | rules))


def _access_token(reading: Reading) -> str | None:
    return None if reading.token_set is None else reading.token_set.access_token.reveal()


OTP = Challenge(When(body="next == 'otp'"))
PUSH = Challenge(When(body="next"))
ON_503 = Challenge(When(status=frozenset({503}), body="next"))
LOCKED = Failure(When(body="why == 'locked'"), FailureClass.LOCKED, "Wait an hour.")
LOCKED_429 = Failure(When(status=frozenset({429}), body="why == 'locked'"), FailureClass.LOCKED)
REJECTED_401 = When(status=frozenset({401}))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (100, Outcome.MALFORMED),
        (199, Outcome.MALFORMED),
        (200, Outcome.TOKEN),
        (299, Outcome.TOKEN),
        (300, Outcome.MALFORMED),
        (302, Outcome.MALFORMED),
        (399, Outcome.MALFORMED),
        (400, Outcome.MALFORMED),
        (428, Outcome.MALFORMED),
        (429, Outcome.RATE_LIMITED),
        (430, Outcome.MALFORMED),
        (499, Outcome.MALFORMED),
        (500, Outcome.TEMPORARILY_UNAVAILABLE),
        (599, Outcome.TEMPORARILY_UNAVAILABLE),
        (600, Outcome.MALFORMED),
    ],
)
def test_a_token_is_read_from_a_2xx_only(status: int, expected: Outcome) -> None:
    """The status decides before the body does."""
    reading = _read(status, TOKEN)

    assert expected == reading.outcome
    assert (reading.token_set is not None) is (expected is Outcome.TOKEN)


@pytest.mark.parametrize("status", [429, 500, 503, 599])
@pytest.mark.parametrize("body", [{"error": "invalid_grant"}, {"error": "invalid_client"}, b"<html>", b"[" * 10_000])
def test_a_provider_in_trouble_refuses_nobody(status: int, body: object) -> None:
    """Whatever a 429 or 5xx says, and whatever `rejected_when` says, it is no wrong password."""
    reading = _read(status, body, rejected_when=When(body="error", status=frozenset({status})))

    assert reading.outcome in {Outcome.RATE_LIMITED, Outcome.TEMPORARILY_UNAVAILABLE}


@pytest.mark.parametrize(
    ("status", "body", "rules", "expected"),
    [
        pytest.param(
            200, TOKEN | {"next": "otp"}, {"challenges": [OTP]}, Outcome.CHALLENGE, id="a challenge beats a token"
        ),
        pytest.param(
            400,
            {"next": "otp", "why": "locked"},
            {"challenges": [OTP], "failures": [LOCKED]},
            Outcome.CHALLENGE,
            id="a challenge beats a failure",
        ),
        pytest.param(
            200, TOKEN | {"why": "locked"}, {"failures": [LOCKED]}, Outcome.REJECTED_CREDENTIALS, id="so does a failure"
        ),
        pytest.param(503, {"next": "otp"}, {"challenges": [OTP]}, Outcome.TEMPORARILY_UNAVAILABLE, id="503 not named"),
        pytest.param(503, {"next": "otp"}, {"challenges": [ON_503]}, Outcome.CHALLENGE, id="503 named"),
        pytest.param(429, {"why": "locked"}, {"failures": [LOCKED]}, Outcome.RATE_LIMITED, id="429 not named"),
        pytest.param(429, {"why": "locked"}, {"failures": [LOCKED_429]}, Outcome.REJECTED_CREDENTIALS, id="429 named"),
        pytest.param(302, {"next": "otp"}, {"challenges": [OTP]}, Outcome.CHALLENGE, id="a redirect may be one"),
        pytest.param(200, TOKEN, {"success_when": When(body="ok")}, Outcome.MALFORMED, id="no success, so no token"),
        pytest.param(
            200,
            TOKEN | {"error": "invalid_grant"},
            {"success_when": When(body="ok")},
            Outcome.REJECTED_CREDENTIALS,
            id="no success, but an error that says why",
        ),
        pytest.param(200, TOKEN | {"error": "invalid_scope"}, {}, Outcome.INVALID_SCOPE, id="an error beats a token"),
        pytest.param(401, b"", {"rejected_when": REJECTED_401}, Outcome.REJECTED_CREDENTIALS, id="rejected_when"),
        pytest.param(403, b"", {"rejected_when": REJECTED_401}, Outcome.MALFORMED, id="another status"),
        pytest.param(
            401,
            {"error": "invalid_client"},
            {"rejected_when": REJECTED_401},
            Outcome.INVALID_CLIENT,
            id="rejected_when only of what is malformed",
        ),
        pytest.param(
            401, {"error": "own"}, {"rejected_when": REJECTED_401}, Outcome.REJECTED_CREDENTIALS, id="an own code"
        ),
        pytest.param(
            200, TOKEN, {"rejected_when": When(body="access_token")}, Outcome.TOKEN, id="a token is not malformed"
        ),
        pytest.param(
            200, {"m": "bad"}, {"rejected_when": When(body="m == 'bad'")}, Outcome.REJECTED_CREDENTIALS, id="in a 200"
        ),
        pytest.param(
            403, b"<p>no</p>", {"rejected_when": When(body="!token")}, Outcome.MALFORMED, id="a page is no refusal"
        ),
    ],
)
def test_the_order_of_reading(status: int, body: object, rules: dict[str, Any], expected: Outcome) -> None:
    """Challenges, failures, status, success_when, the OAuth error, rejected_when."""
    reading = _read(status, body, **rules)

    assert expected == reading.outcome
    assert (reading.token_set is not None) is (expected is Outcome.TOKEN)


def test_the_first_match_wins() -> None:
    """Challenges and failures are tried in the order in which they are given."""
    other = Failure(When(), FailureClass.MUST_ACT)

    assert OTP == _read(400, {"next": "otp"}, challenges=[OTP, PUSH]).challenge
    assert PUSH == _read(400, {"next": "push"}, challenges=[OTP, PUSH]).challenge
    found = _read(400, {"why": "locked"}, failures=[LOCKED, other])
    assert (FailureClass.LOCKED, "Wait an hour.") == (found.failure, found.help)


@pytest.mark.parametrize(
    ("failure_class", "expected"),
    [
        (FailureClass.WRONG_PASSWORD, Outcome.REJECTED_CREDENTIALS),
        (FailureClass.WRONG_CODE, Outcome.REJECTED_CREDENTIALS),
        (FailureClass.PASSWORD_OR_CODE, Outcome.REJECTED_CREDENTIALS),
        (FailureClass.LOCKED, Outcome.REJECTED_CREDENTIALS),
        (FailureClass.PASSWORD_EXPIRED, Outcome.REJECTED_CREDENTIALS),
        (FailureClass.MUST_ACT, Outcome.REJECTED_CREDENTIALS),
        (FailureClass.GRANT_DISABLED, Outcome.UNSUPPORTED_GRANT),
        (FailureClass.CLIENT_WRONG, Outcome.INVALID_CLIENT),
        (FailureClass.SCOPE_DENIED, Outcome.INVALID_SCOPE),
        (FailureClass.RATE_LIMITED, Outcome.RATE_LIMITED),
    ],
)
def test_failure_classes(failure_class: FailureClass, expected: Outcome) -> None:
    """Each class has an outcome, and is handed on beside it."""
    reading = _read(400, failures=[Failure(When(), failure_class)])

    assert (expected, failure_class) == (reading.outcome, reading.failure)


def test_every_failure_class_has_an_outcome() -> None:
    """A class that is added is mapped, or this fails."""
    outcomes = {each: _read(400, failures=[Failure(When(), each)]).outcome for each in FailureClass}

    assert set(FailureClass) == outcomes.keys()


@pytest.mark.parametrize("status", [200, 204, 299])
def test_a_2xx_that_is_cut_short_says_nothing(status: int) -> None:
    """It may have been a token: neither challenge, failure nor rejected_when is asked."""
    answer = Answer(status, (), b"", NOW, complete=False)
    rules: dict[str, Any] = {"challenges": [Challenge(When())], "failures": [Failure(When(), FailureClass.LOCKED)]}

    reading = read_answer(answer, mapping=ResponseMapping(), rejected_when=When(), **rules)

    assert Outcome.MALFORMED == reading.outcome


@pytest.mark.parametrize(
    ("status", "expected"),
    [(400, Outcome.MALFORMED), (429, Outcome.RATE_LIMITED), (503, Outcome.TEMPORARILY_UNAVAILABLE)],
)
def test_other_answers_that_are_cut_short(status: int, expected: Outcome) -> None:
    """The status came whole."""
    assert expected == read_answer(Answer(status, (), b"", NOW, complete=False), mapping=ResponseMapping()).outcome


@pytest.mark.parametrize("error", [None, False, "", [], {}])
def test_an_error_that_is_none(error: object) -> None:
    """What JMESPath calls false beside a token is no error."""
    assert Outcome.TOKEN == _read(200, TOKEN | {"error": error}).outcome


@pytest.mark.parametrize("error", [0, 190, True, ["invalid_grant"], {"code": "invalid_grant"}, "own_code", "none"])
@pytest.mark.parametrize("status", [200, 400])
def test_an_error_that_is_no_known_code(status: int, error: object) -> None:
    """It is an error all the same, and malformed."""
    assert Outcome.MALFORMED == _read(status, TOKEN | {"error": error}).outcome


def test_the_oauth_error_is_handed_on_if_it_is_a_plain_word() -> None:
    """A provider's text never reaches a log by this way."""
    assert "own.code-1" == _read(400, {"error": "own.code-1"}).oauth_error
    assert _read(400, {"error": "wrong password hunter2"}).oauth_error is None
    assert _read(400, {"error": 5}).oauth_error is None


@pytest.mark.parametrize("members", [{"ok": False}, {"success": False}])
def test_an_answer_that_says_no(members: dict[str, object]) -> None:
    """A 2xx with false in `ok` or `success` holds no token, and with an OAuth error means that."""
    assert Outcome.MALFORMED == _read(200, TOKEN | members).outcome
    assert Outcome.REJECTED_CREDENTIALS == _read(200, members | {"error": "invalid_grant"}).outcome


@pytest.mark.parametrize("members", [{"ok": None}, {"ok": 0}, {"success": "false"}, {"d": {"ok": False}}])
def test_an_answer_that_says_no_such_thing(members: dict[str, object]) -> None:
    """Only false itself, and only at the top."""
    assert Outcome.TOKEN == _read(200, TOKEN | members).outcome


@pytest.mark.parametrize("token", ["!", "~", "a" * 10_000, "ab+cd/ef==", "00Dzz4471!Kq.7vT_mZp2"])
def test_access_tokens(token: str) -> None:
    """Visible ASCII, one character or more."""
    assert token == _access_token(_read(200, {"access_token": token}))


@pytest.mark.parametrize(
    "token",
    ["", " ", " a", "a ", "a b", "a\n", "a\r\nX: 1", "a\x00", "a\x7f", "a\x80", "ä", "a\u200b", None, 1, ["a"], {}],
)
def test_what_is_no_access_token(token: object) -> None:
    """One character outside makes it malformed."""
    assert Outcome.MALFORMED == _read(200, {"access_token": token}).outcome


@pytest.mark.parametrize("token_type", ["Bearer", "bearer", "BEARER", None, ""])
def test_token_types(token_type: object) -> None:
    """Bearer in any case, and where nothing is said."""
    tokens = _read(200, TOKEN | {"token_type": token_type}).token_set

    assert tokens is not None
    assert "Bearer" == tokens.token_type


@pytest.mark.parametrize("token_type", ["mac", "DPoP", "N_A", "BearerToken", "Bearer ", 1, False, ["Bearer"]])
def test_other_token_types(token_type: object) -> None:
    """A token that is used in another way can't be used."""
    assert Outcome.MALFORMED == _read(200, TOKEN | {"token_type": token_type}).outcome


@pytest.mark.parametrize(
    ("value", "expected"),
    [("rt", "rt"), ("r t\u00e9", "r t\u00e9"), ("", None), (None, None), (12, None), (["rt"], None)],
)
def test_refresh_tokens(value: object, expected: str | None) -> None:
    """A text that is not empty; anything else is none, and the access token is good all the same."""
    tokens = _read(200, TOKEN | {"refresh_token": value}).token_set

    assert tokens is not None
    assert expected == (tokens.refresh_token and tokens.refresh_token.reveal())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a b", ("a", "b")),
        ("a,b, c", ("a", "b", "c")),
        (" a  b ", ("a", "b")),
        ("", ()),
        (["a b", "c"], ("a b", "c")),
        ("b a b,a", ("b", "a")),
        (["c", "a", "c"], ("c", "a")),
        ([], ()),
        (None, None),
        (5, None),
        ({"a": 1}, None),
    ],
)
def test_scope(value: object, expected: tuple[str, ...] | None) -> None:
    """Split at blanks and commas; a list as it is; None means as requested."""
    tokens = _read(200, TOKEN | {"scope": value}).token_set

    assert tokens is not None
    assert expected == tokens.scope


def test_places_of_the_connector_are_the_only_ones() -> None:
    """A value that the mapping names is not looked for at its usual place."""
    body = {"access_token": "usual", "error": "invalid_grant", "expires_in": 60, "d": {"token": "own"}}
    mapping = ResponseMapping(access_token="d.token", error="d.error", expires=Lifetime("d.life", ExpiryUnit.MINUTES))

    reading = _read(200, body, mapping=mapping)

    assert "own" == _access_token(reading)
    assert reading.token_set is not None
    assert reading.token_set.expires_at is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(b" tok=en \n", "tok=en", id="text that looks like a form"),
        pytest.param(b'"token"', "token", id="JSON text"),
        pytest.param(b'{"access_token": "x"}', None, id="an object"),
        pytest.param(b"<token>", None, id="markup"),
        pytest.param(b"to ken", None, id="a blank in it"),
        pytest.param(b"null", None, id="null"),
        pytest.param(b"", None, id="nothing"),
    ],
)
def test_the_whole_body_as_the_token(body: bytes, expected: str | None) -> None:
    """With `@` bare text or a JSON text is the token."""
    assert expected == _access_token(_read(200, body, mapping=ResponseMapping(access_token="@")))


def test_a_token_in_a_header_needs_no_body() -> None:
    """A 204 with the token in a header is good; with a page beside it, it is not."""
    mapping = ResponseMapping(access_token="header:X-Auth-Token")

    assert "t" == _access_token(_read(204, b"", ("x-auth-token", "t"), mapping=mapping))
    assert Outcome.MALFORMED == _read(200, b"<p>", ("x-auth-token", "t"), mapping=mapping).outcome


@pytest.mark.parametrize(
    ("where", "body"),
    [
        pytest.param("d.token", b'{"d": {"token": "a", "token": "b"}}', id="the secret"),
        pytest.param("d.token", b'{"d": {"token": "a"}, "d": {"token": "b"}}', id="what leads to it"),
        pytest.param(None, b"access_token=a&access_token=b", id="form"),
    ],
)
def test_a_secret_given_twice(where: str | None, body: bytes) -> None:
    """Two different values where one secret should be make the answer malformed."""
    assert Outcome.MALFORMED == _read(200, body, mapping=ResponseMapping(access_token=where)).outcome


def test_kept_values() -> None:
    """What the mapping keeps stands in the token set; what is absent does not."""
    keep = {"account": "account.id", "site": "header:X-Site", "none": "nowhere"}

    reading = _read(200, TOKEN | {"account": {"id": 7}}, ("x-site", "s1"), mapping=ResponseMapping(keep=keep))

    assert reading.token_set is not None
    assert {"account": 7, "site": "s1"} == dict(reading.token_set.kept)


@pytest.mark.parametrize(
    ("status", "headers", "body", "mapping", "expected"),
    [
        pytest.param(429, [("retry-after", "3")], {}, ResponseMapping(), 3.0, id="429"),
        pytest.param(503, [("Retry-After", "9")], {}, ResponseMapping(), 9.0, id="503"),
        pytest.param(400, [("retry-after", "3")], {"error": "slow_down"}, ResponseMapping(), 3.0, id="slow_down"),
        pytest.param(400, [("retry-after", "3")], {"error": "invalid_grant"}, ResponseMapping(), None, id="no wait"),
        pytest.param(429, [], {}, ResponseMapping(), None, id="not said"),
        pytest.param(
            429,
            [("retry-after", "3")],
            {"ms": 1500},
            ResponseMapping(retry_after=Lifetime("ms", ExpiryUnit.MILLISECONDS)),
            1.5,
            id="at the connector's place",
        ),
        pytest.param(
            429,
            [("retry-after", "3")],
            {},
            ResponseMapping(retry_after=Lifetime("ms", ExpiryUnit.MILLISECONDS)),
            3.0,
            id="else in the header",
        ),
        pytest.param(
            429,
            [],
            {"until": NOW - 5},
            ResponseMapping(retry_after=Lifetime("until", ExpiryUnit.ABSOLUTE_SECONDS)),
            0.0,
            id="an instant that has passed",
        ),
    ],
)
def test_how_long_to_wait(
    status: int, headers: list[tuple[str, str]], body: object, mapping: ResponseMapping, expected: float | None
) -> None:
    """Only an answer that asks to wait says how long."""
    found = _read(status, body, *headers, mapping=mapping).retry_after_s

    assert (found is None) is (expected is None)
    assert expected is None or found == pytest.approx(expected)


def test_a_rate_limit_by_failure_says_how_long() -> None:
    """The provider's own words for a rate limit go with its Retry-After."""
    limited = Failure(When(body="why == 'slow'"), FailureClass.RATE_LIMITED)

    assert 30.0 == _read(403, {"why": "slow"}, ("Retry-After", "30"), failures=[limited]).retry_after_s
    assert _read(403, {"why": "locked"}, ("Retry-After", "30"), failures=[LOCKED]).retry_after_s is None


def test_nothing_secret_in_the_repr() -> None:
    """A reading that is logged by accident shows neither token nor body."""
    shown = repr(_read(200, {"access_token": "s3cr3t", "refresh_token": "s3cr3t", "x": "s3cr3t"}))

    assert "s3cr3t" not in shown


MEMBERS = st.dictionaries(
    st.sampled_from(["access_token", "error", "expires_in", "scope", "token_type", "ok", "error_codes", "next"]),
    st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text() | st.integers(), max_size=3),
)


@given(st.integers(min_value=0, max_value=700), st.binary(max_size=60) | MEMBERS.map(lambda m: json.dumps(m).encode()))
def test_no_answer_raises(status: int, body: bytes) -> None:
    """Whatever comes there is an outcome, and a token set exactly with the outcome token."""
    reading = _read(status, body, challenges=[OTP], failures=[LOCKED], rejected_when=REJECTED_401)

    assert (reading.token_set is not None) is (reading.outcome is Outcome.TOKEN)
    assert reading.outcome is not Outcome.TOKEN or 200 <= status < 300
    assert reading.outcome is not Outcome.REJECTED_CREDENTIALS or not (status == 429 or 500 <= status < 600)


@pytest.mark.parametrize(
    ("said", "unit", "expected"),
    [
        (0, ExpiryUnit.SECONDS, None),
        ("0", ExpiryUnit.SECONDS, None),
        (-1, ExpiryUnit.SECONDS, None),
        ("-1", ExpiryUnit.MINUTES, None),
        (0, ExpiryUnit.ABSOLUTE_SECONDS, None),
        (1, ExpiryUnit.SECONDS, 1_001.0),
        ("-", ExpiryUnit.SECONDS, 1_500.0),
        (None, ExpiryUnit.SECONDS, 1_500.0),
        (True, ExpiryUnit.SECONDS, 1_500.0),
    ],
)
def test_a_refresh_token_of_0_seconds_does_not_end(said: object, unit: ExpiryUnit, expected: float | None) -> None:
    """An offline token: were 0 its end, each renewal would be due at once. What is no number is as if absent."""
    mapping = ResponseMapping(refresh_expires=Lifetime("refresh_expires_in", unit))
    answer = replace(_answer(200, TOKEN | {"refresh_token": "r", "refresh_expires_in": said}), received_at=1_000.0)
    tokens = read_answer(answer, mapping=mapping, refresh_lifetime_s=500.0).token_set

    assert tokens is not None
    assert expected == tokens.refresh_expires_at
