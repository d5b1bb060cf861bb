"""Alarms: a connector's set-up is refused for several alike; one connection goes on asking, and a token ends it."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from keyturn.core.errors import ConnectorClientRejected, GrantDisabled, ScopeInsufficient
from keyturn.core.renewal.plan import SendOutcome
from keyturn.engine.provider_gate import Asking, ProviderGate, RequestKind
from tests.engine.told import set_up_refused
from tests.fakes.clock import FakeClock

REJECTED, SCOPE = ConnectorClientRejected.code, ScopeInsufficient.code
ONE = Asking("auth.acme.example", RequestKind.REFRESH, "acme", "cxn_1", client="1 client")
TWO, THREE, FOUR = replace(ONE, connection="cxn_2"), replace(ONE, connection="cxn_3"), replace(ONE, connection="cxn_4")


def refused(gate: ProviderGate, *those: Asking, code: str = REJECTED) -> None:
    """Let these be refused."""
    outcome = SendOutcome.SCOPE_REFUSED if code == SCOPE else SendOutcome.SETUP_WRONG
    for each in those:
        gate.heard(each, outcome, code=code, asked_s=None)


def token(gate: ProviderGate, who: Asking) -> None:
    """Let this one get a token."""
    gate.heard(who, SendOutcome.TOKEN, asked_s=None)


@pytest.mark.parametrize("code", [REJECTED, SCOPE, GrantDisabled.code])
def test_three_that_are_refused_alike_are_an_alarm(gate: ProviderGate, clock: FakeClock, code: str) -> None:
    """Of the connector version with that client; one or two hold nobody but themselves (R2)."""
    refused(gate, ONE, ONE, ONE, TWO, TWO, code=code)
    two = gate.refusal(FOUR)
    refused(gate, THREE, code=code)

    three = gate.refusal(FOUR)
    assert two is None
    assert three is not None
    assert (code, 60.0) == (three.code, three.retry_after_s)
    assert (code, clock.now(), 60.0) == gate.alarmed("acme")
    assert ("acme",) == gate.alarms()
    others = [
        replace(FOUR, client="2 client"),
        replace(FOUR, client="1 another"),
        replace(FOUR, connector="other"),
        *(replace(FOUR, kind=kind) for kind in RequestKind if kind is not RequestKind.REFRESH),
    ]
    assert [None] * 7 == [gate.refusal(each) for each in others]


def test_refusals_of_different_kinds_are_none(gate: ProviderGate) -> None:
    """A scope that one lost and a client that another is refused with have nothing in common."""
    refused(gate, ONE, TWO)
    refused(gate, THREE, code=SCOPE)

    assert gate.refusal(FOUR) is None


def test_a_token_between_begins_the_count_anew(gate: ProviderGate) -> None:
    """The set-up works; a token of another client says nothing about it."""
    refused(gate, ONE, TWO)
    token(gate, FOUR)
    refused(gate, THREE)
    after = gate.refusal(FOUR)
    token(gate, replace(FOUR, client="2 client"))
    refused(gate, ONE, TWO)

    assert after is None
    assert gate.refusal(FOUR) is not None


@pytest.mark.parametrize(
    ("those", "of", "code", "alarmed"),
    [
        pytest.param([ONE, TWO], 2, REJECTED, True, id="two of two"),
        pytest.param([ONE, ONE], 2, REJECTED, False, id="one of two"),
        pytest.param([ONE], 1, REJECTED, True, id="the only one"),
        pytest.param([ONE, TWO], 2, SCOPE, True, id="a scope: two of two"),
        pytest.param([ONE, ONE, ONE], 1, SCOPE, False, id="a scope, of the only one, however often"),
        pytest.param([ONE, TWO], 3, SCOPE, False, id="a scope: two of three"),
    ],
)
async def test_all_are_enough_where_there_are_fewer(
    clock: FakeClock, those: list[Asking], of: int, code: str, alarmed: bool
) -> None:
    """But a refused scope is a fact of its grant until another grant hears it (R2)."""

    async def count(_: str) -> int:
        return of

    gate = ProviderGate(clock, number=count)
    refused(gate, *those, code=code)
    for _ in range(3):
        await asyncio.sleep(0)

    assert alarmed is (gate.alarmed("acme") is not None)


async def test_one_connection_asks_after_1_2_4_up_to_15_minutes(gate: ProviderGate, clock: FakeClock) -> None:
    """The alarm goes on probing, and the first failure's time is kept; sends side by side count once."""
    began, waits = clock.now(), []
    refused(gate, ONE, TWO, THREE)
    for _ in range(6):
        refused(gate, ONE, TWO, THREE)
        told = gate.refusal(FOUR)
        assert told is not None
        waits.append(told.retry_after_s)
        clock.advance(told.retry_after_s or 0)
        async with gate.place(FOUR, on_demand=False):
            other = gate.refusal(ONE)
            assert other is not None
            assert (REJECTED, 1.0) == (other.code, other.retry_after_s)
            refused(gate, FOUR)

    assert [60, 120, 240, 480, 900, 900] == waits
    assert (REJECTED, began, 900.0) == gate.alarmed("acme")


async def test_a_token_ends_it_and_the_waits_that_it_caused(gate: ProviderGate, clock: FakeClock) -> None:
    """For all: what was told to wait before that may ask at once."""
    refused(gate, ONE, TWO, THREE)
    told_at = clock.now()
    clock.advance(60.0)
    async with gate.place(FOUR, on_demand=False):
        token(gate, FOUR)

    assert gate.alarmed("acme") is None
    assert [None, None] == [gate.refusal(ONE), gate.refusal(FOUR)]
    assert gate.recovered(ONE, told_at)
    assert not gate.recovered(replace(ONE, connector="other"), told_at)


async def test_a_forced_renewal_asks_at_once(gate: ProviderGate) -> None:
    """An operator who mended the set-up sees it at once; and so do all others."""
    refused(gate, ONE, TWO, THREE)

    async with gate.place(ONE, on_demand=True, forced=True):
        token(gate, ONE)

    assert gate.refusal(FOUR) is None


def test_a_change_ends_it(gate: ProviderGate, clock: FakeClock) -> None:
    """The client was set anew; what was refused after a change was refused with what it was changed to."""
    before = clock.now()
    clock.advance(1)
    set_up_refused(gate, "acme")
    set_up_refused(gate, "other")
    gate.end_alarm("acme", changed_at=before)
    stayed = gate.alarmed("acme")
    gate.end_alarm("acme", changed_at=clock.now())

    assert stayed is not None
    assert gate.alarmed("acme") is None
    assert gate.alarmed("other") is not None
    refused(gate, ONE)
    assert gate.refusal(FOUR) is None


async def test_a_probe_that_ends_without_a_word_blocks_none(gate: ProviderGate, clock: FakeClock) -> None:
    """The next one asks."""
    refused(gate, ONE, TWO, THREE)
    clock.advance(60.0)
    with pytest.raises(ZeroDivisionError):
        async with gate.place(FOUR, on_demand=False):
            raise ZeroDivisionError

    assert gate.refusal(ONE) is None
