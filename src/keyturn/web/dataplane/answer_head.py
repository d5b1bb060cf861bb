"""The head of an API's answer on its way back to the caller.

Rule 1: the API's answer may not speak as keyturn, nor to a browser about keyturn's own origin.
Rule 2: a name is compared with its underscores read as dashes: some servers and callers do so too.
Rule 3: everything else is handed on as it came: redirects, validators, encodings, ranges, dates.

Not handed on: hop-by-hop headers and those that `Connection` names; `Keyturn-*`, `Set-Cookie`, `Clear-Site-Data`,
`Strict-Transport-Security`, and `Alt-Svc`, which would send the next call to this origin elsewhere.

Source: the threat model, E3 and E5.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from keyturn.web.dataplane.interruption import Ending
from keyturn.web.kit.headers import HOP_BY_HOP, PLAIN_CONNECTION, Headers, named_by_connection

SOURCE: Final = (b"keyturn-source", b"upstream")
_DROPPED: Final = HOP_BY_HOP | {
    b"alt-svc",
    b"clear-site-data",
    b"set-cookie",
    b"set-cookie2",
    b"strict-transport-security",
}
_DROPPED_PREFIX: Final = b"keyturn-"
_WITHOUT_LENGTH: Final = frozenset((204, 304))  # a length there speaks of another answer, or of none

_known: dict[bytes, bool] = {}  # whether a name is dropped; `Connection` is, and tells of others
_MOST_KNOWN: Final = 1024


def handed_on(status: int, received: Sequence[tuple[bytes, bytes]], request_id: bytes) -> Headers:
    """The headers that the caller gets; names of `received` are lower case."""
    headers: Headers = []
    connection: list[bytes] | None = None
    known = _known
    for pair in received:
        dropped = known.get(pair[0])
        if dropped is None:
            dropped = _learn(pair[0])
        if not dropped:
            headers.append(pair)
        elif pair[0] == b"connection" and pair[1] not in PLAIN_CONNECTION:
            connection = [*(connection or []), pair[1]]
    if connection is not None and (named := named_by_connection(connection)):
        headers = [each for each in headers if each[0] not in named]
    if status in _WITHOUT_LENGTH:
        headers = [each for each in headers if each[0] != b"content-length"]
    headers.append(SOURCE)
    headers.append((b"keyturn-request-id", request_id))
    return headers


def ending_of(headers: Headers) -> Ending:
    """What the head of a streamed answer says of its end."""
    ending = Ending.UNKNOWN
    for name, value in headers:
        if name == b"content-type" and value.lower().startswith(b"text/event-stream"):
            return Ending.NEVER
        if name == b"content-length":
            ending = Ending.KNOWN
    return ending


def _learn(name: bytes) -> bool:
    plain = name.replace(b"_", b"-")
    dropped = plain in _DROPPED or plain.startswith(_DROPPED_PREFIX)
    if len(_known) < _MOST_KNOWN:
        _known[name] = dropped
    return dropped
