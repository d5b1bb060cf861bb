"""A filter of connections as conditions on the table's columns.

Rule 1: a condition of a partial index stands in its query word for word; SQLite uses the index only then.
Rule 2: who needs attention is said in `core/renewal/attention.py`; a contract holds that and this together.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Final

import sqlalchemy as sa

from keyturn.adapters.store.database.overview_indexes import ENDING, FAILING, PLAINLY_ACTIVE
from keyturn.adapters.store.database.schema import NOT_ENDED, PARKED, connections, plain
from keyturn.core.connection import ENDED, State
from keyturn.core.errors import RowUnreadable
from keyturn.core.prefixes import ascii_lower
from keyturn.core.renewal.attention import LATE_S, AttentionBounds, Ways
from keyturn.core.renewal.window import EXPIRES_SOON_S, IDLE_AFTER_S
from keyturn.ports.store import ConnectionFilter

_c = connections.c
_ENDED: Final = [each.value for each in ENDED]
STORED: Final = [each.value for each in State if each is not State.UNREADABLE]
_LIVING: Final = [each for each in STORED if each not in _ENDED]
# Rows that were found unreadable; one that nobody has met yet is known as such only once it is read.
_SET_ASIDE: Final = sa.select(_c.id).where(sa.text(PARKED), _c.parked_why == RowUnreadable.code)
_ROW: Final = sa.literal_column("connections.rowid", sa.Integer)
_HELD: Final = sa.case((_c.paused == sa.true(), "paused"), (_c.unconfirmed == sa.true(), "unconfirmed"), else_=_c.state)
# `Connection.shown_state`, of what an index holds.
SHOWN: Final = sa.case(
    (_ROW.in_(_SET_ASIDE.with_only_columns(_ROW)), State.UNREADABLE.value),
    (_c.state.in_(_ENDED), _c.state),
    (_c.state.in_(_LIVING), _HELD),
    else_=State.UNREADABLE.value,
)
LAST: Final = "\U0010ffff"  # no text that begins like another comes after that with this behind it
_PINNED: Final = sa.tuple_(_c.connector, _c.connector_version)
# Nothing is kept that could renew it.
ALONE: Final = sa.and_(
    sa.not_(_c.refreshable), sa.or_(_c.password_kept_at.is_(None), _c.password_rejected == sa.true())
)


def conditions_of(which: ConnectionFilter) -> list[sa.ColumnElement[bool]]:
    """A filter as conditions on the table's columns."""
    conditions: list[sa.ColumnElement[bool]] = []
    if which.connector is not None:
        conditions.append(_c.connector == which.connector)
    if which.owner is not None:
        conditions.append(_c.owner == which.owner)
    if which.connectors is not None:
        conditions.append(_c.connector.in_(sorted(which.connectors)))
    if which.owners is not None:
        conditions.append(_c.owner.in_(sorted(which.owners)))
    if which.not_ended:
        conditions.append(_c.state.not_in(_ENDED))
    if which.state is not None:
        conditions.append(_shown_as(which.state))
    if which.reason is not None:
        conditions.append(_c.reason == which.reason)
    if which.unique_id is not None:
        conditions.append(_c.unique_id == which.unique_id)
    if which.account is not None:
        conditions.append(_c.account == which.account)
    if which.search is not None:
        conditions.append(_c.id.in_(_beginning_with(which.search)))
    return conditions + _what_is_wrong(which)


def _what_is_wrong(which: ConnectionFilter) -> list[sa.ColumnElement[bool]]:
    """Each found by an index of its own, and only what is found is read: these are few among many."""
    found: list[sa.Select[Any] | sa.CompoundSelect[Any]] = []
    if which.error is not None:
        code = sa.func.coalesce(_c.reason, _c.last_error)
        found.append(sa.select(_c.id).where(sa.text(FAILING), code == which.error))
    if which.attention is not None:
        found.append(_needing_attention(which.attention))
    if which.ends_before is not None:
        alone = sa.select(_c.id).where(sa.text(ENDING), _c.state == State.ACTIVE.value, ALONE)
        found.append(alone.where(_c.expires_at < which.ends_before))
    if which.renews_before is not None:
        due = sa.select(_c.id).where(sa.text(f"renews_at IS NOT NULL AND {NOT_ENDED}"))
        found.append(due.where(_c.renews_at < which.renews_before))
    return [_c.id.in_(each) for each in found]


def _beginning_with(text: str) -> sa.CompoundSelect[Any]:
    """The ids of those whose id, owner or name begins so: three ranges of three indexes."""
    lowered = ascii_lower(text)
    ranges = ((_c.id, text), (_c.owner, text), (sa.func.lower(_c.name), lowered))
    return sa.union(*(sa.select(_c.id).where(at >= plain(start), at < plain(start) + LAST) for at, start in ranges))


def _shown_as(state: str) -> sa.ColumnElement[bool]:
    """The condition under which `Connection.shown_state` is this."""
    if state == State.UNREADABLE.value:
        return sa.or_(_c.id.in_(_SET_ASIDE), _c.state.not_in(STORED))
    readable = _c.id.not_in(_SET_ASIDE)
    if state in _ENDED:
        return sa.and_(_c.state == state, readable)
    if state == "paused":
        return sa.and_(_c.state.in_(_LIVING), _c.paused, readable)
    if state == "unconfirmed":
        return sa.and_(_c.state.in_(_LIVING), _c.unconfirmed, sa.not_(_c.paused), readable)
    return sa.and_(_c.state == state, sa.not_(_c.paused), sa.not_(_c.unconfirmed), readable)


def _needing_attention(bounds: AttentionBounds) -> sa.CompoundSelect[Any]:
    """The ids of those for which `needs_attention` holds.

    All but one cause is read from an index alone; since when nobody uses a connection stands only in its row, and is
    read where all the rest of that cause holds.
    """
    late, soon = bounds.now - LATE_S, bounds.now + EXPIRES_SOON_S
    failed = sa.or_(_c.last_error.is_not(None), _c.test_passed == sa.false())
    run_out = sa.and_(_c.expires_at <= late, _c.renews_at <= late)
    alike: dict[Ways, list[tuple[str, int]]] = defaultdict(list)
    for version, ways in bounds.ways.items():
        alike[ways].append(version)
    kinds = [(ways, _PINNED.in_(sorted(versions))) for ways, versions in alike.items()]
    ending = [sa.and_(_ends_soon(ways, bounds.now), of_these) for ways, of_these in kinds]
    left = [sa.and_(_may_be_left(ways, soon), of_these) for ways, of_these in kinds if not ways.keep_alive]
    active = sa.select(_c.id).where(sa.text(PLAINLY_ACTIVE))
    aside = active.where(sa.text(PARKED), _c.parked_why != RowUnreadable.code)
    idle = bounds.now - IDLE_AFTER_S
    unused = sa.and_(_c.created_at < idle, sa.or_(_c.last_used_at.is_(None), _c.last_used_at < idle))
    among = _c.id.in_(active.where(sa.or_(sa.false(), *left)))
    return sa.union(active.where(sa.or_(failed, run_out, *ending)), sa.select(_c.id).where(among, unused), aside)


def _ends_soon(ways: Ways, now: float) -> sa.ColumnElement[bool]:
    """As `ends_soon`, but for what is left to end because nobody uses it."""
    soon = now + EXPIRES_SOON_S
    refresh_ended = sa.and_(_c.refresh_expires_at.is_not(None), _c.refresh_expires_at <= now)
    token_ended = sa.and_(_c.expires_at.is_not(None), _c.expires_at <= now) if ways.with_token else sa.false()
    refresh = _c.refreshable if ways.refresh else sa.false()
    renews = sa.or_(_by_password(ways), sa.and_(refresh, sa.not_(token_ended), sa.not_(refresh_ended)))
    fixed = sa.and_(_c.refresh_end_fixed, _c.refresh_expires_at <= soon, _by_refresh_alone(ways))
    return sa.or_(sa.and_(_c.expires_at <= soon, sa.not_(renews)), fixed)


def _may_be_left(ways: Ways, soon: float) -> sa.ColumnElement[bool]:
    end = _c.expires_at if ways.with_token else _c.refresh_expires_at
    return sa.and_(end <= soon, _by_refresh_alone(ways))


def _by_password(ways: Ways) -> sa.ColumnElement[bool]:
    return sa.and_(_c.password_kept_at.is_not(None), sa.not_(_c.password_rejected)) if ways.password else sa.false()


def _by_refresh_alone(ways: Ways) -> sa.ColumnElement[bool]:
    return sa.and_(_c.refreshable if ways.refresh else sa.false(), sa.not_(_by_password(ways)))
