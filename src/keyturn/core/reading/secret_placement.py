"""Where each name may stand; a connector that breaks this can't be saved.

Rule 1: a filter changes nothing: a hash of a secret is as secret as the secret, and so is what it was the key of.
Rule 2: the place of a template follows from its pointer.
Rule 3: a name that exists but has no value in that step is refused as well: the step could never run.

Source: the connector format, "Where a secret may stand".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from keyturn.core.connector import ClientAuthentication, Encoding
from keyturn.core.reading.codes import Fault
from keyturn.core.reading.document import pointer_steps
from keyturn.core.reading.names import Kind, Names
from keyturn.core.reading.shapes import Placed, Reading, meant, nearest


class Place(StrEnum):
    """The steps in which a template can stand."""

    TOKEN = "token"  # noqa: S105
    BEFORE = "token.before"
    REFRESH = "refresh"
    REVOKE = "revoke"
    TEST = "test"
    CHALLENGE = "challenges.then"
    REQUEST = "request"
    BASE_URL = "request.base_url"
    ALLOWED_URL = "allowed_urls"
    CONNECTION_NAME = "connection_name"
    UNIQUE_ID = "unique_id"
    TLS = "tls"


_ALL: Final = frozenset(Place)
_LOGIN: Final = frozenset({Place.TOKEN, Place.BEFORE, Place.CHALLENGE})
_IDENTITY: Final = frozenset({Place.CONNECTION_NAME, Place.UNIQUE_ID})
_WITH_TOKEN: Final = frozenset({Place.REFRESH, Place.REVOKE, Place.TEST, Place.REQUEST})
_ANSWERS: Final = ("test", "claims", "token")  # names stand below these
_NOT_SECRET: Final = _IDENTITY | {Place.BASE_URL, Place.ALLOWED_URL}


@dataclass(frozen=True, slots=True)
class Rule:
    """Where a kind of name may stand.

    `in_url`: whether it may be written into a URL. `in_query`: whether it may travel as a query parameter.
    """

    what: str
    places: frozenset[Place]
    secret: bool = False
    in_url: bool = True
    in_query: bool = True


RULES: Final[Mapping[Kind, Rule]] = {
    Kind.USERNAME: Rule("the username", _ALL),
    Kind.PASSWORD: Rule("the password", _LOGIN, secret=True, in_url=False),
    Kind.CLIENT_ID: Rule("the client id", _ALL),
    Kind.CLIENT_SECRET: Rule("the client secret", _ALL - _NOT_SECRET, secret=True, in_url=False, in_query=False),
    Kind.ACCESS_TOKEN: Rule("the access token", _WITH_TOKEN, secret=True),
    Kind.REFRESH_TOKEN: Rule("the refresh token", frozenset({Place.REFRESH, Place.REVOKE}), secret=True),
    Kind.REVOKED_TOKEN: Rule("the token that is revoked", frozenset({Place.REVOKE}), secret=True),
    Kind.REVOKED_HINT: Rule("the token's type", frozenset({Place.REVOKE})),
    Kind.KEPT: Rule("a value kept from an answer", _WITH_TOKEN | _NOT_SECRET),
    Kind.KEPT_TOKEN: Rule("a token kept from an answer", _WITH_TOKEN, secret=True),
    Kind.KEPT_HOST: Rule(
        "a host kept from an answer",
        frozenset({Place.BASE_URL, Place.ALLOWED_URL, Place.TEST, Place.REFRESH, Place.REVOKE}),
    ),
    Kind.CLAIM: Rule("a claim of the token", _WITH_TOKEN | _NOT_SECRET),
    Kind.TEST: Rule("the answer of the test", _IDENTITY),
    Kind.PLAIN_FIELD: Rule("a field", _ALL),
    Kind.PLAIN_FIELD_ONCE: Rule("a field that is not kept", _LOGIN | _IDENTITY),
    Kind.SEALED_FIELD: Rule("a sealed field", _ALL - _NOT_SECRET, secret=True),
    Kind.SEALED_FIELD_ONCE: Rule("a secret field that is not kept", _LOGIN, secret=True, in_url=False),
    Kind.CODE: Rule("a one-time code", _LOGIN, secret=True, in_url=False),
    Kind.SEED: Rule("the code of a TOTP seed", _LOGIN, secret=True, in_url=False),
    Kind.ASKED: Rule("what a challenge asks", frozenset({Place.CHALLENGE}), secret=True, in_url=False),
    Kind.CAPTURED: Rule("what a challenge captures", frozenset({Place.CHALLENGE})),
    Kind.FOUND_BEFORE: Rule("what a request before the login captures", _LOGIN, secret=True),
    Kind.GENERATED: Rule("a value made once per connection", _ALL - _NOT_SECRET, secret=True),
    Kind.REMEMBERED: Rule("what an earlier login was given", _LOGIN, secret=True, in_url=False),
    # each name that it is made of has its own say
    Kind.DERIVED: Rule("a derived value, where all that it is made of may stand", _ALL),
}
# A value of these kinds makes a request parameter one that the caller may never override.
LOCKING: Final = frozenset(kind for kind, rule in RULES.items() if rule.secret) | {Kind.KEPT}


def place_of(pointer: str) -> Place:
    """Say in which step a template stands."""
    steps = pointer_steps(pointer)
    if steps[0] == "challenges":
        return Place.CHALLENGE
    if steps[:2] == ("token", "before"):
        return Place.BEFORE
    if steps[:2] == ("request", "base_url"):
        return Place.BASE_URL
    return Place(steps[0])


def is_url(pointer: str) -> bool:
    """Say whether a template is itself a URL."""
    steps = pointer_steps(pointer)
    if steps[0] == "challenges":
        steps = steps[2:]
    if steps[:2] == ("token", "before"):
        steps = steps[2:]
    if _is_one_of_several(steps):
        steps = steps[1:]
    return steps[0] == "allowed_urls" or (len(steps) == 2 and steps[1] in ("url", "base_url"))


def judge_names(reading: Reading, names: Names, tree: Mapping[str, Any]) -> None:
    """Note every name that is unknown or stands where it may not."""
    for placed in reading.templates:
        for reference in placed.template.references():
            for path in reference.names():
                if reading.full:
                    return
                _judge_path(reading, names, tree, placed, path)


def _judge_path(reading: Reading, names: Names, tree: Mapping[str, Any], placed: Placed, path: str) -> None:
    offset = _offset(placed.template.source, path)
    kind = names.kind_of(path)
    in_derived = pointer_steps(placed.pointer)[0] == "derive"
    if kind is None:
        message = f"no such name; {_meant(names, placed, path, in_derived=in_derived)}"
        reading.fault(placed.pointer, Fault.UNKNOWN_NAME, message, offset=offset)
    elif kind is Kind.DERIVED and (in_derived or path not in {each.path for each in placed.template.references()}):
        message = "a derived value is neither made of derived ones nor the key of a filter; name its parts"
        reading.fault(placed.pointer, Fault.NAME_NOT_AVAILABLE_HERE, message, offset=offset)
    elif not in_derived:
        for leaf in names.leaves(path):
            _judge_leaf(reading, names.kind_of(leaf), tree, placed, offset)


def _meant(names: Names, placed: Placed, path: str, *, in_derived: bool) -> str:
    """Which name was most likely meant, of those that may stand here; what is below an answer is not repeated."""

    def stands(name: str) -> bool:
        kind = names.kind_of(name)
        if in_derived or kind in (None, Kind.DERIVED):
            return kind is not None
        rule, place = RULES[kind], place_of(placed.pointer)
        return place in rule.places and (rule.in_url or not is_url(placed.pointer))

    head, dot, below = path.partition(".")
    answers = [each for each in _ANSWERS if dot and stands(f"{each}.{below}")]
    found = nearest(head, answers)
    if found is not None:
        return f"did you mean “{found}.…”?"
    return meant(path, [each for each in names.all() if stands(each)])


def _judge_leaf(
    reading: Reading, kind: Kind | None, tree: Mapping[str, Any], placed: Placed, offset: int | None
) -> None:
    """Hold one name against its rule; the unknown ones of a derived value are said where they stand."""
    if kind is None:
        return
    rule, place = RULES[kind], place_of(placed.pointer)
    if place not in rule.places:
        fault = Fault.SECRET_NOT_ALLOWED_HERE if rule.secret else Fault.NAME_NOT_AVAILABLE_HERE
        where = ", ".join(sorted(rule.places))
        reading.fault(placed.pointer, fault, f"{rule.what} may stand only in {where}", offset=offset)
    elif not rule.in_url and is_url(placed.pointer):
        hint = "; write it as a parameter" if rule.in_query else ""
        reading.fault(placed.pointer, Fault.SECRET_IN_URL, f"{rule.what} never stands in a URL{hint}", offset=offset)
    elif not rule.in_query and _travels_in_query(tree, placed.pointer):
        reading.fault(placed.pointer, Fault.SECRET_IN_URL, f"{rule.what} never stands in a query", offset=offset)


def _offset(source: str, path: str) -> int | None:
    """Find a name inside its braces."""
    opening = source.find("{{")
    found = source.find(path, opening) if opening >= 0 else -1
    return found if found >= 0 else None


def _travels_in_query(tree: Mapping[str, Any], pointer: str) -> bool:
    steps = pointer_steps(pointer)
    if steps[0] == "request" and "query" in (steps[1], *steps[3:4]):
        return True
    if steps[0] == "challenges":
        request, key = _challenge_request(tree, int(steps[1]), steps[2]), steps[3]
        inherited = tree.get("token")
    elif steps[:2] == ("token", "before"):
        (request, key), inherited = (_before(tree, int(steps[2])), steps[3]), None
    elif steps[0] == "revoke":
        at = int(steps[1]) if _is_one_of_several(steps) else 0
        key = steps[2] if _is_one_of_several(steps) else steps[1]
        request, inherited = next(iter(tree.get("revoke", ())[at:]), None), None
    else:
        request, key = tree.get(steps[0]), steps[1] if len(steps) > 1 else ""
        inherited = tree.get("token") if steps[0] == "refresh" else None
    if key not in ("params", "extra_params") or not isinstance(request, Mapping):
        return False
    return effective_encoding(request, inherited, test=steps[0] == "test") is Encoding.QUERY


def _is_one_of_several(steps: tuple[str, ...]) -> bool:
    """Whether a pointer is into a list of revocations."""
    return steps[0] == "revoke" and len(steps) > 2 and steps[1].isdigit()


def _challenge_request(tree: Mapping[str, Any], index: int, key: str) -> object:
    """Find a challenge's `then` or `resend`; one that can't be read has shifted the others, and counts as absent."""
    challenges = tree.get("challenges", ())
    return challenges[index].get(key) if index < len(challenges) else None


def _before(tree: Mapping[str, Any], index: int) -> object:
    """Find a request that runs before the login; as with challenges one that can't be read counts as absent."""
    before = tree.get("token", {}).get("before", ())
    return before[index] if index < len(before) else None


def effective_encoding(
    request: Mapping[str, Any], inherited: Mapping[str, Any] | None = None, *, test: bool = False
) -> Encoding:
    """Say how a request's parameters travel.

    Its own `encoding`; else that of `inherited`, the token request; else the query for GET and HEAD, which have no
    body, and a form for all others.
    """
    for one in (request, inherited):
        if isinstance(one, Mapping) and "encoding" in one:
            found: Encoding = one["encoding"]
            return found
    own = inherited if isinstance(inherited, Mapping) else request
    method = own.get("method", "GET" if test else "POST")
    return Encoding.QUERY if method in ("GET", "HEAD") else Encoding.FORM


def requests_of(tree: Mapping[str, Any]) -> list[tuple[str, object, Mapping[str, Any] | None]]:
    """Each request of a file with its pointer, and the one that it takes over from."""
    token = tree.get("token")
    requests: list[tuple[str, object, Mapping[str, Any] | None]] = [
        (f"/{name}", tree.get(name), token if name == "refresh" else None) for name in ("token", "refresh", "test")
    ]
    several = len(tree.get("revoke", ())) > 1
    for index, revoke in enumerate(tree.get("revoke", ())):
        requests.append((f"/revoke/{index}" if several else "/revoke", revoke, None))
    for index, challenge in enumerate(tree.get("challenges", ())):
        for key in ("then", "resend"):
            requests.append((f"/challenges/{index}/{key}", challenge.get(key), token))
    for index, before in enumerate((token or {}).get("before", ())):
        requests.append((f"/token/before/{index}", before, None))
    return requests


def judge_authentication(reading: Reading, tree: Mapping[str, Any]) -> None:
    """Refuse a client secret among parameters that travel in the URL."""
    client = tree.get("client", {}).get("authentication", ClientAuthentication.BASIC)
    for pointer, request, inherited in requests_of(tree):
        if not isinstance(request, Mapping):
            continue
        default = ClientAuthentication.NONE if pointer == "/test" else (inherited or {}).get("authentication", client)
        authentication = request.get("authentication", default)
        encoding = effective_encoding(request, inherited, test=pointer == "/test")
        if authentication is ClientAuthentication.POST and encoding is Encoding.QUERY:
            message = "with parameters in the query, authentication post would put the client secret into a URL"
            reading.fault(pointer, Fault.SECRET_IN_URL, message, at_key=True)
