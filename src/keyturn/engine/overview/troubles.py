"""Connectors whose set-up is wrong: the person can do nothing there, an operator or the author can.

Rule 1: it is told by the records of the sends that ended so, until something shows that it is over.
Rule 2: what shows that it is over has to be able to: a renewal asks nobody for an account's id.
Rule 3: a client that was never set is told before anybody tries.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from keyturn.core.connector import ClientAuthentication, Connector
from keyturn.ports.overview import Tally, Trouble

LOOK_BACK_S: Final = 7 * 86_400.0
CLIENT_MISSING: Final = "connector_client_missing"
UNIQUE_ID: Final = "unique_id_missing"
RENEWED: Final = "connection.renewed"
_BY_SIGNING_IN: Final = ("connection.created", "connection.reconnected")
_BY_AUTHOR: Final = ("connector.published", "connector.corrected")
_ALL: Final = (*_BY_SIGNING_IN, *_BY_AUTHOR, "connector.client_set")


def open_troubles(
    found: Sequence[Trouble], mended: Mapping[tuple[str, str], float], tallies: Sequence[Tally]
) -> tuple[Trouble, ...]:
    """Those that nothing has ended since they came last.

    Args:
        found: all that were recorded.
        mended: when each thing that may end them was recorded last.
        tallies: renewals by step; one that worked in a step that begins later ends what a renewal can end.
    """
    renewed: dict[str, float] = {}
    for each in tallies:
        if each.action == RENEWED:
            renewed[each.connector] = max(each.start, renewed.get(each.connector, each.start))
    return tuple(each for each in found if _last_end(each, mended, renewed) <= each.last)


def needs_client(connector: Connector, *, client_set: bool) -> bool:
    """Whether nobody can connect because the application at the provider was never entered."""
    return not client_set and connector.client_authentication is not ClientAuthentication.NONE


def _last_end(trouble: Trouble, mended: Mapping[tuple[str, str], float], renewed: Mapping[str, float]) -> float:
    only = trouble.code == UNIQUE_ID
    ends = (*_BY_SIGNING_IN, *_BY_AUTHOR) if only else _ALL
    times = [mended.get((trouble.connector, action), 0.0) for action in ends]
    return max(*times, 0.0 if only else renewed.get(trouble.connector, 0.0))
