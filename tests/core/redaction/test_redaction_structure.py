"""Structures of every kind that Python code hands to a log."""

from __future__ import annotations

import pytest

from keyturn.core.redaction.redactor import MASK, Redactor
from keyturn.core.secret import Secret

_CANARY = "hunter2-Zebra"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param({"password": Secret("x")}, {"password": MASK}, id="a Secret"),
        pytest.param(Secret("x"), MASK, id="a Secret alone"),
        pytest.param({"pwd": b"abc"}, {"pwd": MASK}, id="octets"),
        pytest.param({b"pwd": "abc", b"a": b"b"}, {"pwd": MASK, "a": "b"}, id="octets as names"),
        pytest.param({"otp": 493027, "otp_length": 6}, {"otp": MASK, "otp_length": 6}, id="a code that is a number"),
        pytest.param({"tokens": 5, "token": 5}, {"tokens": 5, "token": MASK}, id="a count and a token"),
        pytest.param({"password": True, "token": None}, {"password": True, "token": None}, id="truth values"),
        pytest.param({"password": ""}, {"password": ""}, id="an empty value"),
        pytest.param({"a": float("nan")}, {"a": "nan"}, id="no number"),
        pytest.param({1: ("a", {"b"})}, {"1": ["a", ["b"]]}, id="tuples, sets and numbers as names"),
        pytest.param({"auth": ("ana", "pw-9")}, {"auth": ["ana", MASK]}, id="a user and a password"),
        pytest.param({"auth": "ana:pw-9"}, {"auth": "ana:***"}, id="a user and a password in one text"),
        pytest.param({"cookies": {"sid": "x9"}}, {"cookies": {"sid": MASK}}, id="cookies"),
        pytest.param({"Cookie": "a=b; c=d"}, {"Cookie": "a=***; c=***"}, id="a cookie header"),
        pytest.param(
            {"Set-Cookie": "a=b; Path=/; Secure"}, {"Set-Cookie": "a=***; Path=/; Secure"}, id="attributes stay"
        ),
        pytest.param({"authorization": "Bearer abc"}, {"authorization": "Bearer ***"}, id="the scheme stays"),
        pytest.param(
            {"token": {"scope": "read", "expires_in": 60, "raw": "x"}},
            {"token": {"scope": "read", "expires_in": 60, "raw": MASK}},
            id="below a secret name",
        ),
        pytest.param(
            [{"name": "password", "value": "x"}, {"name": "realm", "value": "y"}],
            [{"name": "password", "value": MASK}, {"name": "realm", "value": "y"}],
            id="the name beside the value",
        ),
        pytest.param([["X-Api-Key", "x"], ["Host", "h"]], [["X-Api-Key", MASK], ["Host", "h"]], id="pairs"),
        pytest.param(["run", "--token", "x9", "-v"], ["run", "--token", MASK, "-v"], id="an option's argument"),
        pytest.param(
            {"loc": ["body", "a"], "msg": "bad", "input": {"b": "c"}},
            {"loc": ["body", "a"], "msg": "bad", "input": MASK},
            id="the echo of a validation error",
        ),
        pytest.param({"input": "a", "x": 1}, {"input": "a", "x": 1}, id="an input that is no echo"),
        pytest.param({"kty": "OKP", "d": "x", "x": "y"}, {"kty": "OKP", "d": MASK, "x": "y"}, id="a private JWK"),
        pytest.param({"d": "x"}, {"d": "x"}, id="a member that only looks like a JWK's"),
    ],
)
def test_redact_structure(value: object, expected: object) -> None:
    """Secrets go, plain data stays."""
    assert expected == Redactor().redact_structure(value)


def test_an_exception_becomes_an_object() -> None:
    """Type, arguments, notes, cause and group members of an exception are read like any structure."""
    error = ExceptionGroup("several", [ValueError(f"password={_CANARY}"), KeyError({"otp": 493027})])
    error.add_note(f"client_secret: {_CANARY}")
    error.__cause__ = RuntimeError("token", {"access_token": _CANARY})

    shown = Redactor().redact_structure({"error": error})
    members = [{"type": "ValueError", "args": ["password=***"]}, {"type": "KeyError", "args": [{"otp": MASK}]}]

    assert {
        "error": {
            "type": "ExceptionGroup",
            "args": ["several", members],
            "notes": ["client_secret: ***"],
            "cause": {"type": "RuntimeError", "args": ["token", {"access_token": MASK}]},
            "exceptions": members,
        }
    } == shown  # fmt: skip


def test_an_encoding_error_does_not_show_its_text() -> None:
    """The text that could not be encoded is an argument of the exception."""
    with pytest.raises(UnicodeEncodeError) as caught:
        "pässwort→".encode("latin-1")

    shown = Redactor().redact_structure(caught.value)

    assert isinstance(shown, dict)
    assert ["latin-1", MASK, 8, 9, "ordinal not in range(256)"] == shown["args"]


def test_an_object_is_shown_by_its_repr() -> None:
    """What is no plain data becomes its redacted repr; a broken repr its type's name."""

    class Login:
        def __repr__(self) -> str:
            return f"Login(username='ana', password='{_CANARY}')"

    class Broken:
        def __repr__(self) -> str:
            raise RuntimeError(_CANARY)

    assert ["Login(username='ana', password='***')", "<Broken>"] == Redactor().redact_structure([Login(), Broken()])


def test_a_structure_that_holds_itself_ends() -> None:
    """Depth is bounded, so that a loop can't keep the log busy."""
    loop: dict[str, object] = {"a": 1}
    loop["self"] = loop

    assert MASK in str(Redactor().redact_structure(loop))


def test_names_that_become_equal_are_kept_apart() -> None:
    """Two secrets used as names do not swallow each other's values."""
    shown = Redactor().redact_structure(
        {"violet-harbor-7": 1, "violet-harbor-8": 2}, ["violet-harbor-7", "violet-harbor-8"]
    )

    assert {"***": 1, "*** (2)": 2} == shown
