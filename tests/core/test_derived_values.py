"""Values that are made of others: how they are read, where they may stand, and what they come out as."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import pytest

from keyturn.core.challenges.steps import needs_password
from keyturn.core.errors import ValueAbsent
from keyturn.core.format.writing import dump_connector
from keyturn.core.lint import lint
from keyturn.core.requests.provider_request import build_request, preview_request
from keyturn.core.secret import Secret
from keyturn.core.templates import Masked, mask
from tests.core.connector_files import changed, faults, read

SECRET_HASH = {"join": ["{{ username }}", "{{ client_id }}"], "filters": ["hmac_sha256(client_secret)", "base64"]}
TOKEN = {"key": "security_token", "label": "Security token", "type": "secret"}
FIELDS = ("fields", [TOKEN, {"key": "a", "label": "A"}])
WHEN = {"status": [401]}
VALUES = {"username": "jo", "password": Secret("p w"), "security_token": Secret("t"), "a": "x", "client_id": "c"}


def derived(made: Any, *changes: tuple[str, Any]) -> dict[str, Any]:
    """A connector with one derived value, which its token request sends."""
    return changed(FIELDS, ("derive", {"made": made}), ("token.params", {"m": "{{ made }}"}), *changes)


def test_the_secret_hash_of_cognito() -> None:
    """base64(HMAC-SHA256(secret, username + client id)), written without code."""
    (template,) = read(derived(SECRET_HASH)).token.params.values()
    expected = base64.b64encode(hmac.digest(b"s3", b"joc", hashlib.sha256)).decode()

    assert Secret(expected) == template.render({**VALUES, "client_secret": Secret("s3")})  # type: ignore[union-attr]


def test_a_password_with_a_security_token() -> None:
    """What is made of a secret is one, and the request has it as it is."""
    connector = read(derived("{{ password }}{{ security_token }}", ("client", {"authentication": "none"})))
    sent = build_request(connector.token, VALUES, client_id="c", client_secret=None)
    shown = preview_request(connector.token, VALUES, client_id="c", client_secret=None)

    assert b"client_id=c&m=p+wt" == sent.body
    assert "p+w" not in shown.body
    assert "password" in shown.body


def test_filters_of_the_place_come_after_its_own() -> None:
    """`{{ made | hex }}` is about the finished value; a preview masks it."""
    value = derived({"join": ["{{ a }}", "B"], "filters": ["lower"]}, ("token.params", {"m": "<{{ made | hex }}>"}))
    (template,) = read(value).token.params.values()

    assert "<7862>" == template.render(VALUES)  # type: ignore[union-attr]
    masked = mask({"a": Secret("x")})
    assert isinstance(masked, dict)
    assert isinstance(template.render(masked), Masked)  # type: ignore[union-attr]


def test_a_part_that_is_absent_is_named() -> None:
    """The error says which value is missing, not the name of the derived one."""
    (template,) = read(derived("{{ a }}{{ security_token }}")).token.params.values()

    with pytest.raises(ValueAbsent) as caught:
        template.render({"a": "x"})  # type: ignore[union-attr]
    assert "security_token" == caught.value.path


def test_what_it_is_made_of_counts_everywhere() -> None:
    """As used by the linter, as the password that a later request needs, and as locked in calls."""
    value = derived("{{ password }}{{ a }}{{ security_token }}", ("challenges", [{"when": WHEN, "then": {}}]))
    connector = read(value)

    assert "K101" not in {each.code for each in lint(connector)}
    assert needs_password(connector, 0)
    sent = read(derived("{{ a }}{{ security_token }}", ("request", {"headers": {"X-T": "{{ made }}"}})))
    assert "x-t" in sent.request.locked


def test_writing_keeps_how_it_is_made() -> None:
    """The canonical form reads back equal, and has the short form where that says it."""
    for made in (SECRET_HASH, "{{ username }}:{{ a }}"):
        connector = read(derived(made))
        assert made == dump_connector(connector)["derive"]["made"]
        assert connector == read(dump_connector(connector))
    assert "derive" not in dump_connector(read(changed()))


def test_the_name_that_nobody_wrote_knows_it_too() -> None:
    """Where the author gives no name, it is the title and the unique id, derived or not."""
    connector = read(derived("{{ a }}:{{ username }}", ("unique_id", "{{ made }}")))

    assert "x:jo" == connector.unique_id.render(VALUES)
    assert "Smallest x:jo" == connector.connection_name.render(VALUES)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param(
            [("derive", {"m": "{{ password }}"}), ("unique_id", "{{ m }}")],
            [("/unique_id", "secret_not_allowed_here")],
            id="a secret in disguise",
        ),
        pytest.param(
            [("derive", {"m": {"join": ["{{ username }}"], "filters": ["hmac_sha256(password)"]}}),
             ("refresh", {"params": {"m": "{{ m }}"}})],
            [("/refresh/params/m", "secret_not_allowed_here")],
            id="a secret as a key",
        ),
        pytest.param(
            [("derive", {"m": "{{ password }}"}), ("token.url", "https://a.example.com/{{ m }}"), ("refresh", "none")],
            [("/token/url", "secret_in_url")],
            id="a secret in a URL",
        ),
        pytest.param(
            [("derive", {"m": "{{ username }}"}), ("token.url", "https://{{ m }}.example.com/")],
            [("/token/url", "host_not_written")],
            id="a host",
        ),
        pytest.param([("derive", {"m": "{{ usename }}"})], [("/derive/m", "unknown_name")], id="no such name"),
        pytest.param(
            [("derive", {"m": "{{ username }}", "n": "{{ m }}"})],
            [("/derive/n", "name_not_available_here")],
            id="made of a derived one",
        ),
        pytest.param([("derive", {"m": "{{ m }}"})], [("/derive/m", "name_not_available_here")], id="made of itself"),
        pytest.param(
            [("derive", {"m": "k"}), ("token.params", {"a": "{{ username | hmac_sha256(m) }}"})],
            [("/token/params/a", "name_not_available_here")],
            id="a derived key",
        ),
        pytest.param(
            [("derive", {"m": {"join": ["a"], "filters": ["rot13"]}})],
            [("/derive/m/filters/0", "template_invalid")],
            id="no filter",
        ),
        pytest.param([("derive", {"m": {"filters": []}})], [("/derive/m", "required_key")], id="made of nothing"),
        pytest.param([("derive", {"password": "a"})], [("/derive/password", "reserved_name")], id="a taken name"),
        pytest.param(
            [("derive", {"otp": "a"}), ("challenges", [{"when": WHEN, "capture": {"otp": "a"}, "then": {}}])],
            [("/challenges/0/capture/otp", "reserved_name")],
            id="a name twice",
        ),
        pytest.param(
            [("derive", {"m": "{{ otp }}"}),
             ("challenges", [{"when": WHEN, "ask": [{"key": "otp", "label": "C", "type": "otp"}],
                              "then": {}, "resend": {"params": {"m": "{{ m }}"}}}])],
            [("/challenges/0/resend/params/m", "name_not_available_here")],
            id="an answer before it is given",
        ),
    ],
)  # fmt: skip
def test_what_can_not_be_derived(changes: list[tuple[str, Any]], expected: list[tuple[str, str]]) -> None:
    """A derived value may stand only where all that it is made of may."""
    assert expected == faults(changed(*changes))
