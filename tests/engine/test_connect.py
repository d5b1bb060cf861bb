"""Logging in over fakes: what is sent, what is kept, and what each refusal leads to."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from keyturn.core.connection import State
from keyturn.core.errors import (
    AccountLocked,
    ConnectionExists,
    ConnectionTestFailed,
    ConnectorClientMissing,
    ConnectorClientRejected,
    CredentialsRejected,
    IdentityMismatch,
    KeyturnError,
    LoginBudgetSpent,
    MfaUnsupported,
    NotFound,
    ProviderBadResponse,
    ProviderRateLimited,
    ProviderTimeout,
    ProviderUnavailable,
    ProviderUnreachable,
    UniqueIdMissing,
    ValidationFailed,
)
from keyturn.core.messages import Answer, OutgoingRequest
from keyturn.core.secret import Secret
from keyturn.engine.login.connect import LoginRequest
from keyturn.engine.login.login_request import Connected
from keyturn.ports.store import ClientCredentials
from tests.engine.story import ACTOR, actions, bodies, connector_from, error, log_in, me, publish, read, token
from tests.fakes.application import FakeWorld, make_world
from tests.fakes.clock import FakeClock
from tests.fakes.egress import json_answer


@pytest.fixture
def world() -> FakeWorld:
    """A world whose clock moves when somebody sleeps."""
    return make_world(clock=FakeClock(auto=True))


def request(**more: object) -> LoginRequest:
    """A login of jo."""
    return LoginRequest(
        **{"connector": "acme", "owner": "owner-1", "username": "jo", "password": Secret("password-canary"), **more}  # type: ignore[arg-type]
    )


async def test_a_login_tests_identifies_names_and_stores(world: FakeWorld) -> None:
    """The nine steps in their order, with the password sent once and not kept."""
    await publish(world, more='connection_name: "{{ test.name }}\'s account"')

    connected = await log_in(world)

    connection = connected.connection
    assert (True, "42", "Jo's account", 1, True) == (
        connected.created,
        connection.unique_id,
        connection.name,
        connection.generation,
        connection.refreshable,
    )
    assert ["auth.acme.example", "api.acme.example"] == [each.url.split("/")[2] for each in world.egress.requests]
    assert ("auth.acme.example",) == connection.hosts
    _, secrets = world.stores.connections.rows[connection.id]
    assert (None, None) == (secrets.password, secrets.username)
    assert ["login.sent", "login.answered", "connection.created"] == [action for action, _ in actions(world)]
    assert ["Bearer access-1"] == [v for n, v in world.egress.requests[1].headers if n.lower() == "authorization"]


async def test_every_wrong_value_is_named_at_once_and_nothing_is_sent(world: FakeWorld) -> None:
    """Bad input loses nothing and costs no login."""
    await publish(world, more="fields: [{key: region, label: Region, type: choice, choices: {eu: EU, us: US}}]")

    with pytest.raises(ValidationFailed) as failed:
        await world.application.connect(
            request(owner="", username=" ", password=None, fields={"region": "mars"}, keep_password=True), ACTOR
        )

    assert {"/owner", "/username", "/password", "/fields/region", "/keep_password"} == {
        each.pointer for each in failed.value.errors
    }
    assert [] == world.egress.requests


REFUSALS = [
    pytest.param(error("invalid_grant"), CredentialsRejected, True, id="wrong password"),
    pytest.param(error("mfa_required", 403), MfaUnsupported, False, id="second factor"),
    pytest.param(error("invalid_client", 401), ConnectorClientRejected, False, id="client"),
    pytest.param(json_answer("{}", 503), ProviderUnavailable, False, id="down"),
    pytest.param(json_answer("{}", 429), ProviderRateLimited, False, id="rate limited"),
    pytest.param(json_answer("<p>", 200), ProviderBadResponse, True, id="nonsense"),
    pytest.param(json_answer("{}", 401), ProviderBadResponse, True, id="a bare 401 is not a wrong password"),
    pytest.param(ProviderTimeout(), ProviderTimeout, True, id="no answer"),
    pytest.param(ProviderUnreachable(), ProviderUnreachable, False, id="not reached"),
]


@pytest.mark.parametrize(("reply", "raised", "counts"), REFUSALS)
async def test_a_refused_login_is_not_repeated_and_stores_nothing(
    world: FakeWorld, reply: Answer | Exception, raised: type[KeyturnError], counts: bool
) -> None:
    """Only sends that were rejected, unanswered or unclassified count against the budget."""
    await publish(world)
    world.egress.will_reply(reply)

    with pytest.raises(raised) as refused:
        await world.application.connect(request(), ACTOR)

    assert 1 == len(world.egress.requests)
    assert {} == world.stores.connections.rows
    assert counts == (refused.value.extensions.get("tries_left") == 2)
    assert ("login.answered", refused.value.code) in actions(world)


async def test_the_budget_stops_before_the_provider_locks(world: FakeWorld) -> None:
    """Three failures in fifteen minutes; the fourth is not sent, in whatever spelling; later it may be."""
    await publish(world)
    for left in (2, 1, 0):
        world.egress.will_reply(error("invalid_grant"))
        with pytest.raises(CredentialsRejected) as refused:
            await world.application.connect(request(username="Jo "), ACTOR)
        assert left == refused.value.extensions["tries_left"]

    with pytest.raises(LoginBudgetSpent) as spent:
        await world.application.connect(request(username=" jO"), ACTOR)

    assert 0 < (spent.value.retry_after_s or 0) <= 900
    assert 3 == len(world.egress.requests)
    world.clock.advance(901)
    assert (await log_in(world)).created


async def test_a_success_resets_the_budget(world: FakeWorld) -> None:
    """Who got in after two slips has all tries again."""
    await publish(world)
    for _ in range(2):
        world.egress.will_reply(error("invalid_grant"))
        with pytest.raises(CredentialsRejected):
            await world.application.connect(request(), ACTOR)
    await log_in(world)
    world.egress.will_reply(error("invalid_grant"))

    with pytest.raises(CredentialsRejected) as refused:
        await world.application.connect(request(), ACTOR)

    assert 2 == refused.value.extensions["tries_left"]


async def test_parallel_wrong_passwords_stay_within_the_budget(world: FakeWorld) -> None:
    """I9: what is under way counts, so ten at once send three."""
    await publish(world)

    async def refuse(_: OutgoingRequest) -> Answer:
        await asyncio.sleep(0)
        return error("invalid_grant")

    world.egress.will_reply(*[refuse] * 10)

    results = await asyncio.gather(
        *(world.application.connect(request(), ACTOR) for _ in range(10)), return_exceptions=True
    )

    assert 3 == len(world.egress.requests)
    assert 7 == sum(isinstance(each, LoginBudgetSpent) for each in results)


AFTER_TOKEN = [
    pytest.param(json_answer("{}", 403), ConnectionTestFailed, id="test refused"),
    pytest.param(ProviderUnreachable(), ConnectionTestFailed, id="test not reached"),
    pytest.param(json_answer('{"id": ""}'), ConnectionTestFailed, id="test's expectation"),
    pytest.param(json_answer('{"id": "  "}'), UniqueIdMissing, id="blank id"),
    pytest.param(json_answer('{"id": {"a": 1}}'), UniqueIdMissing, id="no scalar"),
]


@pytest.mark.parametrize(("reply", "raised"), AFTER_TOKEN)
async def test_what_ends_a_login_after_its_token_revokes_it(
    world: FakeWorld, reply: Answer | Exception, raised: type[KeyturnError]
) -> None:
    """No token stays behind that nobody knows."""
    await publish(world)
    world.egress.will_reply(token(), reply)

    with pytest.raises(raised):
        await world.application.connect(request(), ACTOR)

    rows = list(world.stores.revocations.rows.values())
    assert [("refused", Secret("access-1"), None)] == [
        (r.cause.value, r.token_set.access_token, r.connection) for r in rows
    ]
    assert {} == world.stores.connections.rows


async def test_update_puts_the_new_tokens_on_the_existing_connection(world: FakeWorld) -> None:
    """One stored connection for one account of one owner; the replaced set is revoked."""
    await publish(world)
    first = await log_in(world)
    second = await log_in(world, token(2))
    elsewhere = await log_in(world, token(3), owner="owner-2")

    assert (False, first.connection.id, 2) == (second.created, second.connection.id, second.connection.generation)
    assert elsewhere.connection.id != first.connection.id
    assert ["replaced"] == [row.cause.value for row in world.stores.revocations.rows.values()]


async def test_reject_names_the_existing_connection(world: FakeWorld) -> None:
    """409 with its id, and the second token set is revoked."""
    await publish(world, on_duplicate="reject")
    first = await log_in(world)

    with pytest.raises(ConnectionExists) as exists:
        await log_in(world, token(2))

    assert {"connection_id": first.connection.id} == {
        k: v for k, v in exists.value.extensions.items() if k == "connection_id"
    }
    assert ["refused"] == [row.cause.value for row in world.stores.revocations.rows.values()]


async def test_allow_adds_another(world: FakeWorld) -> None:
    """Two connections of one account, where the author wants that."""
    await publish(world, on_duplicate="allow")

    first, second = await log_in(world), await log_in(world, token(2))

    assert second.created
    assert first.connection.id != second.connection.id


async def test_two_sign_ups_at_one_moment_end_in_one_connection(world: FakeWorld) -> None:
    """The unique index decides; the loser updates."""
    await publish(world)
    world.egress.will_reply(token(1), token(2), me(), me())

    results = await asyncio.gather(*(world.application.connect(request(), ACTOR) for _ in range(2)))

    assert 1 == len(world.stores.connections.rows)
    ended = [each for each in results if isinstance(each, Connected)]
    assert [False, True] == sorted(each.created for each in ended)
    assert {1, 2} == {each.connection.generation for each in ended}


async def test_a_reconnect_as_another_account_is_refused(world: FakeWorld) -> None:
    """Its tokens are revoked and the connection stays as it was."""
    await publish(world)
    first = (await log_in(world)).connection

    with pytest.raises(IdentityMismatch):
        await log_in(world, token(2), account="43", reconnects=first.id)

    assert first == await read(world, first.id)
    assert ["refused"] == [row.cause.value for row in world.stores.revocations.rows.values()]
    changed = await log_in(world, token(3), account="43", reconnects=first.id, allow_account_change=True)
    assert (first.id, "43", 2) == (changed.connection.id, changed.connection.unique_id, changed.connection.generation)


async def test_a_caller_that_hangs_up_leaves_no_unknown_token(world: FakeWorld) -> None:
    """The login goes on to its end: stored, or revoked."""
    await publish(world)
    asked, release = asyncio.Event(), asyncio.Event()

    async def slowly(_: OutgoingRequest) -> Answer:
        asked.set()
        await release.wait()
        return token()

    world.egress.will_reply(slowly, me())
    caller = asyncio.ensure_future(world.application.connect(request(), ACTOR))
    await asked.wait()
    caller.cancel()
    release.set()
    await world.application.connect.drain(1)

    assert 1 == len(world.stores.connections.rows)


async def test_a_client_is_asked_for_before_a_password(world: FakeWorld) -> None:
    """The operator's part comes first."""
    connector = connector_from()
    await world.stores.connectors.put_draft(connector, "", at=0)
    await world.stores.connectors.publish(connector, "", "d", at=0)

    with pytest.raises(ConnectorClientMissing):
        await world.application.connect(request(username=""), ACTOR)
    with pytest.raises(NotFound):
        await world.application.connect(request(connector="nobody"), ACTOR)


@pytest.mark.parametrize(
    ("keep", "asked", "kept"),
    [
        pytest.param("offer", True, True, id="offered and chosen"),
        pytest.param("offer", False, False, id="offered, not chosen"),
        pytest.param("required", False, True, id="required implies consent"),
    ],
)
async def test_the_password_is_kept_only_as_agreed(world: FakeWorld, keep: str, asked: bool, kept: bool) -> None:
    """By the connector's permission and the person's choice."""
    await publish(world, keep=keep)

    connection = (await log_in(world, keep_password=asked)).connection

    _, secrets = world.stores.connections.rows[connection.id]
    assert (Secret("password-canary") if kept else None) == secrets.password
    assert kept == (connection.password_kept_at is not None)


async def test_a_locked_account_is_said_with_the_authors_help(world: FakeWorld) -> None:
    """The provider's own words choose the class; the author's words are shown."""
    more = "failures: [{when: {body: \"error_description == 'locked'\"}, class: locked, help: Call the service desk.}]"
    await publish(world, more=more)
    world.egress.will_reply(json_answer('{"error": "invalid_grant", "error_description": "locked"}', 400))

    with pytest.raises(AccountLocked) as locked:
        await world.application.connect(request(), ACTOR)

    assert "Call the service desk." == locked.value.extensions["help"]
    assert ["password-canary" in body for body in bodies(world)] == [True]


TENANT = "fields: [{key: tenant, label: Tenant}]"


@pytest.mark.parametrize("where", ["token", "refresh", "base"])
async def test_a_value_that_makes_no_host_is_refused_before_anything_is_sent(world: FakeWorld, where: str) -> None:
    """Whichever request it would stand in; a password is not sent for a login that can't end well."""
    url = "https://{{ tenant }}.acme.example"
    parts = {
        "token": {"url": url},
        "refresh": {"refresh": f'url: "{url}/token"'},
        "base": {"more": f'{TENANT}\nrequest: {{base_url: "{url}"}}'},
    }[where]
    await publish(world, **{"more": TENANT, **parts})

    with pytest.raises(ValidationFailed) as refused:
        await world.application.connect(request(fields={"tenant": "evil.example/"}), ACTOR)

    assert ["/fields/tenant"] == [each.pointer for each in refused.value.errors]
    assert [] == world.egress.requests


async def test_a_connection_is_pinned_to_the_hosts_of_its_own_values(world: FakeWorld) -> None:
    """Token, refresh and revoke requests; what stands in their paths is no part of it."""
    await publish(
        world,
        url="https://{{ tenant }}.acme.example:8443",
        more=TENANT,
        refresh='url: "https://refresh.acme.example/{{ token.missing }}/token"',
        token=", response: {keep: {missing: missing}}",
    )

    connection = (await log_in(world, fields={"tenant": "t1"})).connection

    assert ("refresh.acme.example", "t1.acme.example:8443") == connection.hosts


async def test_a_replaced_set_is_revoked_as_its_own_version_says(world: FakeWorld) -> None:
    """A reconnect moves to the newest version; the old tokens go where the old one says."""
    await publish(world)
    first = (await log_in(world)).connection
    await publish(world, url="https://moved.acme.example")
    again = (await log_in(world, token(2))).connection

    (row,) = world.stores.revocations.rows.values()

    assert (1, 2) == (first.connector_version, again.connector_version)
    assert (1, ("auth.acme.example",)) == (row.connector_version, row.hosts)
    assert ("moved.acme.example",) == again.hosts
    world.egress.will_reply(json_answer("{}"), json_answer("{}"))
    await world.application.scheduler.revoke_due()
    assert ["https://auth.acme.example/revoke"] * 2 == [each.url for each in world.egress.requests[-2:]]


@pytest.mark.parametrize("foreign", [{"owner": "owner-2"}, {"connector": "other"}])
async def test_a_reconnect_of_somebody_elses_connection_is_none(world: FakeWorld, foreign: dict[str, str]) -> None:
    """Whoever asks: tokens of one owner or connector never land in a connection of another."""
    connector = await publish(world)
    first = (await log_in(world)).connection
    other = replace(connector, id="other")
    await world.stores.connectors.put_draft(other, "", at=0)
    await world.stores.connectors.publish(other, "", "other", at=0)
    await world.stores.connectors.set_client("other", ClientCredentials("client", None), at=0)

    with pytest.raises(NotFound):
        await log_in(world, token(2), reconnects=first.id, **foreign)

    assert first == await read(world, first.id)
    assert ["refused"] == [row.cause.value for row in world.stores.revocations.rows.values()]


async def test_a_backends_own_login_confirms(world: FakeWorld) -> None:
    """It knows for whom it logs in; a page's login leaves an unconfirmed connection so."""
    await publish(world)
    first = (await log_in(world, unconfirmed=True)).connection

    by_page = (await log_in(world, token(2), unconfirmed=True)).connection
    by_backend = (await log_in(world, token(3))).connection
    by_page_again = (await log_in(world, token(4), unconfirmed=True)).connection

    assert {first.id} == {by_page.id, by_backend.id, by_page_again.id}
    assert [True, True, False, False] == [each.unconfirmed for each in (first, by_page, by_backend, by_page_again)]


@pytest.mark.parametrize(
    ("changes", "after_s", "unconfirmed"),
    [
        pytest.param({"state": State.NEEDS_RECONNECT, "reason": "grant_lost"}, 0, True, id="lost"),
        pytest.param({"state": State.UNCERTAIN}, 0, True, id="uncertain"),
        pytest.param({"refreshable": False}, 3600, True, id="ended, and nothing renews it"),
        pytest.param({"refreshable": False}, 3599, False, id="about to end"),
        pytest.param({}, 3600, False, id="ended, and renewable"),
        pytest.param({}, 0, False, id="active"),
    ],
)
@pytest.mark.parametrize("repaired", [True, False], ids=["by its reconnect link", "by a link of its own"])
async def test_a_login_that_somebody_else_may_have_made_revives_nothing_by_itself(
    world: FakeWorld, changes: dict[str, object], after_s: float, unconfirmed: bool, repaired: bool
) -> None:
    """Account planting: what took no calls before takes none until it is confirmed; what worked goes on."""
    await publish(world)
    first = (await log_in(world)).connection
    world.clock.advance(after_s)
    await world.stores.connections.save(replace(await read(world, first.id), **changes))  # type: ignore[arg-type]

    again = await log_in(world, token(2), unconfirmed=True, reconnects=first.id if repaired else None)

    assert (first.id, unconfirmed) == (again.connection.id, again.connection.unconfirmed)
    assert State.ACTIVE is again.connection.state
