"""From a challenge's answer to the next request."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.core.answers.answer_body import Body, BodyKind, decode_body
from keyturn.core.challenges.steps import (
    CannotAsk,
    asked,
    asked_of_seed,
    asks_nothing,
    captured,
    lifetime_s,
    needs_password,
    seed_field,
    then_of,
)
from keyturn.core.connector import Challenge, ExpiryUnit, Field, FieldType, Lifetime, When
from keyturn.core.errors import MfaUnsupported
from keyturn.core.messages import Answer
from keyturn.core.secret import Secret
from tests.core.connector_files import changed, read

NOW = 1_790_000_000.0
WHEN = When(frozenset({401}))
CODE = Field("code", "Code", FieldType.OTP)
CHOICE = Field("factor", "How", FieldType.CHOICE, choices_from="factors[].{value: id, label: name}")


def body(value: object) -> Body:
    """A JSON body."""
    return Body(BodyKind.JSON, value)


def answer(value: object, *headers: tuple[str, str]) -> tuple[Answer, Body]:
    """An answer and its body."""
    found = Answer(401, headers, json.dumps(value).encode(), NOW)
    return found, decode_body(found)


def test_choices_are_those_of_the_answer() -> None:
    """In its order, each value as it came, its label for people; all else of the question stays."""
    found = asked(
        Challenge(WHEN, (CODE, CHOICE)), body({"factors": [{"id": 7, "name": "App"}, {"id": "s", "name": ""}]})
    )

    assert CODE == found[0]
    assert [("7", "App"), ("s", "s")] == list(found[1].choices.items())
    assert ("factor", "How", True) == (found[1].key, found[1].label, found[1].required)


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        pytest.param(["sms", "app"], {"sms": "sms", "app": "app"}, id="texts"),
        pytest.param([1, 2], {"1": "1", "2": "2"}, id="numbers"),
        pytest.param([{"value": "a"}, {"label": "no value"}], {"a": "a"}, id="an entry without a value"),
        pytest.param(["a", None, True, {}, [], ""], {"a": "a"}, id="entries that are no values"),
        pytest.param([{"value": "a", "label": "x\u202ey"}], {"a": "a"}, id="a label that turns the text around"),
        pytest.param(["a", "b\x00", "c" * 1001], {"a": "a"}, id="values that can't be sent"),
        pytest.param([{"value": "a", "label": "L" * 101}], {"a": "L" * 100}, id="a long label"),
        pytest.param(["a", "a"], {"a": "a"}, id="the same twice"),
        pytest.param([str(n) for n in range(60)], {str(n): str(n) for n in range(50)}, id="more than a page shows"),
    ],
)
def test_which_choices_can_be_shown(listed: list[Any], expected: dict[str, str]) -> None:
    """What has a value that is a text or a number; the rest of the provider's list is left out."""
    question = Field("factor", "How", FieldType.CHOICE, choices_from="@")

    assert expected == dict(asked(Challenge(WHEN, (question,)), body(listed))[0].choices)


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(body({"factors": []}), id="an empty list"),
        pytest.param(body({"factors": [{"id": None}]}), id="no entry with a value"),
        pytest.param(body({}), id="no list"),
        pytest.param(body({"factors": "sms"}), id="a text"),
        pytest.param(Body(BodyKind.MARKUP), id="a page"),
    ],
)
def test_nothing_to_choose_from_is_malformed(found: Body) -> None:
    """A form with an empty list would be one that nobody can send."""
    with pytest.raises(CannotAsk):
        asked(Challenge(WHEN, (CHOICE,)), found)


@pytest.mark.parametrize(("default", "expected"), [("s", "s"), ("x", None)])
def test_a_default_is_one_of_the_choices(default: str, expected: str | None) -> None:
    """What the provider doesn't offer this time is not chosen beforehand."""
    question = Field("factor", "How", FieldType.CHOICE, choices_from="@", default=default)

    assert expected == asked(Challenge(WHEN, (question,)), body(["a", "s"]))[0].default


def test_what_is_captured_is_secret() -> None:
    """Texts, however deep; numbers and booleans stay, and what isn't there is left out."""
    challenge = Challenge(
        WHEN,
        capture={"a": "a", "n": "n", "b": "b", "d": "d", "l": "l", "no": "no.such", "null": "null", "h": "header:X-S"},
    )
    given_answer = answer({"a": "t", "n": 7, "b": False, "d": {"e": "f"}, "l": ["x", 1], "null": None}, ("x-s", "v"))

    assert {
        "a": Secret("t"), "n": 7, "b": False, "d": {"e": Secret("f")}, "l": [Secret("x"), 1], "h": Secret("v"),
    } == captured(challenge, *given_answer)  # fmt: skip


@pytest.mark.parametrize(
    ("declared", "value", "expected"),
    [
        pytest.param(None, {}, 600.0, id="nothing said"),
        pytest.param(180.0, {}, 180.0, id="seconds"),
        pytest.param(900.0, {}, 600.0, id="over ten minutes"),
        pytest.param(Lifetime("e"), {"e": 120}, 120.0, id="the answer says it"),
        pytest.param(Lifetime("e"), {"e": 7200}, 600.0, id="the answer says two hours"),
        pytest.param(Lifetime("e", ExpiryUnit.MILLISECONDS), {"e": 5000}, 5.0, id="in milliseconds"),
        pytest.param(Lifetime("e", ExpiryUnit.ABSOLUTE_SECONDS), {"e": NOW + 60}, 60.0, id="an instant"),
        pytest.param(Lifetime("e", ExpiryUnit.ABSOLUTE_SECONDS), {"e": NOW - 60}, 0.0, id="over already"),
        pytest.param(Lifetime("e"), {"e": "soon"}, 600.0, id="unreadable"),
        pytest.param(Lifetime("e"), {}, 600.0, id="absent"),
    ],
)
def test_how_long_there_is(declared: float | Lifetime | None, value: object, expected: float) -> None:
    """What the provider gives, and ten minutes at most."""
    assert pytest.approx(expected) == lifetime_s(Challenge(WHEN, lifetime=declared), *answer(value))


def connector_with(*challenges: dict[str, Any], **keys: Any) -> Any:
    """A connector with these challenges."""
    own = [{"when": {"status": [401]}, **each} for each in challenges]
    return read(changed(("challenges", own), *keys.items()))


WITH_PASSWORD: dict[str, Any] = {"then": {}}
WITHOUT: dict[str, Any] = {"capture": {"t": "t"}, "then": {"params": {"t": "{{ t }}"}}}
ONLY_SEEN: dict[str, Any] = {}


@pytest.mark.parametrize(
    ("challenges", "expected"),
    [
        pytest.param([WITH_PASSWORD], True, id="the same request again"),
        pytest.param([WITHOUT], False, id="a captured value instead"),
        pytest.param([WITHOUT, WITH_PASSWORD], True, id="another challenge that may follow"),
        pytest.param([WITHOUT, ONLY_SEEN], False, id="one that only is recognised"),
        pytest.param([ONLY_SEEN, WITH_PASSWORD], False, id="nothing follows"),
        pytest.param([{**WITHOUT, "resend": {}}], True, id="for another code"),
        pytest.param([{"then": {"params": {}, "headers": {"X-P": "{{ password | sha256 }}"}}}], True, id="hashed"),
    ],
)
def test_whether_the_password_is_needed_again(challenges: list[dict[str, Any]], expected: bool) -> None:
    """It is held during a challenge only where a later request names it."""
    assert expected is needs_password(connector_with(*challenges), 0)


def test_a_challenge_without_next_request() -> None:
    """Can't be answered here; the person reads where to get a password for applications."""
    connector = connector_with(ONLY_SEEN, WITHOUT, links={"app_password": "https://acme.example/apps"})

    with pytest.raises(MfaUnsupported) as caught:
        then_of(connector, connector.challenges[0])
    assert {"help": "Make an app password at https://acme.example/apps."} == caught.value.extensions
    assert connector.challenges[1].then is then_of(connector, connector.challenges[1])


def test_which_question_a_seed_answers() -> None:
    """A single code; a choice beside it needs the person."""
    assert "code" == asked_of_seed([CODE])
    assert asked_of_seed([CODE, CHOICE]) is None
    assert asked_of_seed([CHOICE]) is None
    assert asked_of_seed([]) is None


def test_the_field_of_the_seed() -> None:
    """There is one at most."""
    with_seed = read(changed(("fields", [{"key": "seed", "label": "Seed", "type": "totp_seed"}])))

    assert seed_field(read(changed())) is None
    found = seed_field(with_seed)
    assert found is not None
    assert ("seed", False, "sealed") == (found.key, found.required, found.keep)


def test_what_goes_on_by_itself() -> None:
    """Nothing is asked, and there is a next request."""
    connector = connector_with(WITHOUT, ONLY_SEEN, {**WITHOUT, "ask": [{"key": "c", "label": "C", "type": "otp"}]})

    assert [True, False, False] == [asks_nothing(each) for each in connector.challenges]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)
    )
)
def test_any_body_is_asked_or_refused(value: Any) -> None:
    """Whatever the provider sends, a question has choices that can be shown, or is none."""
    question = Field("factor", "How", FieldType.CHOICE, choices_from="@")
    try:
        (found,) = asked(Challenge(WHEN, (question,)), body(value))
    except CannotAsk:
        return
    assert found.choices
    assert all(value and label for value, label in found.choices.items())
