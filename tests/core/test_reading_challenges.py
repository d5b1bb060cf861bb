"""Reading what a provider asks in between: defaults, contradictions, and what the canonical form keeps."""

from __future__ import annotations

from typing import Any

import pytest

from keyturn.core.connector import ExpiryUnit, FieldType, Lifetime, Poll, Strategy
from keyturn.core.format.writing import dump_connector
from tests.core.connector_files import changed, faults, read

WHEN = {"status": [401]}
CODE = {"key": "otp", "label": "Code", "type": "otp"}
SEED = {"key": "seed", "label": "Seed", "type": "totp_seed"}
KIND = {"key": "kind", "label": "Kind", "type": "choice", "choices": {"a": "A", "b": "B"}}
KEPT = ("password", {"keep": "offer", "reason": "No refresh tokens."})
INTERACTIVE = ("login", "interactive")


def challenge(**keys: Any) -> tuple[str, Any]:
    """A list of one challenge."""
    return ("challenges", [{"when": WHEN, "then": {}, **keys}])


def test_a_challenge_says_no_more_than_it_must() -> None:
    """Nothing is polled or sent again, and it lives as long as any."""
    (found,) = read(changed(challenge())).challenges

    assert (None, None, None, False) == (found.poll, found.resend, found.lifetime, found.answers_challenge)


def test_polling_has_its_defaults() -> None:
    """Every three seconds for two minutes."""
    (found,) = read(changed(challenge(then={"poll": {"while": "pending"}}))).challenges

    assert Poll("pending", 3.0, 120.0) == found.poll


def test_another_code_is_asked_for_like_the_first() -> None:
    """What `resend` doesn't say is what the token request says, as with `then`."""
    value = changed(
        challenge(capture={"flow": "flow"}, resend={"extra_params": {"flow": "{{ flow }}"}}),
        ("token.encoding", "json"),
        ("client", {"authentication": "none"}),
    )
    (found,) = (connector := read(value)).challenges

    assert found.resend is not None
    assert connector.token.url == found.resend.url
    assert connector.token.encoding is found.resend.encoding
    assert [*connector.token.params, "flow"] == list(found.resend.params)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param(180, 180.0, id="seconds"),
        pytest.param("3m", 180.0, id="minutes"),
        pytest.param({"from": "e"}, Lifetime("e"), id="the answer says seconds"),
        pytest.param({"from": "e", "unit": "ms"}, Lifetime("e", ExpiryUnit.MILLISECONDS), id="milliseconds"),
    ],
)
def test_a_lifetime_is_a_span_or_a_place(written: object, expected: object) -> None:
    """Some providers document it, others say it in the answer."""
    (found,) = read(changed(challenge(lifetime=written))).challenges

    assert expected == found.lifetime


def test_interactive_login_uses_no_kept_password() -> None:
    """Whatever else is the default with a kept password."""
    kept, interactive = read(changed(KEPT)), read(changed(KEPT, INTERACTIVE))

    assert (False, Strategy.REFRESH_THEN_PASSWORD) == (kept.interactive, kept.refresh.strategy)
    assert (True, Strategy.REFRESH_ONLY) == (interactive.interactive, interactive.refresh.strategy)
    assert Strategy.REFRESH_ONLY is read(changed(KEPT, INTERACTIVE, ("refresh", "none"))).refresh.strategy
    assert "interactive" == dump_connector(interactive)["login"]
    assert interactive == read(dump_connector(interactive))


def test_a_seed_is_nobodys_duty() -> None:
    """Not required, and sealed, where the author says nothing."""
    (found,) = read(changed(("fields", [SEED]))).fields

    assert (FieldType.TOTP_SEED, False, "sealed") == (found.type, found.required, found.keep)


def test_visible_when_takes_one_value_or_several() -> None:
    """Either way a field has the values that show it."""
    fields = [KIND, {"key": "x", "label": "X", "visible_when": {"kind": "a"}}]
    several = [KIND, {"key": "x", "label": "X", "visible_when": {"kind": ["a", "b"]}}]

    assert {"kind": ("a",)} == read(changed(("fields", fields))).fields[1].visible_when
    assert {"kind": ("a", "b")} == read(changed(("fields", several))).fields[1].visible_when


def test_what_older_connectors_say_is_written_as_before() -> None:
    """No new key stands in the canonical form of a connector that has none, so its digest stays."""
    written = dump_connector(read(changed(challenge(ask=[CODE]), ("fields", [KIND]))))

    assert {"when", "ask", "capture", "then"} == set(written["challenges"][0])
    assert not {"poll", "answers"} & set(written["challenges"][0]["then"])
    assert "login" not in written
    assert not {"choices_from", "visible_when"} & set(written["fields"][0])


WRONG = [
    pytest.param(
        [challenge(then={"poll": {"every": 3}})], [("/challenges/0/then/poll", "required_key")], id="polled for ever"
    ),
    pytest.param(
        [challenge(then={"poll": {"while": "a", "every": 0.5}})],
        [("/challenges/0/then/poll/every", "out_of_range")],
        id="polled too often",
    ),
    pytest.param(
        [challenge(then={"poll": {"while": "a", "every": 4, "for": 3}})],
        [("/challenges/0/then/poll/every", "contradiction")],
        id="polled once",
    ),
    pytest.param(
        [challenge(then={"poll": {"while": "a", "for": "11m"}})],
        [("/challenges/0/then/poll/for", "out_of_range")],
        id="polled for longer than a challenge lives",
    ),
    pytest.param([challenge(then={"answers": "token"})], [("/challenges/0/then/answers", "wrong_value")], id="answers"),
    pytest.param([challenge(lifetime=0)], [("/challenges/0/lifetime", "out_of_range")], id="no time"),
    pytest.param([challenge(lifetime={"unit": "s"})], [("/challenges/0/lifetime", "required_key")], id="no place"),
    pytest.param(
        [("challenges", [{"when": WHEN, "resend": {}}])], [("/challenges/0", "required_key")], id="a code for nothing"
    ),
    pytest.param(
        [challenge(resend={"poll": {"while": "a"}})],
        [("/challenges/0/resend/poll", "unknown_key")],
        id="polled code",
    ),
    pytest.param(
        [challenge(ask=[CODE], resend={"params": {"c": "{{ otp }}"}})],
        [("/challenges/0/resend/params/c", "name_not_available_here")],
        id="an answer before it is given",
    ),
    pytest.param(
        [challenge(ask=[SEED])], [("/challenges/0/ask/0/type", "contradiction")], id="a seed that is asked in between"
    ),
    pytest.param(
        [challenge(ask=[{**KIND, "choices_from": "a"}])],
        [("/challenges/0/ask/0/choices_from", "contradiction")],
        id="choices twice",
    ),
    pytest.param(
        [challenge(ask=[{"key": "a", "label": "A", "type": "choice", "choices_from": "a["}])],
        [("/challenges/0/ask/0/choices_from", "expression_invalid")],
        id="half a place",
    ),
    pytest.param(
        [challenge(ask=[KIND, {"key": "x", "label": "X", "visible_when": {"kind": "a"}}])],
        [("/challenges/0/ask/1/visible_when", "contradiction")],
        id="a question that hides",
    ),
    pytest.param(
        [("fields", [SEED, {**SEED, "key": "seed2"}])], [("/fields/1/type", "duplicate")], id="seeds of two accounts"
    ),
    pytest.param(
        [KEPT, INTERACTIVE, ("refresh", {"strategy": "refresh_then_password"})],
        [("/refresh/strategy", "contradiction")],
        id="the password without the person",
    ),
    pytest.param([("login", "silent")], [("/login", "wrong_value")], id="another login"),
    pytest.param(
        [("unique_id", "{{ seed }}"), ("fields", [SEED])],
        [("/unique_id", "secret_not_allowed_here")],
        id="a code that tells accounts apart",
    ),
    pytest.param(
        [("fields", [SEED]), ("refresh", {"params": {"c": "{{ seed }}"}})],
        [("/refresh/params/c", "secret_not_allowed_here")],
        id="a code in a renewal",
    ),
]


@pytest.mark.parametrize(("changes", "expected"), WRONG)
def test_what_can_not_be(changes: list[tuple[str, Any]], expected: list[tuple[str, str]]) -> None:
    """Each mistake once, where it stands."""
    assert expected == faults(changed(*changes))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param([KEPT, INTERACTIVE, ("fields", [CODE])], id="a code at each login, by the person"),
        pytest.param([KEPT, ("fields", [{**CODE, "required": False}])], id="a code that some accounts have"),
        pytest.param(
            [("challenges", [{"when": WHEN, "ask": [KIND], "then": {}},
                             {"when": WHEN, "ask": [CODE], "then": {}, "resend": {"params": {"k": "{{ kind }}"}}}])],
            id="another code by the way that was chosen before",
        ),
        pytest.param([("fields", [SEED]), ("token.params", {"c": "{{ seed }}"})], id="a code in the login"),
    ],
)  # fmt: skip
def test_what_can_be(changes: list[tuple[str, Any]]) -> None:
    """Each just beside something that can't."""
    assert [] == faults(changed(*changes))


VISIBLE = [
    pytest.param({"kind": "a"}, [], id="a choice"),
    pytest.param({"kind": "c"}, "wrong_value", id="no choice of it"),
    pytest.param({"kind": True}, "wrong_type", id="another type"),
    pytest.param({"on": True}, [], id="a switch"),
    pytest.param({"on": "true"}, "wrong_type", id="a switch in words"),
    pytest.param({"text": ["x", "y"]}, [], id="texts"),
    pytest.param({"pin": "1"}, "contradiction", id="a secret"),
    pytest.param({"last": "x"}, "unknown_name", id="one that stands after it"),
    pytest.param({"it": "x"}, "unknown_name", id="itself"),
]


@pytest.mark.parametrize(("condition", "expected"), VISIBLE)
def test_what_a_field_may_wait_for(condition: dict[str, Any], expected: str | list[str]) -> None:
    """A field before it, that is no secret, and a value that the field can have."""
    fields = [
        KIND,
        {"key": "on", "label": "On", "type": "boolean"},
        {"key": "text", "label": "Text"},
        {"key": "pin", "label": "Pin", "type": "secret"},
        {"key": "it", "label": "It", "visible_when": condition},
        {"key": "last", "label": "Last"},
    ]
    pointer = f"/fields/4/visible_when/{next(iter(condition))}"

    assert ([(pointer, expected)] if expected else []) == faults(changed(("fields", fields)))
