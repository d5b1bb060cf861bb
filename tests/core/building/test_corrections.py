"""Advice and what is no advice: which differences a published version may take in place."""

from __future__ import annotations

from typing import Any

import pytest

from keyturn.core.building.corrections import advice_in, correction_sentence, immutable_in, only_advice_differs
from keyturn.core.connector import Connector
from tests.core.connector_files import changed, read

FAILURE = [{"when": {"status": [403]}, "class": "locked", "help": "Call us."}]
URL = "https://login.example.com/step"
STEPS: list[tuple[str, Any]] = [
    ("revoke", [{"url": URL}, {"url": URL}]),
    ("token.before", [{"name": "first", "url": URL, "capture": {"a": "a"}}]),
    (
        "challenges",
        [
            {
                "when": {"status": [401]},
                "ask": [{"key": "otp", "label": "Code", "type": "otp"}],
                "then": {"extra_params": {"otp": "{{ otp }}"}},
                "resend": {"url": URL},
            }
        ],
    ),
]
BEFORE = changed(*STEPS)


def after(*changes: tuple[str, Any]) -> Connector:
    """The connector with more said."""
    return read(changed(*changes, start=BEFORE))


@pytest.mark.parametrize(
    ("place", "value", "keys"),
    [
        ("failures", FAILURE, ("failures",)),
        ("token.failures", FAILURE, ("failures",)),
        ("token.before.0.failures", FAILURE, ("failures",)),
        ("refresh.failures", FAILURE, ("failures",)),
        ("revoke.0.failures", FAILURE, ("failures",)),
        ("revoke.1.failures", FAILURE, ("failures",)),
        ("test.failures", FAILURE, ("failures",)),
        ("challenges.0.then.failures", FAILURE, ("failures",)),
        ("challenges.0.resend.failures", FAILURE, ("failures",)),
        ("links", {"unlock": "https://example.com/unlock"}, ("links",)),
        ("notes", {"warning": "Mind the gap."}, ("notes",)),
        ("retires", {"on": "2027-01-31"}, ("retires",)),
    ],
)
def test_advice(place: str, value: object, keys: tuple[str, ...]) -> None:
    """Each key that the format calls advice, wherever it stands; taking it out is the same as putting it in."""
    old, new = read(BEFORE), after((place, value))

    assert (True, True) == (only_advice_differs(old, new), only_advice_differs(new, old))
    assert (keys, ()) == (advice_in(old, new), immutable_in(old, new))


@pytest.mark.parametrize(
    ("place", "value", "key"),
    [
        ("title", "Another", "title"),
        ("docs_url", "https://example.com/docs", "docs_url"),
        ("token.rejected_when", {"status": [403]}, "token"),
        ("token.params", {"failures": "x"}, "token"),
        ("stale_when", {"status": [403]}, "stale_when"),
        ("limits", {"logins": 4}, "limits"),
        ("challenges.0.when", {"status": [402]}, "challenges"),
        ("allowed_urls", ["https://api.example.com/v2"], "allowed_urls"),
        ("client_address_header", "X-Real-IP", "client_address_header"),
        ("revoke", {"url": URL}, "revoke"),
    ],
)
def test_everything_else(place: str, value: object, key: str) -> None:
    """What decides what is sent, and what an author may take for advice and isn't; with advice beside it as well."""
    old, new = read(BEFORE), after((place, value), ("notes", {"warning": "Mind the gap."}))

    assert not only_advice_differs(old, new)
    assert key in immutable_in(old, new)


def test_the_same_is_no_correction() -> None:
    """Nothing is written where nothing differs."""
    assert not only_advice_differs(read(BEFORE), read(BEFORE))


def test_the_sentence() -> None:
    """It says what is corrected, where, and for how many."""
    old, new = read(BEFORE), after(("notes", {"setup": "Ask IT."}), ("failures", FAILURE))

    expected = (
        "Only advice differs (failures, notes): version 3 is corrected in place, for 12 connections at once."
        " No new version is made, and nobody has to connect anew."
    )
    assert expected == correction_sentence(old, new, 3, 12)
    assert "for its connections at once" in correction_sentence(old, new, 3)
