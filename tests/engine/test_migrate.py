"""Moving connections to a newer version: who goes over, who stays and why, and what a dry run says."""

from __future__ import annotations

import pytest

from keyturn.core.building.moving import NeedsLogin
from keyturn.core.errors import ConnectionTestFailed, MigrationNeedsLogin
from keyturn.core.messages import Answer, OutgoingRequest
from keyturn.core.secret import Secret
from keyturn.engine.migration.migrate_connection import MigrateConnection
from tests.engine.story import ACTOR, actions, log_in, me, publish, read, token
from tests.fakes.application import FakeWorld, make_world
from tests.fakes.egress import json_answer

NAMED = 'connection_name: "{{ test.name }} by id"'


@pytest.fixture(name="world")
async def _world() -> FakeWorld:
    world = make_world()
    await publish(world, keep="offer")
    return world


def migrate(world: FakeWorld) -> MigrateConnection:
    """The use case, over the application's parts."""
    app = world.application
    keep_tokens = app.connect.course.store_login.keep_tokens
    return MigrateConnection(
        app.connections, app.published, app.renewals, app.test_connection.calls, keep_tokens, app.connect.known
    )


async def test_a_connection_that_passes_goes_over(world: FakeWorld) -> None:
    """Tested as the new version says; generation and tokens stay; a password that may stay no more is gone."""
    connected = await log_in(world, keep_password=True)
    before = len(world.egress.requests)
    await publish(world, keep="never", more=NAMED)
    world.egress.will_reply(me())
    moved = await migrate(world)(connected.connection.id, ACTOR)
    opened = await world.stores.connections.open(moved.id)
    again = await migrate(world)(moved.id, ACTOR)

    assert (1, 2) == (connected.connection.connector_version, moved.connector_version)
    assert ("Jo by id", connected.connection.generation) == (moved.name, moved.generation)
    assert 1 == len(world.egress.requests) - before
    assert opened is not None
    assert opened[1].token_set is not None
    assert (None, None, None) == (opened[1].password, opened[1].username, moved.password_kept_at)
    assert moved.revision == again.revision
    assert ("connection.version_moved", "ok") in actions(world)


async def test_a_renewal_while_the_test_is_under_way_was_not_tested(world: FakeWorld) -> None:
    """The connection goes over with the newer token set; that the API accepted it is not claimed."""
    connection = (await log_in(world)).connection

    async def renewed_meanwhile(_: OutgoingRequest) -> Answer:
        world.egress.will_reply(token(2, at=world.clock.now()))
        await world.application.renewals.renew(connection.id, generation=1, actor=ACTOR, forced=True)
        return me()

    await publish(world, keep="offer", more=NAMED)
    world.egress.will_reply(renewed_meanwhile)
    moved = await migrate(world)(connection.id, ACTOR)

    assert (2, 2, 1) == (moved.connector_version, moved.generation, moved.worked_generation)


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        pytest.param({"url": "https://other.acme.example"}, NeedsLogin.HOST, id="another host"),
        pytest.param({"keep": "required"}, NeedsLogin.PASSWORD, id="password"),
        pytest.param(
            {"token": ', headers: {X: "{{ region }}"}', "more": "fields: [{key: region, label: Region}]"},
            NeedsLogin.FIELD,
            id="field",
        ),
        pytest.param(
            {"refresh": 'params: {r: "{{ refresh_token }}", d: "{{ device }}"}', "more": "generate: {device: uuid}"},
            NeedsLogin.VALUE,
            id="value",
        ),
    ],
)
async def test_what_needs_the_person_stays(world: FakeWorld, parts: dict[str, str], reason: NeedsLogin) -> None:
    """Nothing is sent for it, it stays on its version, and the dry run names it with the same reason."""
    connected = await log_in(world)
    before = len(world.egress.requests)
    await publish(world, **parts)
    plan = await world.application.plan_migration("acme")
    with pytest.raises(MigrationNeedsLogin) as caught:
        await migrate(world)(connected.connection.id, ACTOR)

    assert reason.value == caught.value.extensions["reason"]
    assert ((connected.connection.id, reason),) == plan.named
    assert (0, {1: 1}, 2) == (plan.moves, plan.by_version, plan.version)
    assert before == len(world.egress.requests)
    assert 1 == (await read(world, connected.connection.id)).connector_version


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        pytest.param(me("43"), MigrationNeedsLogin, id="another account"),
        pytest.param(json_answer("{}", 403), ConnectionTestFailed, id="refused"),
    ],
)
async def test_what_does_not_pass_stays(world: FakeWorld, answer: Answer, error: type[Exception]) -> None:
    """The connection that there was goes on as it is."""
    connected = await log_in(world)
    await publish(world, more=NAMED)
    world.egress.will_reply(answer)
    with pytest.raises(error):
        await migrate(world)(connected.connection.id, ACTOR)

    assert connected.connection.revision == (await read(world, connected.connection.id)).revision


async def test_a_field_is_kept_as_the_new_version_says() -> None:
    """One that is sealed from now on leaves the clear; one that is not known any more goes."""
    world = make_world()
    fields = "fields: [{key: a, label: A}, {key: b, label: B}]"
    sent = ', headers: {A: "{{ a }}", B: "{{ b }}"}'
    await publish(world, token=sent, more=fields)
    connected = await log_in(world, fields={"a": "one", "b": "two"})
    await publish(world, token=', headers: {A: "{{ a }}"}', more="fields: [{key: a, label: A, keep: sealed}]")
    world.egress.will_reply(me())
    moved = await migrate(world)(connected.connection.id, ACTOR)
    opened = await world.stores.connections.open(moved.id)

    assert opened is not None
    assert ({}, {"a": Secret("one")}, ("a",)) == (moved.fields, dict(opened[1].fields), moved.sealed_fields)
