"""A connection as columns, one for each attribute; nothing sealed is touched here.

Rule: a row that can't be read is an error of this row alone, whatever stands in it: damage, or a newer release's words.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, Final

import sqlalchemy as sa

from keyturn.adapters.store.database.schema import connections
from keyturn.adapters.store.rows.plain_columns import json_of, mapping_in, texts_in
from keyturn.core.connection import Connection, Intent, IntentKind, State, TestRecord, looked_at_next
from keyturn.core.errors import RowUnreadable

_SEALED: Final = frozenset(
    column.name
    for column in connections.c
    if column.name != "sealed_field_names" and (column.name.startswith("sealed_") or column.name.endswith("_key"))
)
# Read by statements of their own, never off a row.
_APART: Final = frozenset({"unique_hash", "look_at", "lease_holder", "lease_until"})


def _as_it_is(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """A column's value as it is stored: what makes another of it could fail, and with it all rows of a query."""
    return sa.type_coerce(column, sa.types.NullType()).label(column.name)


# What a read needs that opens nothing.
PLAIN: Final = tuple(_as_it_is(each) for each in connections.c if each.name not in _SEALED | _APART)
WITH_SEALED: Final = (*PLAIN, *(_as_it_is(each) for each in connections.c if each.name in _SEALED))


def _intent_columns(intent: Intent | None) -> dict[str, Any]:
    return {
        "intent_kind": intent.kind.value if intent else None,
        "intent_generation": intent.generation if intent else None,
        "intent_attempt": intent.attempt if intent else None,
        "intent_sent_at": intent.sent_at if intent else None,
        "intent_tries": intent.tries if intent else None,
        "intent_last_resort": intent.last_resort if intent else None,
    }


def _test_columns(test: TestRecord | None) -> dict[str, Any]:
    return {
        "test_at": test.at if test else None,
        "test_passed": test.passed if test else None,
        "test_status": test.status if test else None,
        "test_code": test.code if test else None,
        "test_cause": test.cause if test else None,
    }


# How an attribute is written that is not one column of its own name and value.
_WRITTEN: Final[Mapping[str, Callable[[Any], dict[str, Any]]]] = {
    "state": lambda state: {"state": state.value},
    "unique": lambda unique: {"is_unique": unique},
    "fields": lambda fields: {"fields": json_of(fields)},
    "sealed_fields": lambda names: {"sealed_field_names": json_of(names)},
    "hosts": lambda hosts: {"hosts": json_of(hosts)},
    "last_answer": lambda answer: {"last_answer": json_of(answer) if answer else None},
    "revocation": lambda told: {"revocation": json_of(told)},
    "intent": _intent_columns,
    "last_test": _test_columns,
}
_ATTRIBUTES: Final = tuple(Connection.__dataclass_fields__)
_values_of = attrgetter(*_ATTRIBUTES)


def _columns_for(attribute: str, value: Any) -> dict[str, Any]:
    written = _WRITTEN.get(attribute)
    return {attribute: value} if written is None else written(value)


def columns_of(connection: Connection) -> dict[str, Any]:
    """Write everything but the hash of the account and the sealed parts."""
    columns: dict[str, Any] = {"look_at": looked_at_next(connection)}
    for attribute, value in zip(_ATTRIBUTES, _values_of(connection), strict=True):
        columns |= _columns_for(attribute, value)
    return columns


def columns_that_differ(before: Connection, after: Connection) -> dict[str, Any]:
    """The columns of the attributes in which both differ, as they are after: a part of `columns_of(after)`."""
    columns: dict[str, Any] = {}
    for attribute, old, new in zip(_ATTRIBUTES, _values_of(before), _values_of(after), strict=True):
        if old is not new and (
            old != new or isinstance(new, Mapping)
        ):  # mappings: 1 and true are equal, their JSON not
            columns |= _columns_for(attribute, new)
    look_at = looked_at_next(after)
    return columns if look_at == looked_at_next(before) else {**columns, "look_at": look_at}


def connection_in(row: sa.Row[Any]) -> Connection:
    """Read a row that has at least the columns in `PLAIN`.

    Raises:
        RowUnreadable: it says what keyturn never writes there. The message names the column, not what stands in it.
    """
    found = row._asdict()
    for name, good, may_be_empty in _CHECKS:
        value = found[name]
        if not may_be_empty if value is None else not good(value):
            raise unreadable(name)
    parts: dict[str, Any] = {name: found[name] for name in _AS_THEY_ARE}
    return Connection(
        **(parts | {name: bool(found[name]) for name in _FLAGS}),
        state=_part("state", _state, found["state"]),
        unique=bool(found["is_unique"]),
        fields=_part("fields", mapping_in, found["fields"]),
        sealed_fields=_part("sealed_field_names", texts_in, found["sealed_field_names"]),
        hosts=_part("hosts", texts_in, found["hosts"]),
        last_answer=_part("last_answer", mapping_in, found["last_answer"]) if found["last_answer"] else {},
        revocation=_part("revocation", _revocation, found["revocation"]),
        intent=_intent(found),
        last_test=_test(found),
    )


def shown_in(row: sa.Row[Any]) -> Connection:
    """Read a row for a list: of one that can't be read what can, with the state `unreadable`."""
    try:
        return connection_in(row)
    except RowUnreadable:
        return _what_can_be_read(row._asdict())


def unreadable(part: str) -> RowUnreadable:
    """The error of a row; `part`: the column."""
    return RowUnreadable(f"the row can't be read: {part}")


def _what_can_be_read(found: Mapping[str, Any]) -> Connection:
    """Whose it is and how it is called; nothing that something could be done by."""
    parts: dict[str, Any] = {
        "state": State.UNREADABLE,
        "reason": RowUnreadable.code,
        "unique": found["is_unique"] != 0,
    }
    parts |= {name: _shown_text(found[name]) for name in ("id", "project", "connector", "owner", "name", "unique_id")}
    parts |= {name: found[name] if _is_number(found[name]) else 0 for name in _COUNTS}
    parts |= {name: found[name] if _is_time(found[name]) else 0.0 for name in ("created_at", "updated_at")}
    return Connection(**parts)


def _shown_text(value: Any) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "replace") if isinstance(value, bytes) else ""


def _part(name: str, read: Callable[[Any], Any], value: Any) -> Any:
    try:
        return read(value)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise unreadable(name) from None


def _state(word: str) -> State:
    state = State(word)
    if state is State.UNREADABLE:
        raise ValueError  # what is shown of a row stands in none
    return state


def _revocation(text: str) -> Mapping[str, Any]:
    """What pages and answers go into has to be what they take it for."""
    found = mapping_in(text)
    until, requests = found.get("kept_until"), found.get("requests", [])
    if not isinstance(found.get("kept", []), list) or not (until is None or _is_time(until)):
        raise ValueError
    if not isinstance(requests, list) or not all(isinstance(each, dict) for each in requests):
        raise ValueError
    return found


def _intent(found: Mapping[str, Any]) -> Intent | None:
    if found["intent_kind"] is None:
        return None
    for name in ("intent_generation", "intent_attempt", "intent_sent_at", "intent_tries"):
        if found[name] is None:
            raise unreadable(name)
    return Intent(
        kind=_part("intent_kind", IntentKind, found["intent_kind"]),
        generation=found["intent_generation"],
        attempt=found["intent_attempt"],
        sent_at=found["intent_sent_at"],
        tries=found["intent_tries"],
        last_resort=bool(found["intent_last_resort"]),
    )


def _test(found: Mapping[str, Any]) -> TestRecord | None:
    if found["test_at"] is None:
        return None
    if found["test_passed"] is None:
        raise unreadable("test_passed")
    return TestRecord(
        found["test_at"], bool(found["test_passed"]), found["test_status"], found["test_code"], found["test_cause"]
    )


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int)


def _is_time(value: Any) -> bool:
    return isinstance(value, float | int) and math.isfinite(value)


def _is_flag(value: Any) -> bool:
    return isinstance(value, int) and value in (0, 1)


def _check_of(column: sa.Column[Any]) -> Callable[[Any], bool]:
    if isinstance(column.type, sa.Boolean):
        return _is_flag
    if isinstance(column.type, sa.Integer):
        return _is_number
    return _is_time if isinstance(column.type, sa.Float) else _is_text


_COUNTS: Final = ("connector_version", "revision", "generation")
_READ: Final = tuple(each for each in connections.c if each.name not in _SEALED | _APART)
_CHECKS: Final = tuple((each.name, _check_of(each), bool(each.nullable)) for each in _READ)
_FLAGS: Final = tuple(each.name for each in _READ if each.name in _ATTRIBUTES and _check_of(each) is _is_flag)
_JSON: Final = frozenset({"state", "fields", "hosts", "revocation", "last_answer"})
_AS_THEY_ARE: Final = tuple(
    each.name for each in _READ if each.name in _ATTRIBUTES and each.name not in _JSON and each.name not in _FLAGS
)
