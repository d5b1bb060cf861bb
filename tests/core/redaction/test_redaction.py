"""The redactor as a whole: it never raises, never takes long, keeps shapes and hides what it was made for."""

from __future__ import annotations

import json
import math
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyturn.core.redaction.redactor import MASK, Redactor
from keyturn.core.secret import Secret

_CANARY = "hunter2-Zebra"
LENGTH = min(200 * settings().max_examples, 75_000)  # letters: milliseconds in a usual run, more in a thorough one


@given(text=st.text(), registered=st.lists(st.text(max_size=30), max_size=3))
def test_any_text_is_taken(text: str, registered: list[str]) -> None:
    """Whatever the text, a text comes back."""
    assert isinstance(Redactor().redact_text(text, registered), str)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=20,
)


@given(value=_JSON)
def test_any_structure_becomes_plain_data(value: object) -> None:
    """Whatever the structure, it comes back as data that JSON can hold."""
    shown = Redactor().redact_structure(value)

    assert isinstance(json.dumps(shown, allow_nan=False), str)


@pytest.mark.parametrize(
    "unit",
    [
        "a", '"', "\\", '\\"', "{", "[", '{"a":[', "password=", 'password="', "password: ", "token=(", "auth=(",
        "creds={", "pass_x='", "://", "://:", "%25", "%41", "\\u0041", "&amp;", "eyJ", "eyJaaaaaaaa ", "a-", "a.",
        "-----BEGIN PRIVATE KEY-----", "-----BEGIN A ", "Cookie: a=b;", "Authorization: a ", "<password>", "<a ",
        'form-data name="a"\n', "--password ", "-u a:", " \n", "token%3D", "%3A%2F%2Fa@", "input={'loc", '("a", "',
        "Gr4nit3", "Gr4 nit", "R3I0bml0", "password=a&", "password=a)", "1.", '"password":1,', "X-Api-Key: a\n ",
    ],
)  # fmt: skip
def test_no_text_costs_more_than_its_length(unit: str) -> None:
    """Four times the text of the worst repeats costs about four times the work, not sixteen times."""

    def cost_of(length: int, times: int) -> float:
        text, least = unit * (length // len(unit)), math.inf
        for _ in range(times):
            began = time.process_time()
            Redactor().redact_text(text, ["Gr4nit3ly&8Otter", "a" * 100])
            least = min(least, time.process_time() - began)
        return least

    def growth() -> float:
        return cost_of(4 * LENGTH, 1) / max(cost_of(LENGTH, 3), 0.001)

    # What the machine does meanwhile can only make a measure worse: one good one of three is enough.
    assert any(growth() < 9 for _ in range(3))


def test_an_ordinary_record_is_cheap_and_unchanged() -> None:
    """A record with nothing suspicious is returned as it is, for a part of what a suspicious one costs."""
    line = (
        '{"event":"connection renewed","level":"info","logger":"keyturn.renew","attempts":1,"status_code":200,'
        '"request_id":"550e8400-e29b-41d4-a716-446655440000","timestamp":"2026-11-24T10:00:00.123456Z"}'
    )
    suspicious = line.replace("renewed", "password=hunter22 token=abcdefgh")
    redactor = Redactor()

    def cost_of(text: str) -> float:
        began = time.process_time()
        for _ in range(500):
            redactor.redact_text(text, ())
        return time.process_time() - began

    assert line == redactor.redact_text(line, ())
    assert cost_of(line) < cost_of(suspicious) / 2


@pytest.mark.parametrize(
    ("message", "args", "expected"),
    [
        pytest.param("password=%s", (_CANARY,), "password=***", id="after a name and a sign"),
        pytest.param("password %s for %s", (_CANARY, "ana"), "password *** for ana", id="after a name"),
        pytest.param("token %r", (_CANARY,), "token '***'", id="as a repr"),
        pytest.param("%(user)s %(pwd)s", ({"user": "ana", "pwd": _CANARY},), "ana ***", id="by name"),
        pytest.param("otp %d", (493027,), "otp %d ***", id="a number that can't be filled in is written behind"),
        pytest.param("renewed %s of %d", ("a", 3), "renewed a of 3", id="nothing secret"),
        pytest.param("password ok %s", (True,), "password ok True", id="a truth value"),
        pytest.param("too few %s", ("a", "b"), "too few %s a b", id="arguments that do not fit"),
        pytest.param("100%", (), "100%", id="no arguments"),
        pytest.param("one %s", "whole", "one whole", id="a bare text"),
    ],
)
def test_redact_message(message: str, args: object, expected: str) -> None:
    """An argument is a secret by the name before it or above it."""
    assert expected == Redactor().redact_message(message, args)


def test_json_keeps_its_shape() -> None:
    """Only values are replaced: blanks, order and quotes of a JSON text stay, and it can still be read."""
    text = '{ "otp" : 493027, "n":5,  "body": "{\\"password\\": \\"hunter2-Zebra\\"}", "refresh_tokens": ["a9", "b9"] }'

    shown = Redactor().redact_text(text)

    assert '{ "otp" : "***", "n":5,  "body": "{\\"password\\": \\"***\\"}", "refresh_tokens": ["***", "***"] }' == shown
    assert 5 == json.loads(shown)["n"]


def test_what_a_record_gives_away_is_hidden_everywhere_in_it() -> None:
    """A value seen under a secret name is removed from the prose beside it, too."""
    shown = Redactor().redact_structure({"password": _CANARY, "note": f"{_CANARY} was refused", _CANARY: 1})

    assert {"password": MASK, "note": "*** was refused", MASK: 1} == shown


def test_redacting_twice_changes_nothing() -> None:
    """What was redacted passes unchanged."""
    redactor = Redactor()
    once = redactor.redact_text(f"Authorization: Bearer {_CANARY}9\npassword={_CANARY}&a=1 {{'otp': 493027}}")

    assert once == redactor.redact_text(once)


def test_what_cannot_be_read_is_covered() -> None:
    """An object that fails while it is looked at costs the line, not the process."""

    class Broken(dict[str, object]):
        def items(self) -> object:  # type: ignore[override]
            raise RuntimeError(_CANARY)

    assert MASK == Redactor().redact_structure(Broken(a=1))
    assert MASK == Redactor().redact_message("a %s", [Broken(a=1)])


def test_registered_secrets_may_be_sealed_objects() -> None:
    """A Secret is as good as its text."""
    assert "a *** b" == Redactor().redact_text("a violet-harbor-7 b", [Secret("violet-harbor-7")])
