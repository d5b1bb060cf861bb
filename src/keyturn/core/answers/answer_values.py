"""Where a value of an answer stands, and whether an answer is meant by a condition.

Rule 1: a place is a JMESPath on the body, `header:NAME`, `cookie:NAME`, or `@` for the whole body.
Rule 2: nothing here raises, whatever the answer holds; a place that leads nowhere gives None.
Rule 3: a condition on a body that cannot be read does not hold, however it is worded: "no token in it" must not
be true of a gateway's error page.

Sources: the connector format, "Requests"; the token-response contract; RFC 6265 §5.2 and §5.3 for cookies.
"""

from __future__ import annotations

import re
from typing import Any, Final

from keyturn.core.answers.answer_body import Body
from keyturn.core.answers.json_query import is_true, query
from keyturn.core.answers.lifetimes import parse_http_date
from keyturn.core.connector import When
from keyturn.core.format.patterns import PatternError, found_in
from keyturn.core.messages import Answer

_HEADER: Final = "header:"
_COOKIE: Final = "cookie:"
_BLANKS: Final = " \t"
_MAX_AGE: Final = re.compile(r"-?[0-9]+")


def extract(where: str, answer: Answer, body: Body) -> Any:
    """Return what stands at a place of the answer, None where it leads nowhere.

    A header that was sent several times with different values is nowhere: which one is meant cannot be told.
    """
    if where.startswith(_HEADER):
        values = {value.strip(_BLANKS) for value in answer.all_values(where.removeprefix(_HEADER).strip())}
        return values.pop() if len(values) == 1 else None
    if where.startswith(_COOKIE):
        return _cookie(where.removeprefix(_COOKIE).strip(), answer)
    return query(where, body.value) if body.readable else None


def matches(when: When, answer: Answer, body: Body) -> bool:
    """Say whether all parts of a condition hold: the status is listed, the body's JMESPath is true, headers match."""
    if when.status and answer.status not in when.status:
        return False
    if not all(_header_matches(name, pattern, answer) for name, pattern in when.header.items()):
        return False
    return when.body is None or (body.readable and is_true(query(when.body, body.value)))


def _header_matches(name: str, pattern: str, answer: Answer) -> bool:
    try:
        return any(found_in(pattern, value) for value in answer.all_values(name))
    except PatternError:
        return False


def _cookie(name: str, answer: Answer) -> str | None:
    """The value that a browser would hold after this answer: the last one set counts, and a deleted one is none."""
    found = None
    for header in answer.all_values("set-cookie"):
        pair, *attributes = header.split(";")
        key, equals, value = pair.partition("=")
        if not equals or key.strip(_BLANKS) != name:
            continue
        value = value.strip(_BLANKS)
        if len(value) >= 2 and value[0] == value[-1] == '"':
            value = value[1:-1]
        found = value if value and not _deleted(attributes, answer.received_at) else None
    return found


def _deleted(attributes: list[str], now: float) -> bool:
    gone_by_age: bool | None = None
    gone_by_date = False
    for attribute in attributes:
        key, _, value = attribute.partition("=")
        match key.strip(_BLANKS).lower():
            case "max-age" if _MAX_AGE.fullmatch(value.strip(_BLANKS)):
                digits = value.strip(_BLANKS)  # not as an integer: there may be thousands
                gone_by_age = digits.startswith("-") or not digits.strip("0")
            case "expires":
                instant = parse_http_date(value.strip(_BLANKS + '"'))
                gone_by_date = gone_by_date if instant is None else instant <= now
    return gone_by_date if gone_by_age is None else gone_by_age  # Max-Age wins (RFC 6265 §5.3)
