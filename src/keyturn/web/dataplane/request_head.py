"""The head of a call as its caller sent it: who asks, how the body is framed, and what may travel on.

Rule 1: one pass over the headers, one look at each name; what a name means is decided once and remembered.
Rule 2: the API gets nothing that is meant for the broker, for one connection, or says where the caller is.
Rule 3: a message whose end two servers could see in two places is refused (RFC 9112 sections 3.2 and 6.1).

Not sent on: what `core/requests/caller_headers.py` lists, and what `Connection` names. `Host` and the framing are made
anew.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from enum import IntEnum
from typing import Any, Final

from keyturn.core.errors import BadRequest
from keyturn.core.requests.caller_headers import is_sent_on
from keyturn.web.kit.admission.credentials import key_among
from keyturn.web.kit.headers import PLAIN_CONNECTION, Headers, named_by_connection

LONGEST_LENGTH: Final = 18  # digits of a Content-Length


class Kind(IntEnum):
    """What becomes of a header."""

    SENT = 0
    DROPPED = 1
    HOST = 2
    AUTHORIZATION = 3
    KEY = 4
    BASE_URL = 5
    CONTENT_LENGTH = 6
    TRANSFER_ENCODING = 7
    CONNECTION = 8
    EXPECT = 9


_SPECIAL: Final = {
    b"host": Kind.HOST,
    b"authorization": Kind.AUTHORIZATION,
    b"keyturn-key": Kind.KEY,
    b"keyturn-base-url": Kind.BASE_URL,
    b"content-length": Kind.CONTENT_LENGTH,
    b"transfer-encoding": Kind.TRANSFER_ENCODING,
    b"connection": Kind.CONNECTION,
    b"expect": Kind.EXPECT,
}
_known: dict[bytes, Kind] = {}
_MOST_KNOWN: Final = 1024  # a caller that invents names costs time, not memory


class RequestHead:
    """What one pass over a call's headers finds."""

    __slots__ = ("base_url", "chunked", "content_length", "expects_continue", "fault", "key", "sent")

    def __init__(self) -> None:
        self.key: str | None = None
        self.base_url: str | None = None
        self.content_length: int | None = None
        self.chunked = False
        self.expects_continue = False
        self.fault: str | None = None
        self.sent: Headers = []

    @property
    def has_body(self) -> bool:
        """Whether a body follows that is not empty by its own word."""
        return self.chunked or bool(self.content_length)

    def refuse_doubtful(self) -> None:
        """Raise BadRequest where the message can be read in two ways."""
        if self.fault is not None:
            raise BadRequest(self.fault)


def read_head(scope: MutableMapping[str, Any]) -> RequestHead:
    """Read the head of a call; never raises. `fault` says what makes it doubtful."""
    head = RequestHead()
    sent, known = head.sent, _known
    special: list[tuple[Kind, bytes]] = []
    for pair in scope["headers"]:
        kind = known.get(pair[0])
        if kind is None:
            kind = _learn(pair[0])
        if not kind:
            sent.append(pair)
        elif kind != 1:
            special.append((kind, pair[1]))
    _read_special(head, special, scope["http_version"])
    return head


def _learn(name: bytes) -> Kind:
    kind = _kind_of(name.lower())
    if len(_known) < _MOST_KNOWN:
        _known[name] = kind
    return kind


def _kind_of(name: bytes) -> Kind:
    if name in _SPECIAL:
        return _SPECIAL[name]
    return Kind.SENT if is_sent_on(name) else Kind.DROPPED


def _read_special(head: RequestHead, special: list[tuple[Kind, bytes]], http_version: str) -> None:
    hosts = lengths = codings = 0
    own: list[bytes] = []
    authorization: list[bytes] = []
    connection: list[bytes] = []
    for kind, value in special:
        if kind == Kind.HOST:
            hosts += 1
        elif kind == Kind.AUTHORIZATION:
            authorization.append(value)
        elif kind == Kind.KEY:
            own.append(value)
        elif kind == Kind.CONTENT_LENGTH:
            lengths += 1
            if value.isdigit() and len(value) <= LONGEST_LENGTH:
                head.content_length = int(value)
            else:
                head.fault = "The Content-Length is no number."
        elif kind == Kind.TRANSFER_ENCODING:
            codings += 1
            head.chunked = True
            if value.strip().lower() != b"chunked":
                head.fault = "The only Transfer-Encoding that is read here is chunked."
        elif kind == Kind.CONNECTION:
            if value not in PLAIN_CONNECTION:
                connection.append(value)
        elif kind == Kind.EXPECT:
            if value.lower() == b"100-continue":
                head.expects_continue = True
        elif kind == Kind.BASE_URL:
            head.base_url = value.decode("utf-8", "surrogateescape") if head.base_url is None else ""
    head.key = key_among(own, authorization)
    if hosts != 1:
        head.fault = "A call has one Host header."
    elif lengths + codings > 1:
        head.fault = "The body's length is given twice."
    elif codings and http_version == "1.0":
        head.fault = "HTTP/1.0 has no Transfer-Encoding."
    if connection:
        _drop_named(head, connection)


def _drop_named(head: RequestHead, connection: list[bytes]) -> None:
    named = named_by_connection(connection)
    head.sent[:] = [each for each in head.sent if each[0] not in named]
