"""Advice to whoever runs or uses a connector, which changes nothing of what is sent.

Source: the connector format, "retires: {on, source, successor}".
"""

from __future__ import annotations

from datetime import date
from typing import Final

from keyturn.core.reading.codes import Fault
from keyturn.core.reading.shapes import ABSENT, Absent, Cursor, Key, Schema, Table
from keyturn.core.reading.templated import PlainUrl
from keyturn.core.reading.values import as_plain_text

_DAY: Final = r"20[0-9]{2}-[0-1][0-9]-[0-3][0-9]"
_SUCCESSOR: Final = r"[a-z][a-z0-9-]{1,62}"


class _Day:
    """A calendar day, in quotes or not: YAML 1.2 has no dates, and reads one as text."""

    def read(self, at: Cursor) -> object:
        text = as_plain_text(at, "a day such as 2027-01-31", max_length=10)
        if isinstance(text, Absent):
            return ABSENT
        try:
            return date.fromisoformat(text) if len(text) == 10 and text[:2] == "20" else _none(at)
        except ValueError:
            return _none(at)

    def schema(self) -> Schema:
        return {"type": "string", "minLength": 10, "maxLength": 10, "pattern": f"^{_DAY}$"}


def _none(at: Cursor) -> Absent:
    return at.fault(Fault.WRONG_VALUE, "expected a day such as 2027-01-31")


RETIRES: Final = Table(
    "retires",
    (
        Key("on", _Day(), "the day on which the provider ends this way of connecting", required=True),
        Key("source", PlainUrl(), "where the provider says so"),
        Key("successor", PlainUrl(or_id=_SUCCESSOR), "the connector or the URL that takes its place"),
    ),
)
