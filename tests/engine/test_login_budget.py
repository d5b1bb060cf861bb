"""The login budget: how many logins of one account may fail, however many try at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from keyturn.core.connector import LoginLimits
from keyturn.core.errors import LoginBudgetSpent, NeedsReconnect
from keyturn.engine.login_budget import SUCCESSES, WAIT_FOR_OTHERS_S, LoginBudget
from keyturn.ports.store import Attempt, AttemptResult
from tests.engine.passing import in_time, renew
from tests.engine.story import bodies, connector_from, error, log_in, publish, read, token
from tests.fakes.application import FakeWorld, make_world

CONNECTOR = connector_from()  # three in fifteen minutes
HOST = "auth.acme.example"


@pytest.fixture
def world() -> FakeWorld:
    """A world in which time passes only as a test lets it."""
    made = make_world()
    made.entropy.fixed_fraction = 0.5
    return made


@pytest.fixture
def budget(world: FakeWorld) -> LoginBudget:
    """A budget over the world's ledger."""
    return LoginBudget(world.stores.logins, world.clock, world.application.guards.stop_logins)


async def spend(budget: LoginBudget, times: int, result: AttemptResult = AttemptResult.FAILED) -> int:
    """Book and settle so many; returns the tries left after the last."""
    left = -1
    for _ in range(times):
        left = await budget.settle(await budget.reserve(CONNECTOR, HOST, "jo"), result)
    return left


async def test_the_budget_is_told_until_it_is_spent(budget: LoginBudget, world: FakeWorld) -> None:
    """Tries left count down; then it says how long to wait, and after that lets through."""
    assert [2, 1, 0] == [await spend(budget, 1) for _ in range(3)]

    with pytest.raises(LoginBudgetSpent) as spent:
        await budget.reserve(CONNECTOR, HOST, "jo")

    assert 900 == spent.value.retry_after_s
    world.clock.advance(900)
    assert 2 == (await budget.reserve(CONNECTOR, HOST, "jo")).tries_left


@pytest.mark.parametrize("result", [AttemptResult.NOT_SENT, AttemptResult.SUCCEEDED])
async def test_what_did_not_fail_spends_nothing(budget: LoginBudget, result: AttemptResult) -> None:
    """Nothing sent is as if it had not been; a success gives all tries back."""
    await spend(budget, 2)

    left = await spend(budget, 1, result)

    assert (3 if result is AttemptResult.SUCCEEDED else 1) == left


@pytest.mark.parametrize(
    ("host", "username", "same"),
    [
        pytest.param(HOST, " JO ", True, id="blanks and capitals"),
        pytest.param(HOST, "jo2", False, id="another account"),
        pytest.param("eu.acme.example", "jo", False, id="another host"),
    ],
)
async def test_an_account_is_counted_by_connector_host_and_name(
    budget: LoginBudget, host: str, username: str, same: bool
) -> None:
    """However the name is spelt; nobody else's failures count."""
    await spend(budget, 3)

    if same:
        with pytest.raises(LoginBudgetSpent):
            await budget.reserve(CONNECTOR, host, username)
    else:
        assert 2 == (await budget.reserve(CONNECTOR, host, username)).tries_left


async def test_other_connectors_have_their_own_budget(budget: LoginBudget) -> None:
    """What one connector spends another keeps."""
    await spend(budget, 3)

    assert 2 == (await budget.reserve(replace(CONNECTOR, id="other"), HOST, "jo")).tries_left


async def test_who_could_overspend_waits_for_those_under_way(budget: LoginBudget, world: FakeWorld) -> None:
    """A fourth login waits while three are under way, and goes on as soon as one was not refused."""
    under_way = [await budget.reserve(CONNECTOR, HOST, "jo") for _ in range(3)]
    fourth = asyncio.ensure_future(budget.reserve(CONNECTOR, HOST, "jo"))
    for _ in range(20):
        await asyncio.sleep(0)
        world.clock.advance(0.1)
    assert not fourth.done()

    await budget.settle(under_way[0], AttemptResult.NOT_SENT)

    assert isinstance(await in_time(world, _awaited(fourth), step_s=0.1), Attempt)


async def _awaited(task: asyncio.Future[Attempt]) -> Attempt:
    return await task


async def test_nobody_waits_for_ever(budget: LoginBudget, world: FakeWorld) -> None:
    """No login takes longer than 30 s; after 35 s the caller hears that it is too early."""
    for _ in range(3):
        await budget.reserve(CONNECTOR, HOST, "jo")
    began = world.clock.monotonic()

    with pytest.raises(LoginBudgetSpent) as spent:
        await in_time(world, budget.reserve(CONNECTOR, HOST, "jo"))

    assert WAIT_FOR_OTHERS_S <= world.clock.monotonic() - began < 40
    assert (spent.value.retry_after_s or 0) > 0


async def test_logins_of_a_process_that_died_count_as_failed(budget: LoginBudget, world: FakeWorld) -> None:
    """Nobody knows whether their password was refused; after a minute they are no longer waited for."""
    for _ in range(3):
        await budget.reserve(CONNECTOR, HOST, "jo")
    world.clock.advance(61)

    with pytest.raises(LoginBudgetSpent) as spent:
        await budget.reserve(CONNECTOR, HOST, "jo")

    assert 900 - 61 == pytest.approx(spent.value.retry_after_s)


async def test_successes_have_a_cap_of_their_own(budget: LoginBudget, world: FakeWorld) -> None:
    """Sixty in fifteen minutes: a loop that logs in all the time is stopped too."""
    await spend(budget, 60, AttemptResult.SUCCEEDED)

    with pytest.raises(LoginBudgetSpent):
        await budget.reserve(CONNECTOR, HOST, "jo")

    world.clock.advance(900)
    await budget.reserve(CONNECTOR, HOST, "jo")
    assert LoginLimits(60, 900.0) == SUCCESSES


async def test_a_renewal_with_the_password_stays_within_the_budget(world: FakeWorld) -> None:
    """I9: nothing is sent until the budget allows it; why is said each time, and written down once."""
    await publish(world, keep="required", refresh="strategy: password_only")
    connection = (await log_in(world)).connection
    budget = LoginBudget(world.stores.logins, world.clock, world.application.guards.stop_logins)
    await spend(budget, 3)

    for _ in range(3):
        with pytest.raises(LoginBudgetSpent) as spent:
            await renew(world, connection)
        assert spent.value.retry_after_s == pytest.approx(900, abs=5)

    after = await read(world, connection.id)
    assert 1 == len(bodies(world))
    assert (None, "login_budget_spent") == (after.intent, after.last_error)
    assert (connection.renews_at, None) == (after.renews_at, after.retry_at)
    assert connection.revision + 1 == after.revision
    world.clock.advance(900)
    world.egress.will_reply(token(2, at=world.clock.now()))
    assert 2 == (await renew(world, after)).generation


async def test_a_login_that_was_not_sent_spends_nothing(world: FakeWorld) -> None:
    """A renewal whose intent another overtook gives its place in the budget back."""
    await publish(world, keep="required", refresh="strategy: password_only")
    connection = (await log_in(world)).connection
    overtaken: list[str] = []

    def overtake(name: str) -> None:
        if name == "connections.save" and not overtaken:
            overtaken.append(name)
            row, secrets = world.stores.connections.rows[connection.id]
            world.stores.connections.rows[connection.id] = (replace(row, revision=row.revision + 1), secrets)

    world.stores.database.before_write = overtake
    world.egress.will_reply(error("invalid_grant"))

    with pytest.raises(NeedsReconnect):
        await renew(world, connection)

    assert 2 == len(bodies(world))
    again = LoginBudget(world.stores.logins, world.clock, world.application.guards.stop_logins)

    assert 1 == (await again.reserve(CONNECTOR, HOST, "jo")).tries_left
