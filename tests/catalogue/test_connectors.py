"""Each connector that comes with keyturn reads, lints, and makes of recorded answers what they mean."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from keyturn.bootstrap.offline import read_connector_file
from keyturn.core.answers.answer_body import decode_body
from keyturn.core.answers.answer_values import matches
from keyturn.core.answers.test_verdict import judge_test
from keyturn.core.answers.token_response import read_answer
from keyturn.core.connector import Connector, FieldType, PasswordKeep, ProviderRequest, Rotation, TokenKind
from keyturn.core.lint import Severity, lint
from keyturn.core.messages import Answer
from keyturn.core.requests.provider_request import build_request
from keyturn.core.secret import Secret
from tests.catalogue.answers import ANSWERS, CALLS, Call, Recorded

FOLDER = Path(__file__).parents[2] / "src/keyturn/catalogue"
FILES = sorted(FOLDER.glob("*.yaml"))
NOW = 1_760_000_000.0
VALUES: dict[str, Any] = {
    "host": "self-hosted.example.com",
    "username": "alice",
    "password": Secret('p&ss+w%72d =é"\\/:#'),
    "refresh_token": Secret("made-up-refresh"),
    "access_token": Secret("made-up-access"),
    "token": Secret("made-up-token"),
    "token_type_hint": "access_token",
}


def connector_named(name: str) -> Connector:
    """A connector of the catalogue."""
    return read_connector_file(FOLDER / f"{name}.yaml").connector


def rows(table: dict[str, Any]) -> list[Any]:
    """One parameter for each recorded answer to a token, refresh or revoke request."""
    return [
        pytest.param(name, request, answer, id=f"{name}, {request}: {what}")
        for name, requests in table.items()
        for request, answers in requests.items()
        for what, answer in answers.items()
    ]


def request_of(connector: Connector, name: str) -> ProviderRequest:
    """One of its requests."""
    assert connector.revoke is not None
    return {
        "token": connector.token, "refresh": connector.refresh.request, "revoke": connector.revoke.request,
        "test": connector.test.request,
    }[name]  # fmt: skip


def sent(name: str, request: str, **values: Any) -> tuple[str, str, dict[str, str], Any]:
    """Method, URL, headers and JSON body of one of the connector's requests."""
    spec = request_of(connector_named(name), request)
    built = build_request(spec, VALUES | values, client_id=None, client_secret=None, optional=frozenset({"otp"}))
    return built.method, built.url, dict(built.headers), json.loads(built.body) if built.body else None


def test_the_catalogue_holds_connectors_and_nothing_else() -> None:
    """One YAML file for each, named after its id, and recorded answers for all of them."""
    assert FILES
    assert FILES == sorted(FOLDER.iterdir())
    assert set(ANSWERS) == set(CALLS) == {path.stem for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_connector_reads_and_has_nothing_to_be_warned_of(path: Path) -> None:
    """No error and no warning; what is left is information that fits software which everybody runs themselves."""
    connector = read_connector_file(path).connector
    left = [(each.code, each.severity) for each in lint(connector)]

    assert path.stem == connector.id
    assert [("K202", Severity.INFO)] == left


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_connector_keeps_to_what_is_safe(path: Path) -> None:
    """Public hosts by https that the person is shown first, and a password that goes once the login is done."""
    connector = read_connector_file(path).connector
    hosts = [each for each in connector.fields if each.type is FieldType.HOST]

    assert not connector.private_network
    assert not connector.insecure_http
    assert PasswordKeep.NEVER is connector.password.keep
    assert [True] == [each.self_hosted for each in hosts]
    assert b"http://" not in path.read_bytes()


@pytest.mark.parametrize(("name", "request_name", "recorded"), rows(dict(ANSWERS)))
def test_what_an_answer_means(name: str, request_name: str, recorded: Recorded) -> None:
    """The outcome, the life in the right unit, and how long to wait."""
    connector = connector_named(name)
    spec = request_of(connector, request_name)
    reading = read_answer(
        Answer(recorded.status, recorded.headers, recorded.body.encode(), NOW),
        mapping=spec.response,
        success_when=spec.success_when,
        rejected_when=spec.rejected_when,
        failures=(*spec.failures, *connector.failures),
        challenges=connector.challenges if request_name == "token" else (),
        default_ttl_s=connector.default_ttl_s,
    )
    got = reading.token_set
    life = None if got is None or got.expires_at is None else got.expires_at - NOW
    refresh_token = None if got is None or got.refresh_token is None else got.refresh_token.reveal()

    assert (recorded.outcome, recorded.failure) == (reading.outcome, reading.failure)
    assert recorded.life_s == (None if life is None else round(life, 3))
    assert recorded.refresh_token == refresh_token
    assert recorded.wait_s == (None if reading.retry_after_s is None else round(reading.retry_after_s, 3))
    assert "prose" not in repr(reading)


@pytest.mark.parametrize(
    ("name", "call"),
    [pytest.param(name, call, id=f"{name}: {what}") for name, calls in CALLS.items() for what, call in calls.items()],
)
def test_which_answers_of_the_api_are_stale(name: str, call: Call) -> None:
    """Only what a new token cures."""
    answer = Answer(call.status, (("Content-Type", "application/json"),), call.body.encode())

    assert call.stale == matches(connector_named(name).stale_when, answer, decode_body(answer))


@pytest.mark.parametrize(
    ("name", "body", "passed"),
    [
        pytest.param("directus", '{"data":{"id":"0ce8cd06"}}', True, id="directus: somebody"),
        pytest.param("directus", '{"data":{}}', False, id="directus: nobody"),
        pytest.param("matrix", '{"user_id":"@alice:example.org","is_guest":false}', True, id="matrix: somebody"),
        pytest.param("matrix", '{"is_guest":false}', False, id="matrix: nobody"),
    ],
)
def test_the_test_call_wants_the_account(name: str, body: str, passed: bool) -> None:
    """A 200 without the id that makes the connection unique is no success."""
    answer = Answer(200, (("Content-Type", "application/json"),), body.encode())

    assert passed == judge_test(answer, connector_named(name).test.expect).passed


def test_what_is_sent_to_directus() -> None:
    """JSON as its reference has it; a code only where the person typed one."""
    base = "https://self-hosted.example.com"
    email = {"username": "alice@example.com"}
    login = {"email": "alice@example.com", "password": VALUES["password"].reveal(), "mode": "json"}
    method, url, headers, body = sent("directus", "token", **email)

    assert ("POST", f"{base}/auth/login", "application/json") == (method, url, headers["Content-Type"])
    assert login == body
    assert {**login, "otp": "123456"} == sent("directus", "token", **email, otp=Secret("123456"))[3]
    assert {"refresh_token": "made-up-refresh", "mode": "json"} == sent("directus", "refresh")[3]
    assert {"refresh_token": "made-up-token", "mode": "json"} == sent("directus", "revoke")[3]
    assert ("GET", f"{base}/users/me?fields=id") == sent("directus", "test")[:2]


def test_what_is_sent_to_a_homeserver() -> None:
    """JSON with a nested identifier; the logout has no body and the access token in its header."""
    base = "https://self-hosted.example.com/_matrix/client/v3"
    method, url, _, body = sent("matrix", "token")
    logout = sent("matrix", "revoke")

    assert ("POST", f"{base}/login") == (method, url)
    assert {
        "type": "m.login.password",
        "identifier": {"type": "m.id.user", "user": "alice"},
        "password": VALUES["password"].reveal(),
        "refresh_token": True,
        "initial_device_display_name": "keyturn",
    } == body
    assert {"refresh_token": "made-up-refresh"} == sent("matrix", "refresh")[3]
    assert ("POST", f"{base}/logout", None) == (logout[0], logout[1], logout[3])
    assert "Bearer made-up-token" == logout[2]["Authorization"]
    assert ("GET", f"{base}/account/whoami") == sent("matrix", "test")[:2]


@pytest.mark.parametrize(
    ("name", "rotation"),
    [
        pytest.param("directus", Rotation.ROTATING, id="directus forgets a refresh token that was used"),
        pytest.param("matrix", Rotation.STABLE, id="matrix takes it until the new access token was used"),
    ],
)
def test_whether_a_refresh_token_may_be_sent_again(name: str, rotation: Rotation) -> None:
    """It decides what becomes of a connection whose renewal was cut off."""
    assert rotation is connector_named(name).refresh.rotation


@pytest.mark.parametrize(
    ("name", "token"),
    [
        pytest.param("directus", TokenKind.REFRESH_TOKEN, id="directus can end a refresh token only"),
        pytest.param("matrix", TokenKind.ACCESS_TOKEN, id="matrix ends both by the access token"),
    ],
)
def test_which_token_is_named_at_disconnecting(name: str, token: TokenKind) -> None:
    """The other one in its place would be refused."""
    revoke = connector_named(name).revoke

    assert revoke is not None
    assert (token,) == revoke.tokens


@pytest.mark.parametrize(
    ("name", "request_name", "what", "word"),
    [
        pytest.param("directus", "token", "no e-mail address", "INVALID_PAYLOAD", id="directus, token"),
        pytest.param("directus", "refresh", "no refresh token", "INVALID_PAYLOAD", id="directus, refresh"),
        pytest.param("matrix", "token", "a form", "M_NOT_JSON", id="matrix, token"),
        pytest.param("matrix", "refresh", "no refresh token", "M_MISSING_PARAM", id="matrix, refresh"),
        pytest.param("matrix", "revoke", "no token", "M_MISSING_TOKEN", id="matrix, revoke"),
    ],
)
def test_the_code_of_an_error_is_told_and_its_prose_is_not(name: str, request_name: str, what: str, word: str) -> None:
    """What an author needs to know of an answer that nothing describes."""
    recorded = ANSWERS[name][request_name][what]
    answer = Answer(recorded.status, recorded.headers, recorded.body.encode(), NOW)
    reading = read_answer(answer, mapping=request_of(connector_named(name), request_name).response)

    assert word == reading.oauth_error
