"""The key `session`: how many sessions a provider allows one account, and who makes room for another.

Source: the connector format, "session"; the 72 providers, requirement 61.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from keyturn.core.reading.codes import Fault
from keyturn.core.reading.names import Names
from keyturn.core.reading.shapes import Key, Reading, Table
from keyturn.core.reading.values import Boolean, Whole

MOST_SESSIONS: Final = 100

SESSION: Final = Table(
    "session",
    (
        Key(
            "logout_first",
            Boolean(),
            "a new login ends no old session: where no room is left, the connection's own is ended before it logs in",
            default=False,
        ),
        Key("limit", Whole(1, MOST_SESSIONS), "how many sessions one account may have at once"),
    ),
)


def judge_session(reading: Reading, _names: Names, tree: Mapping[str, Any]) -> None:
    """One that says neither means nothing."""
    given, document = tree.get("session"), reading.document.value
    if given is None or not isinstance(document, Mapping):
        return
    # What is wrong is said already, and is not missing as well.
    if document["session"].get("limit") is None and document["session"].get("logout_first") in (None, False):
        reading.fault("/session", Fault.REQUIRED_KEY, "session needs “limit”, or “logout_first: true”", at_key=True)
