"""What a disconnect says of telling the provider: one summary over all token sets of the connection.

Rule 1: state and summary tell the same: while a token set is open the result is none of an end.
Rule 2: a set that was given up stays in it: what came of another does not cover it.

`sets`: how each set that is through has ended, where there is more than one to tell of.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from keyturn.core.connector import Connector
from keyturn.core.revocation import Revocation
from keyturn.engine.revocation.sends import kinds_of, of_several

PENDING: Final = "pending"
RETRYING: Final = "retrying"
DONE: Final = "done"
GIVEN_UP: Final = "given_up"
NOT_POSSIBLE: Final = "not_possible"
_WORST_FIRST: Final = (GIVEN_UP, NOT_POSSIBLE, DONE)


def outcome_of(row: Revocation, left: Mapping[str, str], *, result: str) -> dict[str, Any]:
    """What came of one token set. `left`: what was tried and is not done, each with its code."""
    revoked = kinds_of(row.done)
    found: dict[str, Any] = {"result": result, "tries": row.tries, "revoked": revoked}
    if of_several((*row.done, *left)):
        done = [{"request": name, "result": DONE} for name in row.done]
        found["requests"] = done + [{"request": name, "result": result, "error": code} for name, code in left.items()]
    if row.last_error is not None:
        found["last_error"] = row.last_error
    if result != DONE:
        found["left"] = [kind for kind in _kinds(row) if kind not in revoked]
    return found


def open_outcome(row: Revocation, left: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The same of one that is still to be told of."""
    return outcome_of(row, left or {}, result=RETRYING if row.tries else PENDING)


def unreadable_outcome(code: str) -> dict[str, Any]:
    """The same of one whose tokens can't be opened, so that nobody can tell the provider."""
    return {"result": NOT_POSSIBLE, "tries": 0, "revoked": [], "last_error": code}


def summary_of(
    ended: Sequence[Mapping[str, Any]], still: Sequence[Mapping[str, Any]], rows: Iterable[Revocation]
) -> dict[str, Any]:
    """All of them as one.

    Args:
        ended: those that are through, in the order in which they were.
        still: those that are not; the one that was tried last comes first.
        rows: the rows of `still`.
    """
    every = [*still, *reversed(ended)]
    open_kinds = {kind for each in every for kind in each.get("left", ())}
    revoked = dict.fromkeys(kind for each in every for kind in each["revoked"] if kind not in open_kinds)
    found: dict[str, Any] = {
        "result": _result(ended, still),
        "tries": max((int(each["tries"]) for each in every), default=0),
        "revoked": list(revoked),
    }
    if requests := [one for each in every for one in each.get("requests", ())]:
        found["requests"] = requests
    telling = [each for each in every if each["result"] != DONE]
    if errors := [each["last_error"] for each in telling if "last_error" in each]:
        found["last_error"] = errors[0]
    if ended and (still or len(ended) > 1):
        found["sets"] = [dict(each) for each in ended]
    return {**found, **_kept(rows)} if still else found


def ended_in(summary: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Those of an earlier summary that were through."""
    return list(summary.get("sets", ()))


def nothing_to_revoke(connector: Connector | None) -> dict[str, Any]:
    """What a disconnect says where no request is made."""
    supported = connector is not None and bool(connector.revokes)
    return {"result": "nothing_to_revoke" if supported else "not_supported", "tries": 0, "revoked": []}


def pending(rows: Sequence[Revocation]) -> dict[str, Any]:
    """What a disconnect says before anything was tried of it."""
    return summary_of((), [open_outcome(each) for each in rows], rows)


def _result(ended: Sequence[Mapping[str, Any]], still: Sequence[Mapping[str, Any]]) -> str:
    if still:
        return RETRYING if any(each["result"] == RETRYING for each in still) else PENDING
    results = {each["result"] for each in ended}
    return next((each for each in _WORST_FIRST if each in results), DONE)


def _kept(rows: Iterable[Revocation]) -> dict[str, Any]:
    """Which tokens are still held, sealed, and until when at most (Unix seconds)."""
    rows = tuple(rows)
    kinds = dict.fromkeys(kind for row in rows for kind in ("access_token", "refresh_token") if kind in _kinds(row))
    return {"kept": list(kinds), "kept_until": max((row.give_up_at for row in rows), default=0.0)}


def _kinds(row: Revocation) -> list[str]:
    tokens = {"refresh_token": row.token_set.refresh_token, "access_token": row.token_set.access_token}
    return [kind for kind, token in tokens.items() if token]
