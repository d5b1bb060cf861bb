"""The usual curl commands as connectors."""

from __future__ import annotations

import time
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
            FORM + '\ncurl https://b.example/v1/me -H "X-Auth: $JWT"',
            "/request",
            {"base_url": "https://b.example/v1", "headers": {"X-Auth": "{{ access_token }}"}},
            id="a header of its own with a variable of the shell",
        ),
        pytest.param(
            FORM + "\ncurl https://b.example/v1/me -H 'X-Auth: eyJ-canary'",
            "/request",
            {"base_url": "https://b.example/v1", "headers": {"X-Auth": "{{ access_token }}"}},
            id="a header of its own with a token",
        ),
        pytest.param(
            FORM + "\ncurl https://b.example/v1/me -H 'X-Auth: canary canary'",
            "/request",
            {"base_url": "https://b.example/v1", "headers": {"X-Auth": "{{ access_token }}"}},
            id="a header of its own with a token of two words",
        ),
        pytest.param(
            FORM + "\ncurl https://b.example/v1/me -H 'X-Caller: Bearer <your_access_token>' -H 'X-Tenant: 7'",
            "/request",
            {
                "base_url": "https://b.example/v1",
                "headers": {"X-Caller": "Bearer {{ access_token }}", "X-Tenant": "7"},
            },
            id="what stands for the token names it",
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


def test_what_stands_for_a_value_is_told() -> None:
    """A placeholder that nothing is known of would be sent as it stands: its name is said, and it alone."""
    call = "curl https://b.example/me -H 'X-Auth: $JWT' -H 'X-Tenant: $TENANT' -H 'X-Region: eu'"
    reading = read_curl(f"{FORM} -d device=<device_id>\n{call}")

    assert [each.split(":")[0] for each in reading.left if "placeholder" in each] == [
        "A placeholder is the value of “X-Tenant”",
        "A placeholder is the value of “device”",
    ]
    assert "Step 9: each call carries X-Auth with the token, X-Tenant, X-Region." in reading.understood


def nested(depth: int) -> str:
    """A JSON object within another, so many times."""
    return '{"password":' * depth + "1" + "}" * depth


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
        pytest.param("curl 'https://[a.example/' -d password=x", "URL can't be read", (1, 1), id="no address"),
        pytest.param(f"curl https://a.example --json '{nested(40)}'", "nested too deep", (1, 1), id="deep"),
        pytest.param(f"curl https://a.example --json '{nested(9000)}'", "nested too deep", (1, 1), id="endless"),
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


@pytest.mark.parametrize(
    "words",
    [
        '\'https://a.example/t?key=K&v=2\' --json \'{"email": "K", "password": "K", "clientSecret": "K"}\'',
        "https://a.example/t -d 'user[email]=K' -d 'user[password]=K' -d 'user[api_key]=K'",
        "https://a.example/t -d j_username=K -d j_password=K -d refreshToken=K -d sessionId=K",
        "https://a.example/t -d username=K -d password=K -d userPassword=K -H 'X-Session-Id: K' -H 'X-Auth: K'",
        'https://a.example/t --json \'{"user": 4711, "pass": "K", "token": 4711}\'',
        "'https://a.example/t?userName=K&passWord=K' -F username=K -F password=K",
    ],
)
def test_no_secret_of_a_command_comes_out(words: str) -> None:
    """However its name is written, and also in the query of a request with a body."""
    reading = read_curl(f"curl {words}".replace("=K", "=canary").replace(": K", ": canary").replace('"K"', '"canary"'))

    assert "canary" not in repr(reading)
    assert "4711" not in repr(reading)
    assert "/token" in reading.edits


def test_a_name_of_the_formats_own_makes_another_field() -> None:
    """So that the text reads; a login's query stays in its address."""
    found = edits("curl 'https://a.example/t?key=x&v=2' -d username=u -d password=p -d token=t -d clientSecret=s")

    assert "https://a.example/t?key={{ key }}&v=2" == found["/token"]["url"]
    assert ["key", "own_token", "own_client_secret"] == [each["key"] for each in found["/fields"]]
    assert ["Key", "Token", "Client secret"] == [each["label"] for each in found["/fields"]]


def test_a_token_in_the_query_of_a_call_is_the_connections() -> None:
    """It goes onto every call, in step 9; a field that the login has as well stays."""
    found = edits(f"{FORM} -d session=s\ncurl 'https://a.example/me?access_token=t&page=1' -H 'session: s'")

    assert {"access_token": "{{ access_token }}"} == found["/request"]["query"]
    assert {"page": "1"} == found["/test"]["params"]
    assert ["session"] == [each["key"] for each in found["/fields"]]


def test_a_long_word_is_read_in_passing() -> None:
    """A command of 400 KB without a blank takes no minutes."""
    began = time.process_time()
    commands("curl " + "a" * 400_000)

    assert time.process_time() - began < 5
