"""A connector file → the model: every error at once, each with its place.

Rule 1: the tables say what a value may look like; what only the whole file can tell, `judges` and this
file do.
Rule 2: either a whole `Connector` comes out, or every finding there is.

Source: the connector format, "Reading, linting, versions".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from keyturn.core.connector import Connector, PasswordKeep
from keyturn.core.reading.build import build, usable_in_refresh
from keyturn.core.reading.codes import Fault
from keyturn.core.reading.document import Document, child_pointer, given_objects, invalid
from keyturn.core.reading.host_rules import judge_hosts
from keyturn.core.reading.judges.before import judge_before
from keyturn.core.reading.judges.bodies import judge_bodies, judge_client_key
from keyturn.core.reading.judges.challenges import judge_challenges, judge_codes, judge_polls, judge_resends
from keyturn.core.reading.judges.refresh import judge_refresh
from keyturn.core.reading.judges.visible_when import judge_visibility
from keyturn.core.reading.keys.address import judge_address_header
from keyturn.core.reading.keys.sessions import judge_session
from keyturn.core.reading.keys.tls import judge_tls
from keyturn.core.reading.names import RESERVED, Kind, Names, collect_names
from keyturn.core.reading.secret_placement import judge_authentication, judge_names
from keyturn.core.reading.shapes import Absent, Cursor, Reading, meant
from keyturn.core.reading.top import CONNECTOR
from keyturn.core.urls.public_suffixes import PublicSuffixes


def read_connector(document: Document, *, suffixes: PublicSuffixes) -> Connector:
    """Read a connector, with every default resolved.

    Args:
        document: the parsed file; without positions, findings have only pointers.
        suffixes: the public suffix list, for hosts with templates and wildcards.

    Raises:
        ConnectorInvalid: `errors` has every finding, in the order of the file.
    """
    reading = Reading(document)
    tree = CONNECTOR.read(Cursor(reading, "", document.value))
    if isinstance(tree, Absent):
        raise invalid(reading.findings)
    names = collect_names(document.value)
    for judge in _JUDGES:
        judge(reading, names, tree)
    insecure_http = tree.get("insecure_http") is True
    judge_hosts(reading, names, insecure_http=insecure_http, suffixes=suffixes)
    if reading.findings:
        raise invalid(reading.findings)
    return build(tree, names)


def _judge_password(reading: Reading, _names: Names, tree: Mapping[str, Any]) -> None:
    password = tree.get("password", {})
    if password.get("keep", PasswordKeep.NEVER) is not PasswordKeep.NEVER and not password.get("reason"):
        message = "keeping the password needs the key “reason”: why, for the person to read"
        reading.fault("/password", Fault.REQUIRED_KEY, message, at_key=True)


_MADE: Final = frozenset({Kind.GENERATED, Kind.REMEMBERED})


def _judge_taken_names(reading: Reading, names: Names, _tree: Mapping[str, Any]) -> None:
    taken: set[str] = set()
    for pointer, key in _named(reading.document):
        if key in RESERVED:
            reading.fault(pointer, Fault.RESERVED_NAME, "the format uses this name itself; take another")
        elif key in taken and not pointer.startswith(("/challenges", "/token/before")):
            reading.fault(pointer, Fault.DUPLICATE, "another field has this key")
        elif key in taken and (names.kinds.get(key) in _MADE or key in names.made_of or key in names.fields):
            reading.fault(pointer, Fault.RESERVED_NAME, "a field or a value that is made has this name; take another")
        taken.add(key)


def _named(document: Document) -> Iterator[tuple[str, str]]:
    for index, one in enumerate(given_objects(document, "fields")):
        if isinstance(one.get("key"), str):
            yield f"/fields/{index}/key", one["key"]
    for made in ("derive", "generate", "remember"):
        given = document.value.get(made) if isinstance(document.value, Mapping) else None
        for key in given if isinstance(given, Mapping) else ():
            yield child_pointer(f"/{made}", key), key
    yield from _captured_before(document)
    for number, challenge in enumerate(given_objects(document, "challenges")):
        start = f"/challenges/{number}"
        asked = challenge.get("ask")
        for index, one in enumerate(asked if isinstance(asked, list) else ()):
            if isinstance(one, Mapping) and isinstance(one.get("key"), str):
                yield f"{start}/ask/{index}/key", one["key"]
        captured = challenge.get("capture")
        for key in captured if isinstance(captured, Mapping) else ():
            yield child_pointer(f"{start}/capture", key), key


def _captured_before(document: Document) -> Iterator[tuple[str, str]]:
    token = document.value.get("token") if isinstance(document.value, Mapping) else None
    before = token.get("before") if isinstance(token, Mapping) else None
    for number, one in enumerate(before if isinstance(before, list) else ()):
        captured = one.get("capture") if isinstance(one, Mapping) else None
        for key in captured if isinstance(captured, Mapping) else ():
            yield child_pointer(f"/token/before/{number}/capture", key), key


def _judge_locked(reading: Reading, _names: Names, tree: Mapping[str, Any]) -> None:
    request = tree.get("request", {})
    places = (request, *request.get("only", ()))
    known = [name.lower() for each in places for part in ("headers", "query", "body") for name in each.get(part, ())]
    for index, name in enumerate(request.get("locked", ())):
        if name.lower() not in [*known, "authorization"]:
            message = f"locked names one of the request's headers, query or body; {meant(name, sorted(known))}"
            reading.fault(f"/request/locked/{index}", Fault.UNKNOWN_NAME, message)


def _judge_base_url(reading: Reading, _names: Names, tree: Mapping[str, Any]) -> None:
    allowed = [
        (index, each.get("url") if isinstance(each, Mapping) else each)
        for index, each in enumerate(tree.get("allowed_urls", ()))
        if not (isinstance(each, Mapping) and each.get("deny"))
    ]
    index, first = next(iter(allowed), (0, None))
    if tree.get("allowed_urls") and not allowed:
        reading.fault("/allowed_urls", Fault.WRONG_VALUE, "expected one URL at least that is allowed, not denied")
    elif first is not None and "*" in first.source and "base_url" not in tree.get("request", {}):
        message = "the first allowed URL has a wildcard and can't be the base of calls; give request.base_url"
        reading.fault(f"/allowed_urls/{index}", Fault.REQUIRED_KEY, message)


def _judge_refresh_url(reading: Reading, names: Names, tree: Mapping[str, Any]) -> None:
    """A renewal takes over the token URL, which must not name what only a login has."""
    refresh, token = tree.get("refresh", {}), tree.get("token", {})
    if isinstance(refresh, str) or "url" in refresh or "url" not in token:
        return
    known = all(names.kind_of(path) for path in token["url"].names())
    if known and not usable_in_refresh(token["url"], names):
        message = "a renewal would use this URL without a value for what is not kept; give refresh.url or refresh: none"
        reading.fault("/token/url", Fault.NAME_NOT_AVAILABLE_HERE, message)


def _judge_placement(reading: Reading, names: Names, tree: Mapping[str, Any]) -> None:
    judge_names(reading, names, tree)
    judge_authentication(reading, tree)


_JUDGES: tuple[Callable[[Reading, Names, Mapping[str, Any]], None], ...] = (
    _judge_password,
    judge_codes,
    _judge_taken_names,
    judge_challenges,
    judge_polls,
    judge_resends,
    judge_visibility,
    judge_before,
    judge_refresh,
    _judge_locked,
    _judge_base_url,
    _judge_refresh_url,
    _judge_placement,
    judge_tls,
    judge_session,
    judge_bodies,
    judge_client_key,
    judge_address_header,
)
