"""What a log says of a crash: enough to find it, and nothing that it held."""

from __future__ import annotations

from keyturn.core.crashes import MOST_CAUSES, crash_facts

CANARY = "canary-of-a-message"


def _wrong(depth: int) -> None:
    held = CANARY
    if depth == 0:
        raise ValueError(held)
    _wrong(depth - 1)


def _caught(depth: int = 0, *, causes: int = 0) -> Exception:
    try:
        try:
            if causes:
                raise _caught(causes=causes - 1)
            _wrong(depth)
        except Exception as error:
            if causes:
                raise RuntimeError(CANARY) from error
            raise
    except Exception as error:  # noqa: BLE001
        return error
    raise AssertionError


def test_kind_and_places_are_said_and_no_message() -> None:
    """A message may hold a password; the place is what finds the mistake."""
    facts = crash_facts(_caught(2, causes=0))

    assert "ValueError" == facts["error"]
    assert facts["places"][-1].startswith("test_crashes.py:")
    assert facts["places"][-1].endswith(" _wrong")
    assert CANARY not in repr(facts)
    assert "because" not in facts


def test_what_led_to_it_is_said_by_kind() -> None:
    """A chain is told too, up to an end: one that bites its own tail would have none."""
    ring = RuntimeError(CANARY)
    ring.__cause__ = ring

    assert ["ValueError"] == crash_facts(_caught(causes=1))["because"]
    assert ["RuntimeError"] * MOST_CAUSES == crash_facts(ring)["because"]
    assert CANARY not in repr(crash_facts(_caught(causes=3)))


def test_what_was_put_aside_is_not_said() -> None:
    """`from None` says that the first error is no part of the story."""
    try:
        try:
            _wrong(0)
        except ValueError:
            raise KeyError(CANARY) from None
    except KeyError as error:
        found = crash_facts(error)

    assert "because" not in found
