"""A timeline's records and hours, one after the other."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.core.audit.kinds import RecordKind
from keyturn.core.audit.timeline import TimelineRow, folded, hour_is_of
from keyturn.core.audit_record import AuditRecord
from keyturn.core.observing.call_hour import HOUR_S, CallHour, last_day

HOUR = 500_000 * HOUR_S


def at(seq: int, moment: float) -> tuple[int, AuditRecord]:
    """A record."""
    return seq, AuditRecord(moment, "connection.renewed", "scheduler")


def test_an_hour_stands_where_it_began() -> None:
    """Below what was recorded in it, from its first moment on; above what was recorded before."""
    within, first, before = at(3, HOUR + 1800), at(2, HOUR), at(1, HOUR - 0.1)
    hour, older = CallHour(HOUR, 5, 1), CallHour(HOUR - HOUR_S, 2, 0)

    assert [within, first, hour, before, older] == list(folded([within, first, before], [hour, older]))


def test_records_keep_the_order_of_their_numbers() -> None:
    """Also where two processes' clocks disagree."""
    late, early = at(2, HOUR - 9), at(1, HOUR + 9)

    assert [CallHour(HOUR, 1, 0), late, early] == list(folded([late, early], [CallHour(HOUR, 1, 0)]))


@given(
    st.lists(st.integers(0, 20), max_size=12),
    st.sets(st.integers(0, 4), max_size=5),
    st.integers(1, 5),
)
def test_pages_are_the_whole(moments: list[int], hours: set[int], limit: int) -> None:
    """Whoever goes on after the last record and the last hour that he saw sees all of it, once, in its order."""
    records = [at(seq, each * HOUR_S / 4) for seq, each in reversed(list(enumerate(moments)))]
    counted = [CallHour(each * HOUR_S, 1, 0) for each in sorted(hours, reverse=True)]
    whole, seen = list(folded(records, counted)), list[TimelineRow]()
    while len(seen) < len(whole):
        left = [each for each in records if each not in seen], [each for each in counted if each not in seen]
        seen += islice(folded(*left), limit)

    assert whole == seen


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (None, (True, True)),
        (RecordKind.CALLS, (True, True)),
        (RecordKind.FAILURES, (False, True)),
        (RecordKind.RENEWALS, (False, False)),
        (RecordKind.CHANGES, (False, False)),
    ],
)
def test_of_which_kind_an_hour_is(kind: RecordKind | None, expected: tuple[bool, bool]) -> None:
    """One without and one with a failure."""
    assert expected == (hour_is_of(kind, CallHour(HOUR, 2, 0)), hour_is_of(kind, CallHour(HOUR, 2, 1)))


@pytest.mark.parametrize("now", [HOUR, HOUR + 0.5, HOUR + HOUR_S - 0.1])
def test_the_last_day(now: float) -> None:
    """Twenty-four hours, however far the last of them has got."""
    hours = last_day(now)

    assert (HOUR - 23 * HOUR_S, HOUR, 24) == (hours[0], hours[-1], len(hours))
