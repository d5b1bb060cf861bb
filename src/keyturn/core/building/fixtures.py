"""Recorded exchanges of a trial, made up so far that nobody's secret or name is in them, and read again offline.

Rule 1: nothing is kept because it looks harmless. A text stays only where the connector's own file has it, where it is
an error code or a token type of the standards, or where it is a time; every other text becomes another one.
Rule 2: what a recorded answer means is told by the recorded answer, not by the real one; where that differs, it is not
recorded.
Rule 3: replaying uses the readers that connections use.

Source: the interfaces, "Save as test fixture".
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlencode

from keyturn.core.answers.answer_body import BodyKind, decode_body
from keyturn.core.answers.answer_values import extract
from keyturn.core.answers.json_query import query
from keyturn.core.answers.jwt_claims import claims_of
from keyturn.core.answers.preliminary import read_preliminary
from keyturn.core.answers.test_verdict import judge_test, test_values
from keyturn.core.answers.token_response import Outcome, Reading, read_answer
from keyturn.core.connector import Connector, ProviderRequest
from keyturn.core.format.writing import dump_connector
from keyturn.core.messages import Answer
from keyturn.core.redaction.redactor import Redactor
from keyturn.core.secret import Secret

VERSION: Final = 1
SUFFIX: Final = ".fixture.json"
MADE_UP: Final = "made-up"
MOST_BYTES: Final = 1024 * 1024
_WORDS: Final = frozenset(
    {
        "bearer", "mac", "dpop", "basic", "invalid_grant", "invalid_client", "invalid_request", "invalid_scope",
        "unauthorized_client", "unsupported_grant_type", "access_denied", "authorization_pending", "slow_down",
        "expired_token", "mfa_required", "interaction_required", "temporarily_unavailable", "server_error",
        "true", "false",
    }
)  # fmt: skip
# Names of members that the standards give; every other name stays only where the connector's file has it.
_MEMBERS: Final = frozenset(
    {
        "access_token", "refresh_token", "id_token", "token_type", "expires_in", "refresh_expires_in", "expires_at",
        "expires", "scope", "error", "error_description", "error_uri", "error_code", "interval", "sub",
    }
)  # fmt: skip
_TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)"
    r"|[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [\d:]{8} GMT"
)
_HEADERS: Final = frozenset({"content-type", "retry-after", "date"})
_LITERAL: Final = re.compile(r"[A-Za-z0-9_.:/-]{2,100}")
_WORD: Final = re.compile(r"[A-Za-z_$@][A-Za-z0-9_$@-]{0,60}")  # a step of a path
_REDACTOR: Final = Redactor()


@dataclass(frozen=True, slots=True)
class Exchange:
    """An answer as it came, and which request of the connector it answers: `token`, `before/NAME`, `challenge/N`…"""

    request: str
    method: str
    answer: Answer = field(repr=False)


@dataclass(frozen=True, slots=True)
class Differs:
    """A recorded answer that means something else to the connector now."""

    request: str
    message: str


def make_fixture(
    connector: Connector, digest: str, exchanges: Sequence[Exchange], secrets: Sequence[Secret]
) -> dict[str, Any]:
    """Record a trial.

    Args:
        connector: that was tried.
        digest: its own.
        exchanges: in their order.
        secrets: what was typed and came; none of it is in what is returned, in whatever form.
    """
    literals = _literals_of(connector)
    found: list[dict[str, Any]] = []
    left: list[str] = []
    for each in exchanges:
        recorded = {"request": each.request, "method": each.method, **_recorded(connector, each, literals)}
        real, told = _meaning(connector, each.request, each.answer), meaning_of(connector, recorded)
        if told is None or told != real or _holds_secret(recorded, secrets):
            left.append(each.request)
            continue
        found.append({**recorded, "means": told})
    fixture: dict[str, Any] = {"keyturn_fixture": VERSION, "connector": connector.id, "digest": digest}
    return {**fixture, "exchanges": found, "left_off": left}


def meaning_of(connector: Connector, recorded: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a recorded answer means to a connector; None where the connector has no such request."""
    body = str(recorded.get("body", "")).encode()
    given = recorded.get("headers")
    headers = tuple((str(k), str(v)) for k, v in given.items()) if isinstance(given, Mapping) else ()
    status = recorded.get("status")
    answer = Answer(status if isinstance(status, int) else 0, headers, body)
    return _meaning(connector, str(recorded.get("request", "")), answer)


def check_fixture(connector: Connector, fixture: Mapping[str, Any]) -> Iterator[Differs]:
    """What of a recording the connector reads otherwise than when it was made."""
    exchanges = fixture.get("exchanges")
    if fixture.get("keyturn_fixture") != VERSION or not isinstance(exchanges, list):
        yield Differs("", "The file is no fixture of this version.")
        return
    if fixture.get("connector") != connector.id:
        yield Differs("", "The fixture is one of another connector.")
        return
    for each in exchanges:
        if not isinstance(each, Mapping) or not isinstance(each.get("means"), Mapping):
            yield Differs("", "An exchange of the file can't be read.")
            continue
        request, now = str(each.get("request")), meaning_of(connector, each)
        if now is None:
            yield Differs(request, "The connector has no such request any more.")
        elif now != each["means"]:
            parts = [name for name in sorted({*now, *each["means"]}) if now.get(name) != each["means"].get(name)]
            said = "; ".join(f"{name} was {each['means'].get(name)!r}, is {now.get(name)!r}" for name in parts)
            yield Differs(request, f"The answer of “{request}” is read otherwise: {said}.")


def _meaning(connector: Connector, request: str, answer: Answer) -> dict[str, Any] | None:
    kind, _, which = request.partition("/")
    if kind == "test":
        return _test(connector, answer)
    if kind == "before":
        before = next((each for each in connector.before if each.name == which), None)
        if before is None:
            return None
        spec = before.request
        told = read_preliminary(
            answer, mapping=spec.response, success_when=spec.success_when, rejected_when=spec.rejected_when,
            failures=(*spec.failures, *connector.failures), challenges=connector.challenges)  # fmt: skip
        if not told.went_well:
            return _of(connector, told.otherwise, answer)
        has = [name for name, where in before.capture.items() if extract(where, answer, told.body) is not None]
        return {"went_well": True, "has": sorted(has)}
    spec_of = _spec(connector, kind, which)
    if spec_of is None:
        return None
    login = kind in ("token", "challenge")
    reading = read_answer(
        answer,
        mapping=spec_of.response,
        success_when=spec_of.success_when,
        rejected_when=spec_of.rejected_when,
        failures=(*spec_of.failures, *connector.failures),
        challenges=connector.challenges if login else (),
        default_ttl_s=connector.default_ttl_s,
    )
    return _of(connector, reading, answer)


def _spec(connector: Connector, kind: str, which: str) -> ProviderRequest | None:
    if kind in ("token", "refresh"):
        return connector.token if kind == "token" else connector.refresh.request
    place = int(which) if which.isascii() and which.isdigit() and len(which) < 4 else -1
    if kind == "challenge" and 0 <= place < len(connector.challenges):
        return connector.challenges[place].then
    if kind == "revoke" and 0 <= place < len(connector.revokes):
        return connector.revokes[place].request
    return None


def _of(connector: Connector, reading: Reading, answer: Answer) -> dict[str, Any]:
    found: dict[str, Any] = {"outcome": reading.outcome.value}
    if reading.failure is not None:
        found["failure"] = reading.failure.value
    if reading.challenge is not None:
        found["challenge"] = connector.challenges.index(reading.challenge)
        capture = reading.challenge.capture
        found["has"] = sorted(n for n, where in capture.items() if extract(where, answer, reading.body) is not None)
    elif reading.outcome is Outcome.TOKEN and reading.token_set is not None:
        tokens = reading.token_set
        has = ["access_token"] + (["refresh_token"] if tokens.refresh_token else [])
        has += (["lifetime"] if tokens.expires_at is not None else []) + [f"token.{name}" for name in tokens.kept]
        found["has"] = sorted(has)
    return found


def _test(connector: Connector, answer: Answer) -> dict[str, Any]:
    verdict, value = judge_test(answer, connector.test.expect), test_values(answer)
    paths = {*connector.unique_id.names(), *connector.connection_name.names()}
    has = sorted(path for path in paths if path.startswith("test.") and query(path[5:], value) not in (None, ""))
    return {"passed": verdict.passed, "has": has}


def _recorded(connector: Connector, exchange: Exchange, literals: frozenset[str]) -> dict[str, Any]:
    answer, test = exchange.answer, exchange.request == "test"
    named = {each.partition(":")[2].lower() for each in literals if each.startswith("header:")}
    headers = {}
    for name, value in answer.headers:
        if name.lower() in _HEADERS:
            headers[name] = value
        elif name.lower() in named:
            headers[name] = _text(value, literals)
    return {"status": answer.status, "headers": headers, "body": _body(answer, literals, numbers=not test)}


def _body(answer: Answer, literals: frozenset[str], *, numbers: bool) -> str:
    body = decode_body(answer)
    match body.kind:
        case BodyKind.JSON:
            # Names too: what an object is keyed by may be somebody's id.
            return json.dumps(_made_up(body.value, literals, numbers=numbers), ensure_ascii=False)
        case BodyKind.FORM:
            return urlencode({_name(k, literals): _text(str(v), literals) for k, v in body.value.items()})
        case BodyKind.EMPTY:
            return ""
        case BodyKind.MARKUP:
            return "<html></html>"
    return _text(answer.body.decode("utf-8", "replace"), literals)


def _made_up(value: Any, literals: frozenset[str], *, numbers: bool) -> Any:
    match value:
        case Mapping():
            return {_name(str(k), literals): _made_up(v, literals, numbers=numbers) for k, v in value.items()}
        case list():
            return [_made_up(each, literals, numbers=numbers) for each in value[:20]]
        case str():
            return _text(value, literals)
        case bool() | None:
            return value
    return value if numbers else 1


def _name(name: str, literals: frozenset[str]) -> str:
    return name if name in literals or name in _MEMBERS else MADE_UP


def _text(text: str, literals: frozenset[str]) -> str:
    if not text.strip() or text in literals or text.lower() in _WORDS or _TIME.fullmatch(text):
        return text
    if text.count(".") == 2 and (claims := claims_of(Secret(text))):
        return _jwt({name: claims[name] for name in ("exp", "iat") if isinstance(claims.get(name), int | float)})
    return "https://made-up.example/" if text.startswith(("http://", "https://")) else MADE_UP


def _jwt(claims: Mapping[str, Any]) -> str:
    """A token that says when it ends, and nothing else; nobody has signed it."""
    texts = [json.dumps(each).encode() for each in ({"alg": "none"}, claims)]
    return ".".join([*(base64.urlsafe_b64encode(each).decode().rstrip("=") for each in texts), MADE_UP])


def _literals_of(connector: Connector) -> frozenset[str]:
    """Each text of the file, each step of its paths, and what is written in quotes within an expression."""
    found: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, Mapping):
            for key, each in value.items():
                found.add(str(key))
                walk(each)
        elif isinstance(value, list):
            for each in value:
                walk(each)
        elif isinstance(value, str):
            found.add(value)
            found.update(_LITERAL.findall(value))
            found.update(_WORD.findall(value))
            found.update(re.findall(r"['\"`]([^'\"`]{1,200})['\"`]", value))

    walk(dump_connector(connector))
    return frozenset(found)


def _holds_secret(recorded: Mapping[str, Any], secrets: Sequence[Secret]) -> bool:
    """The last look: whether a value that stayed is, or holds, one that is known; names of members are the file's."""
    try:
        body = json.loads(recorded["body"])
    except ValueError:
        body = recorded["body"]
    kept = [each for each in (*_texts(body), *recorded["headers"].values()) if MADE_UP not in each and len(each) > 3]
    return any(_REDACTOR.redact_text(each, secrets) != _REDACTOR.redact_text(each) for each in kept)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for each in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(each)
