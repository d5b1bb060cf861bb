"""What a step shows is what is sent: also of the application, whether it is registered yet or has no secret."""

from __future__ import annotations

import pytest

from keyturn.adapters.catalogue.yaml_reader import read_document
from keyturn.adapters.suffix_list import load_public_suffixes
from keyturn.core.connector import Connector
from keyturn.core.reading import read_connector
from keyturn.core.secret import Secret
from keyturn.engine.builder.previews import names_as_values, step_requests
from keyturn.engine.send import build
from keyturn.ports.store import ClientCredentials

TEXT = """
keyturn: 1
connector: acme
title: Acme
client: {{authentication: {authentication}}}
token: {{url: "https://auth.acme.example/token"}}
refresh: {{}}
revoke: {{url: "https://auth.acme.example/revoke", params: {{token: "{{{{ token }}}}"}}}}
test: {{url: "https://api.acme.example/me"}}
allowed_urls: ["https://api.acme.example"]
unique_id: "{{{{ test.id }}}}"
"""
WITH_SECRET = ClientCredentials("app-7", Secret("secret-canary"))
PUBLIC = ClientCredentials("app-7", None)
CASES = [(way, client) for way in ("none", "post", "basic") for client in (WITH_SECRET, PUBLIC)] + [("none", None)]


def _connector(authentication: str) -> Connector:
    text = TEXT.format(authentication=authentication)
    return read_connector(read_document(text), suffixes=load_public_suffixes())


def _bodies(connector: Connector, step: int, client: ClientCredentials | None) -> list[str]:
    return [str(each if isinstance(each, str) else each.body) for _, each in step_requests(connector, step, client)]


@pytest.mark.parametrize(("way", "client"), CASES)
def test_the_application_is_shown_as_it_is_sent(way: str, client: ClientCredentials | None) -> None:
    """Login and refresh have just the parameters and headers of the real request; no secret is among them."""
    connector = _connector(way)
    for step, spec in ((2, connector.token), (3, connector.refresh.request)):
        [(_, shown)] = step_requests(connector, step, client)
        sent = build(connector, spec, names_as_values(spec), client)

        assert not isinstance(shown, str)
        assert [name for name, _ in sent.headers] == [name for name, _ in shown.headers]
        assert isinstance(sent.body, bytes)
        assert _names(sent.body.decode()) == _names(shown.body or "")
        assert "canary" not in repr(shown)


def _names(body: str) -> list[str]:
    return [each.partition("=")[0] for each in body.split("&")]


@pytest.mark.parametrize(
    ("way", "where"), [("post", "client_id=‹client_id›&client_secret=‹client_secret›"), ("none", "")]
)
def test_an_application_that_is_not_registered(way: str, where: str) -> None:
    """Its names stand where it has to prove itself; where it has not, nothing of it is shown, as nothing is sent."""
    connector = _connector(way)

    for step in (2, 3, 4):
        [body] = _bodies(connector, step, None)
        assert where in body
        assert bool(where) == ("client" in body)


def test_the_header_of_an_application_that_is_not_registered() -> None:
    """A mark, not the base64 of a mark."""
    [(_, shown)] = step_requests(_connector("basic"), 2)

    assert not isinstance(shown, str)
    assert "‹base64(client_id:client_secret)›" in dict(shown.headers)["Authorization"]


@pytest.mark.parametrize("step", [5, 9])
def test_calls_of_the_api_name_no_application(step: int) -> None:
    """They ask with the token alone."""
    [(_, shown)] = step_requests(_connector("none"), step, PUBLIC)

    assert not isinstance(shown, str)
    assert "app-7" not in repr(shown)
