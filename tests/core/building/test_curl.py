"""The usual curl commands as connectors."""

from __future__ import annotations

from typing import Any

import pytest

from keyturn.core.building.curl_words import CurlUnreadable, commands
from keyturn.core.building.from_curl import read_curl

FORM = "curl https://a.example/token -d grant_type=password -d username=ada -d password=pw-canary"


def edits(text: str) -> dict[str, Any]:
    """What a text makes of a connector."""
    return read_curl(text).edits


@pytest.mark.parametrize(
    ("text", "pointer", "value"),
    [
        pytest.param(FORM, "/client/authentication", "none", id="no client"),
        pytest.param(f"{FORM} -u app:secret-canary", "/client/authentication", "basic", id="-u beside a password"),
        pytest.param(
            f"{FORM} -H 'Authorization: Basic YXBwOnNlY3JldC1jYW5hcnk='", "/client/authentication", "basic", id="header"
        ),
        pytest.param(
            f"{FORM} -d client_id=a -d client_secret=secret-canary", "/client/authentication", "post", id="in the body"
        ),
        pytest.param(f"{FORM} -d client_id=a", "/client/authentication", "none", id="public client"),
        pytest.param(
            FORM,
            "/token",
            {
                "url": "https://a.example/token",
                "params": {"grant_type": "password", "username": "{{ username }}", "password": "{{ password }}"},
            },
            id="form",
        ),
        pytest.param(
            """curl --location 'https://a.example/login' --header 'Content-Type: application/json' \\
--data-raw '{
  "user": {"email": "ada@x.example", "pwd": "pw-canary"}, "remember": true
}'""",
            "/token",
            {
                "url": "https://a.example/login",
                "encoding": "json",
                "params": {"user": {"email": "{{ username }}", "pwd": "{{ password }}"}, "remember": True},
            },
            id="json, nested, as a browser copies it",
        ),
        pytest.param(
            'curl -sSXPUT --json \'{"login":"a","password":"pw-canary"}\' a.example/x',
            "/token",
            {
                "url": "https://a.example/x",
                "method": "PUT",
                "encoding": "json",
                "params": {"login": "{{ username }}", "password": "{{ password }}"},
            },
            id="joined options, --json, no scheme",
        ),
        pytest.param(
            "curl -F user=a -F password=pw-canary https://a.example/x",
            "/token",
            {
                "url": "https://a.example/x",
                "encoding": "multipart",
                "params": {"user": "{{ username }}", "password": "{{ password }}"},
            },
            id="multipart",
        ),
        pytest.param(
            "curl 'https://a.example/x?account=a&passwd=pw-canary&v=2'",
            "/token",
            {
                "url": "https://a.example/x",
                "method": "GET",
                "encoding": "query",
                "params": {"account": "{{ username }}", "passwd": "{{ password }}", "v": "2"},
            },
            id="query",
        ),
        pytest.param(
            "curl -X POST -u ada:pw-canary https://a.example/session",
            "/derive",
            {"account": {"join": ["{{ username }}:{{ password }}"], "filters": ["base64"]}},
            id="the person's own in the header",
        ),
        pytest.param(
            FORM + "\ncurl https://b.example/v1/me -H 'Authorization: Token t-canary'",
            "/request",
            {"base_url": "https://b.example/v1", "headers": {"Authorization": "Token {{ access_token }}"}},
            id="another scheme",
        ),
        pytest.param(
            FORM + "\ncurl https://b.example/v1/me -H 'X-Auth-Token: t-canary'",
            "/request",
            {"base_url": "https://b.example/v1", "headers": {"X-Auth-Token": "{{ access_token }}"}},
            id="a header of its own",
        ),
        pytest.param(
            FORM + "\n$ curl https://b.example/v1/me -H 'Authorization: Bearer t-canary' -H 'X-Api-Key: k-canary'",
            "/fields",
            [{"key": "x_api_key", "label": "X Api Key", "type": "secret"}],
            id="a key is a field",
        ),
        pytest.param(
            FORM + "\ncurl -I 'https://b.example/v1/me?x=1'",
            "/test",
            {"url": "https://b.example/v1/me", "method": "HEAD", "params": {"x": "1"}},
            id="test",
        ),
    ],
)
def test_what_a_command_says(text: str, pointer: str, value: Any) -> None:
    """Each form of it, and no secret of it anywhere."""
    reading = read_curl(text)
    found = reading.edits[pointer]
    if pointer == "/fields":
        found = [{**each, "label": each["label"].title()} for each in found]

    assert value == found
    assert "canary" not in repr((reading.edits, reading.understood, reading.left))


@pytest.mark.parametrize(
    ("text", "words", "place"),
    [
        pytest.param("wget https://a.example", "begins with", (1, 1), id="no curl"),
        pytest.param("curl https://a.example/me", "carries a password", (1, 1), id="no password"),
        pytest.param('curl https://a.example \\\n  -d "password=x', "not closed", (2, 6), id="an open quote"),
        pytest.param(
            "curl -d '{\"password\": ' https://a.example -H 'content-type: application/json'",
            "no JSON",
            (1, 1),
            id="no JSON",
        ),
        pytest.param("curl -d password=x", "no URL", (1, 1), id="no URL"),
        pytest.param("curl https://a.example -d", "no value", (1, 1), id="an option without a value"),
    ],
)
def test_what_can_not_be_read(text: str, words: str, place: tuple[int, int]) -> None:
    """It is said why and where, without the text."""
    with pytest.raises(CurlUnreadable, match=words) as caught:
        read_curl(text)

    assert place == (caught.value.line, caught.value.column)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param('curl a \'b c\' "d \\"e\\"" f\\ g', ["a", "b c", 'd "e"', "f g"], id="quotes"),
        pytest.param("curl $'a\\nb\\u0041\\''", ["a\nbA'"], id="as bash copies"),
        pytest.param("curl a \\\r\n  b | jq .", ["a", "b"], id="lines and a pipe"),
        pytest.param('$ curl a\n{"x": 1}', ["a"], id="a prompt, and an answer beneath"),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    """Split as a shell would."""
    assert [words] == commands(text)
