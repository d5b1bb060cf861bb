"""The encoding under the MAC: vectors, and that no two records give the same bytes."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

from hypothesis import given
from hypothesis import strategies as st

from keyturn.core.audit.chain import START, canonical_facts, encoded, mac_of, microseconds, subject_mac
from keyturn.core.audit.checkpoint import Checkpoint, Kind, checkpoint_in, precise_time, seconds_in
from keyturn.core.audit_record import AuditRecord

KEY = bytes(range(32))
SUBJECT = f"sub_{'0' * 32}"
FIRST = AuditRecord(
    1_700_000_000.125, "connection.renewed", "key:1", "provider_timeout", "acme", "cxn_1", None, "req_1",
    {"generation": 2},
)  # fmt: skip
ENCODED = (
    "01" "01" "0000000000000001" "31"  # version, then the number
    "01" "0000000000000020" + "00" * 32 +  # the MAC before
    "01" "0000000000000007" "64656661756c74"  # project
    "01" "0000000000000010" "31373030303030303030313235303030"  # microseconds
    "01" "0000000000000012" "636f6e6e656374696f6e2e72656e65776564"  # action
    "01" "0000000000000005" "6b65793a31"  # actor
    "01" "0000000000000010" "70726f76696465725f74696d656f7574"  # outcome
    "01" "0000000000000004" "61636d65"  # connector
    "01" "0000000000000005" "63786e5f31"  # connection
    "01" "0000000000000024" "7375625f" + "30" * 32 +  # subject
    "01" "0000000000000005" "7265715f31"  # request id
    "01" "0000000000000010" "7b2267656e65726174696f6e223a327d"  # facts
)  # fmt: skip
MACS = (
    "9666f47a7cf7b15d78994edad9db356b78e4c55b4825dc81df4318847ad70b25",
    "66506fba40e74ddb0676f418a4262a310d96d7c1b26871bc781be6661f4373fd",
)
TIE = "9088b6387441e65ea175ecf8f8daa8423ed758755ee9674ea18b45743a5e6ffa"

texts = st.text(max_size=6)
maybe = st.none() | texts
records = st.builds(
    AuditRecord,
    at=st.integers(0, 4_000_000_000_000_000).map(lambda us: us / 1_000_000),
    action=texts, actor=texts, outcome=texts, connector=maybe, connection=maybe, request_id=maybe, project=texts,
)  # fmt: skip
placed = st.tuples(st.integers(1, 2**63 - 1), st.binary(min_size=32, max_size=32), records, maybe, texts)


def test_the_vectors() -> None:
    """Whoever computes it elsewhere comes to these bytes and MACs."""
    facts = canonical_facts(FIRST.facts)
    first = mac_of(KEY, 1, START, FIRST, SUBJECT, facts)
    second = mac_of(KEY, 2, first, AuditRecord(1_700_000_001, "ü", "scheduler"), None, "{}")

    assert ENCODED == encoded(1, START, FIRST, SUBJECT, facts).hex()
    assert MACS == (first.hex(), second.hex())
    assert TIE == subject_mac(KEY, SUBJECT, "default", "user-42").hex()


@given(one=placed, other=placed)
def test_no_two_records_give_the_same_bytes(
    one: tuple[int, bytes, AuditRecord, str | None, str], other: tuple[int, bytes, AuditRecord, str | None, str]
) -> None:
    """Neither by absent parts nor by moving text from one part into the next."""
    assert (encoded(*one) == encoded(*other)) == (one == other)


@given(record=records, text=st.text(min_size=1, max_size=4))
def test_text_does_not_move_between_parts(record: AuditRecord, text: str) -> None:
    """What is cut from one end and put at the next is another record; absent is not empty."""
    moved = replace(record, action=record.action + text), replace(record, actor=text + record.actor)
    absent = replace(record, connector=None), replace(record, connector="")

    for a, b in (moved, absent):
        assert encoded(1, START, a, None, "{}") != encoded(1, START, b, None, "{}")


@given(at=st.floats(0, 4_000_000_000))
def test_an_exported_time_gives_the_same_microseconds(at: float) -> None:
    """Else an exported record, or a signed head, could not be checked."""
    assert microseconds(at) == microseconds(seconds_in(precise_time(at)))


def test_facts_have_one_text() -> None:
    """Whatever order they are in, and however they are kept from being changed."""
    facts = {"b": MappingProxyType({"d": 1, "c": (1, None)}), "a": frozenset({"y", "x"})}

    assert '{"a":["x","y"],"b":{"c":[1,null],"d":1}}' == canonical_facts(facts)


@given(at=st.floats(0, 4_000_000_000), seq=st.integers(0, 2**63 - 1), kind=st.sampled_from(Kind))
def test_a_checkpoint_comes_back_as_it_was_signed(at: float, seq: int, kind: Kind) -> None:
    """By way of its JSON."""
    mac = bytes(16 if kind is Kind.ROUTINE_HEAD else 32)
    made = Checkpoint(kind, seq, mac, at, 3 if kind is Kind.EXPORT else 0, b"", b"p" * 32, b"s" * 64)

    assert made.signed_text() == checkpoint_in(made.as_json()).signed_text()
