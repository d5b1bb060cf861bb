"""Tests of where in a file a finding points to, and of its code: a table of wrong files."""

from __future__ import annotations

import pytest

from keyturn.adapters.catalogue.yaml_reader import read_document
from keyturn.core.errors import ConnectorInvalid
from keyturn.core.reading import read_connector
from tests.core.connector_files import FILES, SUFFIXES

SMALLEST = (FILES / "smallest.yaml").read_text()  # eight lines; what is added begins in line 9


def errors_of(text: str) -> list[tuple[int | None, int | None, str, str]]:
    """Read a file that is wrong; give line, column, code and pointer of each finding."""
    with pytest.raises(ConnectorInvalid) as caught:
        read_connector(read_document(text), suffixes=SUFFIXES)
    return [(each.line, each.column, each.code, each.pointer) for each in caught.value.errors]


ADDED = [
    pytest.param("user_name: {}", (9, 1, "unknown_key", "/user_name"), id="an unknown key, at the key"),
    pytest.param("title: Again", (9, 1, "duplicate_key", "/title"), id="a key twice, at the second"),
    pytest.param("username: {lable: x}", (9, 12, "unknown_key", "/username/lable"), id="an unknown key inside"),
    pytest.param(
        "client_address_header: Authorization",
        (9, 24, "wrong_value", "/client_address_header"),
        id="a header that means something else",
    ),
    pytest.param("docs_url: 7", (9, 11, "wrong_type", "/docs_url"), id="a number for a text, at the value"),
    pytest.param("docs_url: 'javascript:x'", (9, 11, "url_invalid", "/docs_url"), id="no http URL"),
    pytest.param("on_duplicate: updat", (9, 15, "wrong_value", "/on_duplicate"), id="a choice misspelt"),
    pytest.param("limits: {logins: 0}", (9, 18, "out_of_range", "/limits/logins"), id="one below the least"),
    pytest.param("limits: {per: 15 m}", (9, 15, "wrong_type", "/limits/per"), id="a duration with a blank"),
    pytest.param("limits: {per: 8d}", (9, 15, "out_of_range", "/limits/per"), id="a duration over a week"),
    pytest.param("fields: {}", (9, 9, "wrong_type", "/fields"), id="an object for a list"),
    pytest.param("fields: [{label: x}]", (9, 10, "required_key", "/fields/0"), id="a missing key, at its object"),
    pytest.param("fields: [{key: 1a, label: x}]", (9, 16, "wrong_value", "/fields/0/key"), id="no name"),
    pytest.param(
        "fields: [{key: test, label: x}]", (9, 16, "reserved_name", "/fields/0/key"), id="a name that is taken"
    ),
    pytest.param(
        "fields: [{key: a, label: x, type: totp_code}]", (9, 35, "wrong_value", "/fields/0/type"), id="no type"
    ),
    pytest.param(
        "stale_when: {body: 'a =='}", (9, 20, "expression_invalid", "/stale_when/body"), id="half an expression"
    ),
    pytest.param(
        "stale_when: {body: 'lenght(a)'}", (9, 20, "expression_invalid", "/stale_when/body"), id="no function"
    ),
    pytest.param("stale_when: {header: {A: '('}}", (9, 26, "pattern_invalid", "/stale_when/header/A"), id="no pattern"),
    pytest.param(
        "stale_when: {header: {A: '(a+)+'}}", (9, 26, "pattern_unsafe", "/stale_when/header/A"), id="a slow pattern"
    ),
    pytest.param("failures: [{when: {}, class: locked}]", (9, 19, "empty_condition", "/failures/0/when"), id="always"),
    pytest.param(
        'connection_name: "a {{ x"', (9, 21, "template_invalid", "/connection_name"), id="open braces, inside"
    ),
    pytest.param(
        'connection_name: "hello {{ tets.id }}"',
        (9, 28, "unknown_name", "/connection_name"),
        id="a name, in its braces",
    ),
    pytest.param(
        "connection_name: Hello {{ client_secret | sha256 }}",
        (9, 27, "secret_not_allowed_here", "/connection_name"),
        id="a hashed secret, without quotes",
    ),
    pytest.param(
        'connection_name: "\\u0041 {{ tets.id }}"',
        (9, 18, "unknown_name", "/connection_name"),
        id="escapes: at the text",
    ),
    pytest.param(
        "connection_name: >-\n  a\n  {{ tets.id }}",
        (9, 18, "unknown_name", "/connection_name"),
        id="folded: at the text",
    ),
    pytest.param(
        "request: {headers: {X-A: '{{ password }}'}}",
        (9, 30, "secret_not_allowed_here", "/request/headers/X-A"),
        id="a password in calls",
    ),
    pytest.param("request: {locked: [X-B]}", (9, 20, "unknown_name", "/request/locked/0"), id="a lock on nothing"),
    pytest.param("a: &x 1", (9, 4, "yaml_alias", "/a"), id="an anchor"),
    pytest.param("a: !!str 1", (9, 4, "yaml_tag", "/a"), id="a tag"),
    pytest.param("a: {<<: {b: 1}}", (9, 5, "yaml_merge_key", "/a"), id="a merge key"),
    pytest.param("? [a]\n: 1", (9, 3, "key_not_text", ""), id="a list as key"),
    pytest.param("a: [1", (10, 1, "yaml_syntax", ""), id="an open bracket"),
    pytest.param("a: b: c", (9, 5, "yaml_syntax", ""), id="two colons"),
    pytest.param("a: .inf", (9, 4, "number_not_finite", "/a"), id="infinity"),
    pytest.param("---\na: 1", (9, 1, "yaml_several_documents", ""), id="a second document"),
    pytest.param(
        "revoke: [{url: https://a.example}, {method: POST}]", (9, 36, "required_key", "/revoke/1"), id="a list"
    ),
]


@pytest.mark.parametrize(("added", "expected"), ADDED)
def test_a_finding_says_where_it_is(added: str, expected: tuple[int, int, str, str]) -> None:
    """Line and column point to the key, the value, or the character inside a text that is wrong."""
    found = errors_of(f"{SMALLEST}{added}\n")

    assert expected == found[0]
    assert {"unknown_key"} >= {code for _, _, code, _ in found[1:]}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param("keyturn: 1", "keyturn: 2", (1, 10, "version_not_supported", "/keyturn"), id="another version"),
        pytest.param(
            "keyturn: 1", "keyturn: '1'", (1, 10, "version_not_supported", "/keyturn"), id="a version as text"
        ),
        pytest.param("smallest", "Smallest", (2, 12, "wrong_value", "/connector"), id="an id in capitals"),
        pytest.param("smallest", "s", (2, 12, "wrong_value", "/connector"), id="an id of one letter"),
        pytest.param("legacy", "lazy", (4, 17, "wrong_value", "/trust/reason"), id="no reason"),
        pytest.param('"https://login', '"http://login', (5, 14, "https_required", "/token/url"), id="http"),
        pytest.param("login.example.com", "{{ username }}", (5, 14, "host_not_written", "/token/url"), id="any host"),
    ],
)
def test_a_wrong_value_is_found_where_it_stands(old: str, new: str, expected: tuple[int, int, str, str]) -> None:
    """One value changed gives one finding, at that value."""
    assert [expected] == errors_of(SMALLEST.replace(old, new, 1))


def test_every_error_is_found_at_once() -> None:
    """Errors of form, names, secrets and hosts come together, in the order of the file."""
    text = (
        SMALLEST.replace("legacy", "lazy")
        .replace("https://login.example.com", "https://{{ nowhere }}.com")
        .replace("{{ test.id }}", "{{ access_token }}")
    )

    assert [
        (4, "wrong_value", "/trust/reason"),
        (5, "host_not_written", "/token/url"),
        (5, "unknown_name", "/token/url"),
        (8, "secret_not_allowed_here", "/unique_id"),
        (9, "unknown_key", "/colour"),
    ] == [(line, code, pointer) for line, _, code, pointer in errors_of(text + "colour: red\n")]


def test_a_message_names_the_nearest_key_and_not_the_input() -> None:
    """The author reads what was most likely meant; what was written is not repeated."""
    with pytest.raises(ConnectorInvalid) as caught:
        read_connector(read_document(SMALLEST + "alowed_url: 1\nsecretly: x\n"), suffixes=SUFFIXES)

    first, second = (each.message for each in caught.value.errors)
    assert "a connector has no such key; did you mean “allowed_urls”?" == first
    assert "secretly" not in second


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param("{{ test.id }}", "{{ tset.account }}", "did you mean “test.…”?", id="an answer, slipped"),
        pytest.param("/oauth/token", "/{{ usernam }}", "did you mean “username”?", id="a name, slipped"),
        pytest.param("/oauth/token", "/{{ passwod }}", "possible here: client_id, username", id="no secret in a URL"),
        pytest.param("{{ test.id }}", "{{ refresh_toke }}", "possible here: claims.sub,", id="no token in an id"),
    ],
)
def test_a_name_that_is_not_there_is_compared_with_those_that_may_stand_there(
    old: str, new: str, expected: str
) -> None:
    """What is suggested would be taken, and what was written below an answer's name is not repeated."""
    with pytest.raises(ConnectorInvalid) as caught:
        read_connector(read_document(SMALLEST.replace(old, new, 1)), suffixes=SUFFIXES)
    (message,) = [each.message for each in caught.value.errors if each.code == "unknown_name"]

    assert expected in message
    assert "account" not in message


def test_json_is_read_as_well() -> None:
    """The same file as JSON gives the same connector."""
    as_json = (
        '{"keyturn":1,"connector":"smallest","title":"Smallest","trust":{"reason":"legacy"},'
        '"token":{"url":"https:\\/\\/login.example.com/oauth/token"},"test":{"url":"https://api.example.com/v1/me"},'
        '\n\t"allowed_urls":["https://api.example.com/v1"],"unique_id":"{{ test.id }}"}'
    )

    assert read_connector(read_document(SMALLEST), suffixes=SUFFIXES) == read_connector(
        read_document(as_json), suffixes=SUFFIXES
    )
