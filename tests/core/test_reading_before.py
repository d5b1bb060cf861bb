"""Reading requests that run before a login: what each may know, and what the canonical form keeps."""

from __future__ import annotations

from typing import Any

import pytest

from keyturn.core.connector import Before, ClientAuthentication, Encoding
from keyturn.core.format.writing import dump_connector
from tests.core.connector_files import changed, faults, read

TENANT = {"name": "tenant", "url": "https://login.example.com/tenant", "capture": {"tenant": "id"}}
NONCE = {
    "name": "nonce", "url": "https://login.example.com/{{ tenant }}/nonce", "method": "GET",
    "params": {"tenant": "{{ tenant }}"}, "capture": {"nonce": "header:Nonce"},
}  # fmt: skip
REGION = {"key": "region", "label": "Region", "type": "choice", "choices": {"eu": "EU", "us": "US"}}


def before(*each: dict[str, Any]) -> tuple[str, Any]:
    """The list of requests before the login."""
    return ("token.before", list(each))


def test_each_has_the_defaults_of_a_request() -> None:
    """No parameters, a POST with a form, and the application's own proof; nothing comes from the token request."""
    connector = read(changed(before(TENANT), ("token.encoding", "json"), ("token.headers", {"X-A": "b"})))
    (found,) = connector.before

    assert (Before, "tenant", {"tenant": "id"}, {}) == (type(found), found.name, dict(found.capture), dict(found.when))
    assert ("POST", Encoding.FORM, {}, {}) == (
        found.request.method,
        found.request.encoding,
        dict(found.request.params),
        dict(found.request.headers),
    )
    assert ClientAuthentication.BASIC is found.request.authentication


def test_what_is_written_reads_back() -> None:
    """The canonical form keeps order, names and conditions."""
    connector = read(changed(("fields", [REGION]), before({**TENANT, "when": {"region": "eu"}}, NONCE)))

    assert connector == read(dump_connector(connector))
    assert ("eu",) == connector.before[0].when["region"]


def test_none_leaves_the_canonical_form_as_it_was() -> None:
    """So that the digest of every older connector stays."""
    assert "before" not in dump_connector(read(changed()))["token"]


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        pytest.param([before(NONCE, TENANT)], "/token/before/0/url", "name_not_available_here", id="found later"),
        pytest.param(
            [before({**TENANT, "params": {"a": "{{ tenant.b }}"}})],
            "/token/before/0/params/a",
            "name_not_available_here",
            id="found by itself",
        ),
        pytest.param([before(TENANT, TENANT)], "/token/before/1/name", "duplicate", id="one name twice"),
        pytest.param(
            [before({**TENANT, "when": {"region": "eu"}})], "/token/before/0/when/region", "unknown_name", id="no field"
        ),
        pytest.param(
            [("fields", [REGION]), before({**TENANT, "when": {"region": "asia"}})],
            "/token/before/0/when/region",
            "wrong_value",
            id="no choice of it",
        ),
        pytest.param(
            [("fields", [{"key": "pin", "label": "Pin", "type": "secret"}]), before({**TENANT, "when": {"pin": "1"}})],
            "/token/before/0/when/pin",
            "contradiction",
            id="a secret",
        ),
        pytest.param([before({"name": "a"})], "/token/before/0", "required_key", id="no URL"),
        pytest.param([before({**TENANT, "default_ttl": 5})], "/token/before/0/default_ttl", "unknown_key", id="a key"),
        pytest.param(
            [before({**TENANT, "capture": {"password": "p"}})],
            "/token/before/0/capture/password",
            "reserved_name",
            id="a name of the format",
        ),
        pytest.param(
            [("fields", [REGION]), before({**TENANT, "capture": {"region": "r"}})],
            "/token/before/0/capture/region",
            "reserved_name",
            id="a field's name",
        ),
        pytest.param(
            [before({**TENANT, "url": "https://login.example.com/{{ password }}"})],
            "/token/before/0/url",
            "secret_in_url",
            id="the password in a URL",
        ),
        pytest.param(
            [before({**TENANT, "url": "https://{{ tenant }}.example.com/"})],
            "/token/before/0/url",
            "secret_in_url",
            id="an answer's value in a host",
        ),
        pytest.param(
            [before({**TENANT, "method": "GET", "authentication": "post"})],
            "/token/before/0",
            "secret_in_url",
            id="the client secret in a query",
        ),
        pytest.param(
            [before(TENANT), ("refresh.params", {"a": "{{ tenant }}"})],
            "/refresh/params/a",
            "secret_not_allowed_here",
            id="what was found, in a renewal",
        ),
        pytest.param(
            [before(TENANT), ("request.headers", {"X-A": "{{ tenant }}"})],
            "/request/headers/X-A",
            "secret_not_allowed_here",
            id="what was found, in calls",
        ),
        pytest.param(
            [before({**TENANT, "params": {"a": "{{ access_token }}"}})],
            "/token/before/0/params/a",
            "secret_not_allowed_here",
            id="a token that is not there yet",
        ),
    ],
)
def test_what_can_not_work_is_said_where_it_stands(changes: list[tuple[str, Any]], pointer: str, code: str) -> None:
    """Each at its place, when the connector is saved."""
    assert (pointer, code) in faults(changed(*changes))
