"""An export is held against its signed end, line by line."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from keyturn.core.audit.chain import START, Entry, canonical_facts, mac_of
from keyturn.core.audit.checkpoint import Checkpoint, Kind
from keyturn.core.audit.exported import ExportSum, check_export, entry_line
from keyturn.core.audit_record import AuditRecord

KEY = bytes(32)


def export(kind: Kind = Kind.EXPORT) -> list[bytes]:
    """Four records and their checkpoint."""
    lines, previous, added = [], START, ExportSum()
    for seq in range(1, 5):
        record = AuditRecord(seq + 0.5, f"a.{seq}", "key:1", owner="owner-1")
        mac = mac_of(KEY, seq, previous, record, "sub_1", canonical_facts({}))
        lines.append(entry_line(Entry(seq, record, "sub_1", "{}", previous, mac)))
        added.add(lines[-1])
        previous = mac
    end = Checkpoint(kind, 4, previous, 9.0, added.entries, added.digest, b"p" * 32, b"s" * 64)
    return [*lines, end.line().encode()]


def test_a_whole_export() -> None:
    """It is right if its end was signed; nobody is named in it."""
    lines = export()
    checkpoint, entries, fault = check_export(lines, lambda each: each.signature == b"s" * 64)

    assert (4, None) == (entries, fault)
    assert checkpoint is not None
    assert b"owner-1" not in b"".join(lines)


@pytest.mark.parametrize(
    ("change", "seq", "what"),
    [
        pytest.param(lambda x: [x[0], x[1].replace(b"a.2", b"a.x"), *x[2:]], 4, "digest_differs", id="changed"),
        pytest.param(lambda x: [*x[:2], *x[3:]], 4, "digest_differs", id="taken out"),
        pytest.param(lambda x: x[1:], 4, "digest_differs", id="the first taken out"),
        pytest.param(lambda x: [x[0], x[2], x[1], *x[3:]], 2, "out_of_order", id="swapped"),
        pytest.param(lambda x: [x[0], x[1], x[1], *x[2:]], 2, "out_of_order", id="twice"),
        pytest.param(
            lambda x: [x[0], x[1].replace(b'"previous":"', b'"previous":"0'), *x[2:]], 2, "unlinked", id="unlinked"
        ),
        pytest.param(lambda x: x[:-1], 5, "no_checkpoint", id="broken off"),
        pytest.param(lambda x: [*x, x[0]], 6, "after_the_end", id="more after the end"),
        pytest.param(lambda x: [x[0], b"{\n", *x[1:]], 2, "unreadable", id="no JSON"),
        pytest.param(lambda x: [b"[]\n"], 1, "unreadable", id="no record"),
        pytest.param(lambda x: [], 1, "no_checkpoint", id="empty"),
        pytest.param(lambda x: [*x[:4], export(Kind.HEAD)[4]], 4, "not_signed", id="a head is no end of an export"),
    ],
)
def test_what_is_wrong_is_named(change: Callable[[list[bytes]], list[bytes]], seq: int, what: str) -> None:
    """By the record's number, or the line's where there is none."""
    _, _, fault = check_export(change(export()), lambda each: True)

    assert fault is not None
    assert (seq, what) == (fault.seq, fault.what)


def test_an_end_that_another_signed() -> None:
    """The digest alone proves nothing: anybody can add it up."""
    _, _, fault = check_export(export(), lambda each: False)

    assert fault is not None
    assert "not_signed" == fault.what
