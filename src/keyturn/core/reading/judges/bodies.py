"""Bodies given as text, and the application's key: what fits together in a request.

Source: the connector format, "Requests"; RFC 7523 for private_key_jwt.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from keyturn.core.connector import ClientAuthentication, Encoding, Strategy
from keyturn.core.reading.codes import Fault
from keyturn.core.reading.names import Names
from keyturn.core.reading.secret_placement import effective_encoding, requests_of
from keyturn.core.reading.shapes import Reading
from keyturn.core.requests.body_text import NotWellFormed, check_xml
from keyturn.core.templates import Template

TEXTUAL: Final = frozenset({Encoding.XML, Encoding.TEXT})
_IN_PARAMETERS: Final = frozenset({ClientAuthentication.POST, ClientAuthentication.PRIVATE_KEY_JWT})
_BY_SECRET: Final = frozenset({ClientAuthentication.POST, ClientAuthentication.BASIC, ClientAuthentication.BASIC_RAW})


def judge_bodies(reading: Reading, _names: Names, tree: Mapping[str, Any]) -> None:
    """Note a body without its encoding, the reverse, and what a body leaves no place for."""
    token = tree.get("token", {})
    for pointer, request, inherited in requests_of(tree):
        if not isinstance(request, Mapping):
            continue
        encoding = effective_encoding(request, inherited, test=pointer == "/test")
        own = request.get("body")
        taken_over = token.get("body") if pointer.startswith("/challenges") else None
        if encoding not in TEXTUAL:
            if own is not None:
                reading.fault(f"{pointer}/body", Fault.CONTRADICTION, "a body goes with encoding xml or text")
            continue
        _judge_textual(reading, pointer, request, body=own or taken_over, unused=_refreshes_never(pointer, request))
        if encoding is Encoding.XML and isinstance(own, Template):
            try:
                check_xml(own)
            except NotWellFormed as error:
                reading.fault(f"{pointer}/body", Fault.WRONG_VALUE, str(error))
    if "refresh" not in tree and isinstance(token, Mapping) and token.get("encoding") in TEXTUAL:
        message = "a renewal has no body; give refresh with its own body or encoding, or refresh: none"
        reading.fault("/token/encoding", Fault.REQUIRED_KEY, message)


def _refreshes_never(pointer: str, request: Mapping[str, Any]) -> bool:
    return pointer == "/refresh" and request.get("strategy") is Strategy.PASSWORD_ONLY


def _judge_textual(reading: Reading, pointer: str, request: Mapping[str, Any], *, body: object, unused: bool) -> None:
    if body is None and not unused:
        message = "encoding xml and text need the key “body”: the text, with templates"
        reading.fault(pointer, Fault.REQUIRED_KEY, message, at_key=True)
    for key in ("params", "extra_params"):
        if request.get(key):
            reading.fault(f"{pointer}/{key}", Fault.CONTRADICTION, "with a body there are no parameters beside it")
    if request.get("method") in ("GET", "HEAD") or (pointer == "/test" and "method" not in request):
        reading.fault(pointer, Fault.CONTRADICTION, "a body needs a method that has one, such as POST", at_key=True)


def judge_client_key(reading: Reading, _names: Names, tree: Mapping[str, Any]) -> None:
    """With private_key_jwt the application's secret is a private key: it signs, and stands in no request."""
    client = tree.get("client", {}).get("authentication", ClientAuthentication.BASIC)
    ways = list(_ways(tree, client))
    for pointer, way, encoding in ways:
        if way in _IN_PARAMETERS and encoding in TEXTUAL:
            message = "a body leaves no place for the application's own parameters; use authentication basic or none"
            reading.fault(pointer, Fault.CONTRADICTION, message, at_key=True)
        if way is ClientAuthentication.PRIVATE_KEY_JWT and encoding is Encoding.QUERY:
            message = "with parameters in the query, authentication private_key_jwt would put its proof into a URL"
            reading.fault(pointer, Fault.SECRET_IN_URL, message, at_key=True)
    if all(way is not ClientAuthentication.PRIVATE_KEY_JWT for _, way, _ in ways):
        return
    for pointer, way, _ in ways:
        if way in _BY_SECRET:
            message = "the application's secret is a private key here, which is sent by no request; use none"
            reading.fault(pointer, Fault.CONTRADICTION, message, at_key=True)
    for placed in reading.templates:
        if "client_secret" in placed.template.names() and not placed.pointer.startswith("/tls/"):
            message = "the application's secret is a private key here, and may stand in no request"
            reading.fault(placed.pointer, Fault.SECRET_NOT_ALLOWED_HERE, message)


def _ways(
    tree: Mapping[str, Any], client: ClientAuthentication
) -> Iterator[tuple[str, ClientAuthentication, Encoding]]:
    """How each request proves the application, and how it travels."""
    for pointer, request, inherited in requests_of(tree):
        if isinstance(request, Mapping):
            default = (
                ClientAuthentication.NONE if pointer == "/test" else (inherited or {}).get("authentication", client)
            )
            encoding = effective_encoding(request, inherited, test=pointer == "/test")
            yield pointer, request.get("authentication", default), encoding
