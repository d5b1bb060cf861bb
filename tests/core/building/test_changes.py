"""Two versions of a connector in sentences."""

from __future__ import annotations

import pytest

from keyturn.core.building.changes import changes
from keyturn.core.building.near_paths import nearest, paths_of
from keyturn.core.building.steps import STEPS, step_of
from tests.engine.builder.texts import parsed

FIELD = "fields: [{key: api_key, label: Api key, type: %s, keep: %s}]\nrequest: {headers: {X: '{{ api_key }}'}}"


@pytest.mark.parametrize(
    ("old", "new", "sentence", "risky"),
    [
        pytest.param(
            {},
            {"url": "https://b.example"},
            "Token host changes from auth.acme.example to b.example: 3 connections will send passwords there once moved or connected anew.",  # noqa: E501
            True,
            id="token host",
        ),
        pytest.param(
            {}, {"token": ", method: PUT"}, "token.method changes from “POST” to “PUT”.", False, id="anything else"
        ),
        pytest.param(
            {},
            {"id": "{{ test.uid }}"},
            "The unique id changes from {{ test.id }} to {{ test.uid }}: 3 connections keep the id that they have, and a reconnect may be refused as another account.",  # noqa: E501
            True,
            id="unique id",
        ),
        pytest.param(
            {},
            {"keep": "offer"},
            "The password is kept where the person agrees. 3 connections will be asked at the next login.",
            True,
            id="password kept",
        ),
        pytest.param(
            {"keep": "required"},
            {},
            "The password is kept less than before; what is kept goes at the next login.",
            False,
            id="password no longer kept",
        ),
        pytest.param(
            {},
            {"more": "private_network: true"},
            "The connector may reach private networks, where the operator allows them.",
            True,
            id="private network",
        ),
        pytest.param(
            {"more": FIELD % ("secret", "sealed")},
            {"more": FIELD % ("text", "plain")},
            "The field api_key is no longer hidden while it is typed.",
            True,
            id="a field shown",
        ),
        pytest.param(
            {"more": FIELD % ("text", "sealed")},
            {"more": FIELD % ("text", "plain")},
            "The field api_key is kept in the clear from now on.",
            True,
            id="a field unsealed",
        ),
        pytest.param(
            {"more": "request: {headers: {X: a}, locked: [X]}"},
            {"more": "request: {headers: {X: a}}"},
            "Callers may give their own x from now on.",
            True,
            id="unlocked",
        ),
    ],
)
def test_a_change_is_said(old: dict[str, str], new: dict[str, str], sentence: str, risky: bool) -> None:
    """With what it means to those who are connected."""
    found = changes(parsed(**old), parsed(**new), 3)

    assert (sentence, risky) in [(each.sentence, each.risky) for each in found]
    assert sorted(found, key=lambda each: not each.risky) == list(found)


def test_what_requests_take_over_from_the_token_request_is_said_once() -> None:
    """The refresh and a challenge's requests are sent as it is; what one of them says itself is said."""
    more = (
        'challenges: [{when: {body: a}, ask: [{key: code, label: Code, type: otp}], then: {extra_params: {x: "%s"}}}]'
    )
    old, new = (
        parsed(more=more % "1"),
        parsed(token=", method: PUT", url="https://auth.acme.example/2", more=more % "2"),
    )
    said = [each.sentence for each in changes(old, new, 3)]

    assert "token.method changes from “POST” to “PUT”." in said
    assert "challenges.0.then.params.x changes from “1” to “2”." in said
    assert [] == [each for each in said if each.startswith(("challenges.0.then.url", "challenges.0.then.method"))]
    assert [] == [each for each in said if each.startswith("refresh.")]


def test_the_same_text_changes_nothing() -> None:
    """Nothing is said where both mean the same."""
    assert () == changes(parsed(), parsed(), 3)


@pytest.mark.parametrize(
    ("before", "after", "sentence", "risky"),
    [
        pytest.param(
            "/a",
            "/a/b",
            "Calls may reach https://api.acme.example/a/b, which another rule covered before.",
            False,
            id="narrower",
        ),
        pytest.param("/a/b", "/a", "Calls may reach more than before: https://api.acme.example/a.", True, id="wider"),
        pytest.param(
            "/a",
            "/ab",
            "Calls may reach more than before: https://api.acme.example/ab.",
            True,
            id="a longer name is no path below",
        ),
    ],
)
def test_allowed_urls(before: str, after: str, sentence: str, risky: bool) -> None:
    """Wider rules are risky."""
    from keyturn.adapters.catalogue.yaml_reader import read_document
    from keyturn.adapters.suffix_list import load_public_suffixes
    from keyturn.core.reading import read_connector
    from tests.engine.builder.texts import text

    old, new = (
        read_connector(
            read_document(text().replace('["https://api.acme.example"]', f'["https://api.acme.example{path}"]')),
            suffixes=load_public_suffixes(),
        )
        for path in (before, after)
    )

    assert (sentence, risky) in [(each.sentence, each.risky) for each in changes(old, new)]


def test_the_first_version_names_its_hosts() -> None:
    """Whoever publishes it sees who gets passwords."""
    (first,) = changes(None, parsed())

    assert not first.risky  # there is nobody yet whom it could hurt
    assert "auth.acme.example" in first.sentence


@pytest.mark.parametrize(
    ("wanted", "near"),
    [
        pytest.param("test.user.uid", "user.id", id="another name for an id"),
        pytest.param("access_token", "data[0].jwt", id="a token"),
        pytest.param("test.mail", "user.email", id="a similar name"),
        pytest.param("nothing_like_it", None, id="nothing"),
    ],
)
def test_nearest(wanted: str, near: str | None) -> None:
    """A path that is there, or none."""
    assert near == nearest(wanted, {"user": {"id": 1, "email": "x"}, "data": [{"jwt": "y", "ok": True}]})


def test_paths_name_no_values() -> None:
    """Names that are no words are quoted."""
    assert ("a", '"b-c".d') == paths_of({"a": "value", "b-c": {"d": 1}})


def test_each_key_of_a_step_belongs_to_one() -> None:
    """The nine are in order, and a place of the file has one step."""
    keys = [key for step in STEPS for key in step.keys]

    assert list(range(1, 10)) == [step.number for step in STEPS]
    assert len(set(keys)) == len(keys)
    assert (2, 0) == (step_of("/token/url"), step_of("/title"))


@pytest.mark.parametrize(
    ("wanted", "near"),
    [
        pytest.param("test.name", "displayName", id="what people are called"),
        pytest.param("test.id", "login", id="no id: what names the account all the same"),
        pytest.param("test.user_name", "displayName", id="a name is no id"),
    ],
)
def test_nearest_of_an_answer_that_has_no_id(wanted: str, near: str) -> None:
    """The template of a new connector asks for id and name; many answers have neither under these words."""
    assert near == nearest(wanted, {"login": "x", "displayName": "X"})
