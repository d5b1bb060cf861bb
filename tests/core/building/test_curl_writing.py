"""A masked request as a curl command that a shell reads as it was meant."""

from __future__ import annotations

import os
import shlex
import subprocess

from keyturn.core.building.curl_writing import as_curl
from keyturn.core.requests.provider_request import Preview

LOGIN = Preview(
    "POST",
    "https://‹region›.acme.example/token",
    (
        ("Authorization", "Basic ‹base64(client_id:client_secret)›"),
        ("Content-Type", "application/x-www-form-urlencoded"),
        ("X-Note", 'a "b" $HOME `id`'),
    ),
    "grant_type=password&username=‹username›&password=‹password›&scope=read+write",
)


def test_each_secret_is_a_variable() -> None:
    """Of the environment, encoded by curl itself; the application proves itself by --user."""
    lines = as_curl(LOGIN).split(" \\\n  ")

    assert 'curl --request POST "https://${REGION}.acme.example/token"' == lines[0]
    assert '--user "${CLIENT_ID}:${CLIENT_SECRET}"' == lines[1]
    assert '--data-urlencode "password=${PASSWORD}"' in lines
    assert '--data-urlencode "scope=read write"' in lines
    assert "‹" not in as_curl(LOGIN)


def test_a_shell_runs_nothing_of_it() -> None:
    """What the author wrote is one word as it stands; only our own variables are replaced."""
    command = as_curl(LOGIN).replace("curl --request", "printf '%s\\n'", 1)
    names = {"REGION": "eu", "CLIENT_ID": "a b", "CLIENT_SECRET": "$(id)", "USERNAME": "jo", "PASSWORD": '"p\\w"`'}
    ran = subprocess.run(["/bin/sh", "-c", command], env={**os.environ, **names}, capture_output=True, check=True)
    words = ran.stdout.decode().splitlines()

    assert "https://eu.acme.example/token" in words
    assert "a b:$(id)" in words
    assert 'X-Note: a "b" $HOME `id`' in words
    assert 'password="p\\w"`' in words
    assert shlex.split(as_curl(LOGIN))[0] == "curl"


def test_json_goes_as_it_is() -> None:
    """A body that is no form is one word."""
    preview = Preview("PUT", "https://a.example", (("Content-Type", "application/json"),), '{"p": "‹password›"}')

    assert as_curl(preview).endswith('--data-raw "{\\"p\\": \\"${PASSWORD}\\"}"')
