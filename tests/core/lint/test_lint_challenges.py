"""Tests of the linter about second factors: what each rule finds, and the neighbour that it leaves alone."""

from __future__ import annotations

from typing import Any

import pytest

from keyturn.core.connector import When
from keyturn.core.lint.challenge_rules import CHALLENGE_RULES
from keyturn.core.lint.challenges import covers
from tests.core.connector_files import changed
from tests.core.lint.test_lint import CHALLENGE, CLEAN, KEPT, codes_of, fields, param

SEED = {"key": "seed", "label": "Seed", "type": "totp_seed"}
CODE = {"key": "code", "label": "Code", "type": "otp", "required": False}
LINK = ("links", {"app_password": "https://example.com/apps"})
INTERACTIVE = ("login", "interactive")
POLL = {"while": "status == 'pending'"}


def challenge(**keys: Any) -> dict[str, Any]:
    """The challenge that has no findings, with other keys."""
    return {**CHALLENGE, **keys}


def challenges(*each: dict[str, Any]) -> tuple[str, Any]:
    """The list of challenges."""
    return ("challenges", list(each))


def asking(**question: Any) -> tuple[str, Any]:
    """A challenge with one question, whose answer is sent."""
    asked = {"key": "otp", "label": "Answer", **question}
    return challenges(challenge(ask=[asked], then={"params": {"answer": f"{{{{ {asked['key']} }}}}"}}))


FOUND = [
    ("K109", "/fields/1", [("password", KEPT), fields(SEED), param("{{ seed }}")]),
    ("K110", "/fields/1", [fields(SEED), param("{{ seed }}")]),
    ("K110", "/fields/1", [("password", KEPT), INTERACTIVE, fields(SEED), param("{{ seed }}")]),
    ("K111", "/fields/1", [("password", KEPT), fields(CODE), param("{{ code }}")]),
    ("K210", "/login", [INTERACTIVE]),
    ("K211", "/login", [INTERACTIVE]),
    ("K212", "/challenges/1/when", [challenges(challenge(), challenge(when={"status": [400], "body": "a"}))]),
    ("K213", "/challenges/0/ask/0", [asking(type="text")]),
    ("K213", "/challenges/0/ask/0", [asking(key="pin", type="number")]),
    ("K214", "/challenges/0/then", [challenges({"when": {"status": [400]}, "then": {}})]),
    ("K215", "/challenges/0/capture/a", [challenges(challenge(capture={"a": "x"}))]),
    ("K216", "/challenges/0/lifetime", [challenges(challenge(lifetime="11m"))]),
    ("K217", "/challenges/0", [challenges({"when": {"status": [400]}})]),
    ("K218", "/challenges/0/then/answers", [challenges(challenge()), ("challenges.0.then.answers", "challenge")]),
    (
        "K219",
        "/challenges/0/then/poll/for",
        [challenges(challenge(lifetime=60, then={"params": {"otp": "{{ otp }}"}, "poll": {**POLL, "for": 61}}))],
    ),
    ("K220", "/challenges/0/then/poll", [challenges(challenge(ask=[], then={"poll": POLL}))]),
]


@pytest.mark.parametrize(("code", "pointer", "changes"), FOUND, ids=[f"{code} {pointer}" for code, pointer, _ in FOUND])
def test_what_each_rule_finds(code: str, pointer: str, changes: list[tuple[str, Any]]) -> None:
    """One change to a good connector, and the rule finds it at the right place."""
    assert (code, pointer) in codes_of(changed(*changes, start=CLEAN))


def test_each_rule_is_tested() -> None:
    """A rule without a case could be broken without anybody seeing it."""
    assert {rule.code for rule in CHALLENGE_RULES} == {code for code, _, _ in FOUND}


def test_a_good_challenge_has_no_findings() -> None:
    """So that the cases above are about what they change."""
    assert [] == codes_of(changed(challenges(challenge()), start=CLEAN))


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        pytest.param("K111", [fields(CODE), param("{{ code }}")], id="no password is kept"),
        pytest.param("K111", [("password", KEPT), INTERACTIVE, fields(CODE), param("{{ code }}")], id="nobody alone"),
        pytest.param("K111", [("password", KEPT), fields(CODE, SEED), param("{{ code }}{{ seed }}")], id="a seed"),
        pytest.param("K210", [INTERACTIVE, challenges(challenge())], id="a challenge"),
        pytest.param("K210", [INTERACTIVE, fields(CODE), param("{{ code }}")], id="a code in the form"),
        pytest.param("K212", [challenges(challenge(), challenge(when={"status": [401]}))], id="another status"),
        pytest.param(
            "K212", [challenges(challenge(when={"status": [400], "body": "a"}), challenge())], id="the narrow one first"
        ),
        pytest.param("K213", [asking(label="Code", type="choice", choices_from="f")], id="a choice of codes"),
        pytest.param("K213", [asking(key="answer", label="Encoded name")], id="a word with code in it"),
        pytest.param("K214", [challenges({"when": {"status": [400]}, "then": {"poll": POLL}})], id="polled"),
        pytest.param("K214", [challenges({"when": {"status": [400]}, "then": {"params": {"a": "b"}}})], id="other"),
        pytest.param(
            "K215",
            [challenges(challenge(capture={"a": "x"}, then={"params": {"o": "{{ otp }}", "a": "{{ a.b }}"}}))],
            id="a part of a captured value",
        ),
        pytest.param(
            "K215",
            [challenges(challenge(capture={"a": "x"}, resend={"params": {"a": "{{ a }}"}}))],
            id="captured for another code",
        ),
        pytest.param("K216", [challenges(challenge(lifetime="10m"))], id="ten minutes"),
        pytest.param("K216", [challenges(challenge(lifetime={"from": "e"}))], id="the answer says it"),
        pytest.param("K217", [challenges({"when": {"status": [400]}}), LINK], id="a way around it"),
        pytest.param(
            "K218",
            [challenges({"when": {"body": "a"}, "then": {"params": {"a": "b"}, "answers": "challenge"}}, challenge())],
            id="two in a row",
        ),
        pytest.param(
            "K219",
            [challenges(challenge(lifetime=60, then={"params": {"otp": "{{ otp }}"}, "poll": {**POLL, "for": 60}}))],
            id="as long as it lives",
        ),
        pytest.param(
            "K220",
            [challenges(challenge(ask=[], capture={"a": "x"}, then={"params": {"a": "{{ a }}"}, "poll": POLL}))],
            id="a captured value is polled",
        ),
    ],
)
def test_the_neighbour_is_left_alone(code: str, changes: list[tuple[str, Any]]) -> None:
    """Each rule has an edge, and this is just beyond it."""
    assert code not in {each for each, _ in codes_of(changed(*changes, start=CLEAN))}


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        pytest.param(When(frozenset({400, 401})), When(frozenset({400})), True, id="more statuses"),
        pytest.param(When(frozenset({400})), When(frozenset({400, 401})), False, id="fewer statuses"),
        pytest.param(When(frozenset({400})), When(body="a"), False, id="any status"),
        pytest.param(When(body="a"), When(frozenset({400}), "a"), True, id="the same body, and more"),
        pytest.param(When(body="a"), When(body="b"), False, id="another body"),
        pytest.param(When(header={"x": "a"}), When(header={"x": "a", "y": "b"}), True, id="fewer headers"),
        pytest.param(When(header={"x": "a"}), When(header={"x": "b"}), False, id="another header"),
    ],
)
def test_covers(one: When, other: When, expected: bool) -> None:
    """Only what is certain counts: two different expressions may or may not mean the same."""
    assert expected is covers(one, other)
