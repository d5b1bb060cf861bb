"""Requests that run before the token request: their order, what they find, and what ends a login there."""

from __future__ import annotations

from typing import Any

import pytest

from keyturn.core.connection import Connection
from keyturn.core.errors import (
    CredentialsRejected,
    KeyturnError,
    LoginBudgetSpent,
    NeedsReconnect,
    ProviderBadResponse,
    ProviderUnavailable,
    ProviderUnreachable,
    ValidationFailed,
)
from keyturn.core.secret import Secret
from keyturn.engine.login.challenged import Challenged
from keyturn.engine.login.connect import LoginRequest
from tests.engine.challenges.scene import CODE, answer, begin, mfa
from tests.engine.story import ACTOR, actions, bodies, error, log_in, me, publish, read, token
from tests.fakes.application import FakeWorld, make_world
from tests.fakes.clock import FakeClock
from tests.fakes.egress import json_answer

TENANT = """
  {name: tenant, url: "https://find.acme.example/tenant", method: GET, authentication: none,
   params: {user: "{{ username }}"}, capture: {tenant: id}}"""
SESSION = """
  {name: session, url: "https://auth.acme.example/session",
   params: {tenant: "{{ tenant }}", password: "{{ password }}"}, capture: {session: "cookie:sid"}}"""
PARAMS = ', params: {grant_type: password, session: "{{ session }}"}'
BOTH = f", before: [{TENANT},{SESSION}]{PARAMS}"


@pytest.fixture
def world() -> FakeWorld:
    """A world whose clock moves when somebody sleeps."""
    return make_world(clock=FakeClock(auto=True))


def session(value: str = "session-canary") -> Any:
    """The answer of the second request, which sets a cookie."""
    made = json_answer("{}")
    return type(made)(200, (*made.headers, ("Set-Cookie", f"sid={value}; Path=/")), made.body)


def tenant(value: str = "t-1") -> Any:
    """The answer of the first."""
    return json_answer(f'{{"id": "{value}"}}')


def request(**more: object) -> LoginRequest:
    """A login of jo."""
    return LoginRequest("acme", "owner-1", "jo", Secret("password-canary"), **more)  # type: ignore[arg-type]


async def refused(world: FakeWorld, *answers: Any) -> KeyturnError:
    """A login that these answers end."""
    world.egress.will_reply(*answers)
    with pytest.raises(KeyturnError) as failed:
        await world.application.connect(request(), ACTOR)
    assert 0 == world.egress.left
    return failed.value


def paths(world: FakeWorld) -> list[str]:
    """What was asked, in order."""
    return [each.url.removeprefix("https://") for each in world.egress.requests]


async def test_they_run_in_order_and_feed_each_other(world: FakeWorld) -> None:
    """What the first found stands in the second, what that found in the token request; each leaves two records."""
    await publish(world, token=BOTH)
    world.egress.will_reply(tenant(), session())

    connection = (await log_in(world)).connection

    assert [
        "find.acme.example/tenant?user=jo",
        "auth.acme.example/session",
        "auth.acme.example/token",
        "api.acme.example/me",
    ] == paths(world)
    assert ["tenant=t-1&password=password-canary"] == bodies(world, "/session")
    assert ["grant_type=password&session=session-canary"] == bodies(world)
    assert ("auth.acme.example", "find.acme.example") == connection.hosts
    steps = [
        (record.action, record.outcome, record.facts.get("step"))
        for record in world.stores.database.records
        if record.action.startswith("login.")
    ]
    assert [
        ("login.sent", "ok", None),
        ("login.step_sent", "ok", "tenant"),
        ("login.step_answered", "ok", "tenant"),
        ("login.step_sent", "ok", "session"),
        ("login.step_answered", "ok", "session"),
        ("login.answered", "ok", None),
    ] == steps


async def test_what_was_found_is_not_kept(world: FakeWorld) -> None:
    """It is used once: neither the row nor what is sealed has it."""
    await publish(world, token=BOTH)
    world.egress.will_reply(tenant("tenant-canary"), session())

    connection = (await log_in(world)).connection

    assert "tenant-canary" not in repr(connection)
    assert {} == dict(world.stores.connections.rows[connection.id][1].fields)


@pytest.mark.parametrize(
    ("answers", "expected", "failed"),
    [
        pytest.param([error("invalid_grant")], CredentialsRejected, 0, id="refused before the password"),
        pytest.param([tenant(), error("invalid_grant")], CredentialsRejected, 1, id="refused with the password"),
        pytest.param([json_answer("{}")], ProviderBadResponse, 0, id="nothing captured"),
        pytest.param([json_answer('{"id": "t", "ok": false}')], ProviderBadResponse, 0, id="not ok"),
        pytest.param([json_answer("<html>", 404)], ProviderBadResponse, 0, id="not described"),
        pytest.param([tenant(), json_answer("{}", 503)], ProviderUnavailable, 0, id="unavailable"),
        pytest.param([ProviderUnreachable()], ProviderUnreachable, 0, id="unreachable"),
        pytest.param([tenant("a\\u0000b"), session()], None, 0, id="a strange value that only stands in a body"),
    ],
)
async def test_the_first_that_fails_ends_the_login(
    world: FakeWorld, answers: list[Any], expected: type[KeyturnError] | None, failed: int
) -> None:
    """With what its answer says; the budget counts only what the password was in."""
    await publish(world, token=BOTH)
    if expected is None:
        world.egress.will_reply(*answers)
        await log_in(world)
        return

    problem = await refused(world, *answers)

    assert expected is type(problem)
    assert [] == bodies(world)
    assert ("login.answered", problem.code) == actions(world)[-1]
    after = await refused(world, tenant(), error("invalid_grant"))
    assert 2 - failed == after.extensions["tries_left"]


async def test_what_is_missing_ends_the_login_before_the_password_leaves(world: FakeWorld) -> None:
    """Even where the next request could do without it."""
    await publish(world, token=BOTH.replace('tenant: "{{ tenant }}", ', ""), more="")

    problem = await refused(world, json_answer("{}"))

    assert (ProviderBadResponse, 1) == (type(problem), len(world.egress.requests))


async def test_a_wrong_password_there_says_the_tries_that_are_left(world: FakeWorld) -> None:
    """As if the token request had been refused; the fourth is not sent at all."""
    await publish(world, token=BOTH)

    left = [(await refused(world, tenant(), error("invalid_grant"))).extensions["tries_left"] for _ in range(3)]
    sent = len(world.egress.requests)

    assert [2, 1, 0] == left
    assert LoginBudgetSpent is type(await refused(world))
    assert sent == len(world.egress.requests)


async def test_what_makes_no_url_is_an_unknown_answer(world: FakeWorld) -> None:
    """The person is not told to correct a value that the provider gave."""
    await publish(world, token=BOTH.replace("acme.example/session", "acme.example/{{ tenant }}"))

    problem = await refused(world, tenant(".."))

    assert (ProviderBadResponse, "provider_answer_unknown") == (type(problem), problem.extensions["reason"])


async def test_a_value_that_can_not_be_sent_is_said_before_anything_leaves(world: FakeWorld) -> None:
    """A later request is judged as well."""
    await publish(world, token=BOTH)

    with pytest.raises(ValidationFailed):
        await world.application.connect(LoginRequest("acme", "owner-1", "jo", Secret("\ud800")), ACTOR)

    assert [] == world.egress.requests


@pytest.mark.parametrize(("region", "asked"), [("eu", True), ("us", False)])
async def test_when_looks_at_the_fields(world: FakeWorld, region: str, asked: bool) -> None:
    """One that these values don't call for is not sent, and a parameter that only it could fill is left out."""
    fields = "fields: [{key: region, label: Region, type: choice, choices: {eu: EU, us: US}}]"
    only = TENANT.replace("capture", "when: {region: eu}, capture")
    params = 'params: {region: "{{ region }}", tenant: "{{ tenant }}"}'
    await publish(world, token=f", before: [{only}], {params}", more=fields)
    if asked:
        world.egress.will_reply(tenant())

    await log_in(world, fields={"region": region})

    assert asked is any("find.acme.example" in each for each in paths(world))
    assert ["region=eu&tenant=t-1" if asked else "region=us"] == bodies(world)


async def test_a_challenge_there_goes_on_with_what_was_found(world: FakeWorld) -> None:
    """Some ask for the code before the token request; what was found so far may stand in the next one."""
    more = CODE.replace('otp: "{{ otp }}"}}', 'otp: "{{ otp }}", tenant: "{{ tenant }}"}}')
    await publish(world, token=BOTH, more=more)
    asked = await begin(world, tenant(), mfa())

    connection = await answer(world, asked, token(at=world.clock.now()), me())

    assert not isinstance(connection, Challenged)
    assert ["grant_type=urn%3Amfa&mfa_token=mfa-canary-1&otp=123456&tenant=t-1"] == bodies(world)


async def kept(world: FakeWorld) -> Connection:
    """A connection with a kept password."""
    await publish(world, token=BOTH, keep="required", refresh="strategy: password_only")
    world.egress.will_reply(tenant(), session())
    return (await log_in(world)).connection


async def renew(world: FakeWorld, connection: Connection) -> Connection:
    """Renew it by force."""
    return await world.application.renewals.renew(connection.id, generation=connection.generation, forced=True)


async def test_a_renewal_with_the_password_runs_them_again(world: FakeWorld) -> None:
    """In the same order, with what they find this time, between the intent and the token request."""
    connection = await kept(world)
    before = len(actions(world))
    world.egress.will_reply(tenant("t-2"), session("s-2"), token(2, at=world.clock.now()))

    renewed = await renew(world, connection)

    assert 2 == renewed.generation
    assert "tenant=t-2&password=password-canary" == bodies(world, "/session")[-1]
    assert "grant_type=password&session=s-2" == bodies(world)[-1]
    assert [
        "login.step_sent",
        "login.step_answered",
        "login.step_sent",
        "login.step_answered",
        "connection.renewed",
    ] == [action for action, _ in actions(world)[before:]]


async def test_a_renewal_that_is_refused_there_needs_the_person(world: FakeWorld) -> None:
    """The password was refused: it is marked, and never sent again by itself."""
    connection = await kept(world)
    world.egress.will_reply(tenant("t-2"), error("invalid_grant"))

    with pytest.raises(NeedsReconnect):
        await renew(world, connection)

    after = await read(world, connection.id)
    assert (True, "provider_credentials_rejected", 1) == (after.password_rejected, after.reason, len(bodies(world)))


async def test_trouble_there_is_trouble_of_the_provider(world: FakeWorld) -> None:
    """The connection stays, and the renewal is tried again later."""
    connection = await kept(world)
    world.egress.will_reply(json_answer("{}", 503))

    with pytest.raises(ProviderUnavailable):
        await renew(world, connection)

    after = await read(world, connection.id)
    assert (None, "provider_unavailable", False) == (after.intent, after.last_error, after.password_rejected)
