"""Waits: what one account, login or row is told is its own; a host is held once three were told alike."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keyturn.core.errors import ProviderRateLimited
from keyturn.core.renewal.plan import SendOutcome
from keyturn.engine.provider_gate import Asking, ProviderGate, RequestKind
from tests.engine.told import asking, told_to_wait
from tests.fakes.clock import FakeClock

HOST = "auth.acme.example"
KINDS = list(RequestKind)
LOGIN = Asking(HOST, RequestKind.LOGIN, "acme", account="account-1")


def wait_s(gate: ProviderGate, who: Asking) -> float | None:
    """How long it has to wait; None: it may ask."""
    error = gate.refusal(who)
    assert error is None or isinstance(error, ProviderRateLimited)
    return None if error is None else error.retry_after_s


def test_one_login_that_is_told_to_wait_holds_its_account(gate: ProviderGate, clock: FakeClock) -> None:
    """For as long as it was asked, at that host; nobody else, whoever they are (R1)."""
    gate.heard(LOGIN, SendOutcome.RATE_LIMITED, asked_s=3600.0)
    gate.heard(LOGIN, SendOutcome.RATE_LIMITED, asked_s=1.0)

    assert 3600.0 == wait_s(gate, LOGIN)
    others = [replace(LOGIN, account="account-2"), replace(LOGIN, host="other.example")]
    others += [asking(HOST, f"cxn_{kind}", kind) for kind in KINDS]
    assert [None] * 7 == [wait_s(gate, each) for each in others]
    clock.advance(3600.0)
    assert wait_s(gate, LOGIN) is None


def test_logins_that_are_told_to_wait_hold_no_host(gate: ProviderGate) -> None:
    """A hundred accounts, those with the kept password too: who has a link can cause that at will."""
    for number in range(100):
        gate.heard(replace(LOGIN, account=f"a-{number}"), SendOutcome.RATE_LIMITED, asked_s=3600.0)
        kept = asking(HOST, f"cxn_{number}", RequestKind.LOGIN)
        gate.heard(replace(kept, account=f"k-{number}"), SendOutcome.RATE_LIMITED, asked_s=3600.0)

    assert [None] * 5 == [wait_s(gate, asking(HOST, "another", kind)) for kind in KINDS]
    assert wait_s(gate, replace(LOGIN, account="another")) is None


@pytest.mark.parametrize("kind", [RequestKind.REFRESH, RequestKind.REVOKE])
def test_three_that_are_told_to_wait_hold_the_host(gate: ProviderGate, clock: FakeClock, kind: RequestKind) -> None:
    """All of that class, a minute at a time, however long was asked; no other class, and no other host."""
    told_to_wait(gate, HOST, 3600.0, of=2, kind=kind)
    told_to_wait(gate, HOST, 3600.0, of=2, kind=kind)  # the same two
    two = wait_s(gate, asking(HOST, "another", kind))
    told_to_wait(gate, HOST, 3600.0, of=3, kind=kind)

    assert two is None
    assert 60.0 == wait_s(gate, asking(HOST, "another", kind))
    assert [None] * 4 == [wait_s(gate, asking(HOST, "another", each)) for each in KINDS if each is not kind]
    assert wait_s(gate, asking("other.example", "another", kind)) is None
    clock.advance(60.0)
    assert wait_s(gate, asking(HOST, "another", kind)) is None


@pytest.mark.parametrize("kind", [RequestKind.TEST, RequestKind.CALL])
def test_tests_and_calls_hold_nobody(gate: ProviderGate, kind: RequestKind) -> None:
    """However many were told so."""
    told_to_wait(gate, HOST, 3600.0, of=9, kind=kind)

    assert [None] * 5 == [wait_s(gate, asking(HOST, "another", each)) for each in KINDS]


def test_what_was_told_a_minute_ago_is_no_evidence(gate: ProviderGate, clock: FakeClock) -> None:
    """Three within 60 s; and a token of the host's between them begins anew."""
    told_to_wait(gate, HOST, 300.0, of=2)
    clock.advance(60.0)
    gate.heard(asking(HOST, "third"), SendOutcome.RATE_LIMITED, asked_s=300.0)
    late = wait_s(gate, asking(HOST, "another"))
    told_to_wait(gate, HOST, 300.0, of=1)
    gate.heard(asking(HOST, "well"), SendOutcome.TOKEN, asked_s=None)
    gate.heard(asking(HOST, "fourth"), SendOutcome.RATE_LIMITED, asked_s=300.0)

    assert (None, None) == (late, wait_s(gate, asking(HOST, "another")))
    told_to_wait(gate, HOST, 300.0, of=2)
    assert 60.0 == wait_s(gate, asking(HOST, "another"))


async def test_then_one_whose_own_wait_is_over_asks(gate: ProviderGate, clock: FakeClock) -> None:
    """The others wait for what it is told: another wait holds on, a token ends it for all."""
    told_to_wait(gate, HOST, 20.0, of=2)
    gate.heard(asking(HOST, "patient"), SendOutcome.RATE_LIMITED, asked_s=300.0)
    clock.advance(20.0)

    assert 280.0 == wait_s(gate, asking(HOST, "patient"))
    async with gate.place(asking(HOST, "other-1"), on_demand=False):
        assert 1.0 == wait_s(gate, asking(HOST, "another"))
        gate.heard(asking(HOST, "other-1"), SendOutcome.RATE_LIMITED, asked_s=20.0)
    assert 20.0 == wait_s(gate, asking(HOST, "another"))
    clock.advance(20.0)
    async with gate.place(asking(HOST, "another"), on_demand=False):
        gate.heard(asking(HOST, "another"), SendOutcome.REJECTED, asked_s=None)  # says nothing about waits
        assert 1.0 == wait_s(gate, asking(HOST, "yet another"))
        gate.heard(asking(HOST, "another"), SendOutcome.TOKEN, asked_s=None)
    assert [None, None] == [wait_s(gate, asking(HOST, each)) for each in ("yet another", "patient")]


def test_waits_are_over_once_the_host_has_recovered(gate: ProviderGate, clock: FakeClock) -> None:
    """What was told before the token that ended the hold; not what was told where nothing was held."""
    alone = clock.now()
    gate.heard(asking(HOST, "other-0"), SendOutcome.RATE_LIMITED, asked_s=300.0)
    gate.heard(asking(HOST, "well"), SendOutcome.TOKEN, asked_s=None)
    assert not gate.recovered(asking(HOST, "other-0"), alone)
    told_to_wait(gate, HOST, 300.0)
    told_at = clock.now()
    clock.advance(60.0)
    gate.heard(asking(HOST, "well"), SendOutcome.TOKEN, asked_s=None)

    assert gate.recovered(asking(HOST, "other-0"), told_at)
    assert not gate.recovered(asking(HOST, "other-0"), clock.now())
    assert not gate.recovered(asking("other.example", "other-0"), told_at)
    assert not gate.recovered(asking(HOST, "other-0", RequestKind.REVOKE), told_at)
