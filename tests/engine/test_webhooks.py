"""Events out of the audit log, and their way to the endpoints that want them."""

from __future__ import annotations

import asyncio
import base64
import hmac

import pytest

from keyturn.core.errors import ProviderTimeout, WebhookDisabled
from keyturn.core.events.event import Event
from keyturn.core.messages import Answer
from keyturn.core.secret import Secret
from keyturn.engine.webhooks.deliver import DELAYS_S
from keyturn.engine.webhooks.follow import FollowEvents
from keyturn.ports.webhooks.endpoints import Delivery, DeliveryState, Endpoint
from tests.engine.jobs.running import run_all
from tests.engine.passing import renew
from tests.engine.story import ACTOR, actions, log_in, publish, read, token
from tests.fakes.application import FakeWorld, make_world
from tests.fakes.egress import Reply

URL = "https://app.example/hook"
DAY = 86_400.0


@pytest.fixture
def world() -> FakeWorld:
    """A world whose follower has begun."""
    return make_world()


async def endpoint(world: FakeWorld, *events: str, url: str = URL) -> tuple[Endpoint, Secret]:
    """Make an endpoint, with the audit log followed so far."""
    await run_all(world)
    made = await world.application.webhooks.create(url, events, "", ACTOR)
    await run_all(world)
    return made


async def happen(world: FakeWorld, *replies: Reply) -> None:
    """Publish, connect, and answer the deliveries that follow."""
    await publish(world)
    await log_in(world)
    world.egress.will_reply(*replies)
    await run_all(world)


async def deliveries(world: FakeWorld, made: Endpoint) -> list[Delivery]:
    """Those of an endpoint, oldest first."""
    found, _ = await world.stores.webhooks.deliveries(made.id)
    return list(reversed(found))


async def test_an_event_is_signed_and_delivered(world: FakeWorld) -> None:
    """The body is thin, and what signs it is the secret that was shown."""
    made, secret = await endpoint(world, "connection.created")
    await happen(world, Answer(204))
    request = world.egress.requests[-1]
    sent = dict(request.headers)
    (done,) = await deliveries(world, made)
    signed = f"{sent['webhook-id']}.{sent['webhook-timestamp']}.".encode() + request.body
    key = base64.b64decode(secret.reveal().removeprefix("whsec_"))
    expected = "v1," + base64.b64encode(hmac.digest(key, signed, "sha256")).decode()

    assert (URL, expected) == (request.url, sent["webhook-signature"])
    assert (DeliveryState.DELIVERED, 1, 204, None) == (done.state, done.tries, done.status, done.code)
    assert done.event == sent["webhook-id"]
    assert b'"type":"connection.created"' in request.body
    assert b'"connector":"acme","owner":"owner-1","state":"active","code":null' in request.body
    assert b"canary" not in request.body


async def test_two_processes_deliver_each_event_once(world: FakeWorld) -> None:
    """Both look at the same moment; the cursor lets one of them write what follows."""
    made, _ = await endpoint(world, "connection.created")
    app = world.application
    await publish(world)
    await log_in(world)
    background = app.scheduler.background
    assert background is not None
    follower = background.follow.__self__  # type: ignore[attr-defined]
    assert isinstance(follower, FollowEvents)
    await asyncio.gather(follower.look(), follower.look(), follower.look())

    assert 1 == len(await deliveries(world, made))


async def test_a_failure_is_tried_again(world: FakeWorld) -> None:
    """With the same id, until the receiver takes it; a redirect is a failure."""
    made, _ = await endpoint(world, "connection.created")
    await happen(world, Answer(500))
    first = await deliveries(world, made)
    world.egress.will_reply(Answer(302, (("Location", "https://elsewhere.example/"),)), Answer(200))
    for delay in DELAYS_S[:2]:
        world.clock.advance(delay * 1.3)
        await run_all(world)
    (done,) = await deliveries(world, made)
    ids = {dict(each.headers).get("webhook-id") for each in world.egress.requests[-3:]}

    assert [(DeliveryState.PENDING, 1, 500, "webhook_refused")] == [(e.state, e.tries, e.status, e.code) for e in first]
    assert (DeliveryState.DELIVERED, 3, 200) == (done.state, done.tries, done.status)
    assert {done.event} == ids


async def test_gone_disables_at_once(world: FakeWorld) -> None:
    """410 ends it, with a record; a replay is refused until it is enabled again."""
    made, _ = await endpoint(world, "connection.created")
    await happen(world, Answer(410))
    (done,) = await deliveries(world, made)
    now = await world.stores.webhooks.load(made.id)

    assert now is not None
    assert (False, "webhook_gone") == (now.enabled, now.disabled_code)
    assert (DeliveryState.FAILED, "webhook_gone") == (done.state, done.code)
    assert ("webhook.disabled", "webhook_gone") in actions(world)
    with pytest.raises(WebhookDisabled):
        await world.application.webhooks.replay(made.id, done.id)
    await world.application.webhooks.change(made.id, ACTOR, enabled=True)
    await world.application.webhooks.replay(made.id, done.id)
    world.egress.will_reply(Answer(200))
    await run_all(world)
    again = (await deliveries(world, made))[-1]
    assert (DeliveryState.DELIVERED, done.event) == (again.state, again.event)


async def test_three_days_of_failures_disable(world: FakeWorld) -> None:
    """The last try sees them over: the delivery is given up and the endpoint disabled."""
    made, _ = await endpoint(world, "connection.created")
    await happen(world, ProviderTimeout())
    for delay in DELAYS_S:
        world.egress.will_reply(ProviderTimeout())
        world.clock.advance(delay * 1.25)
        await run_all(world)
    (done,) = await deliveries(world, made)
    now = await world.stores.webhooks.load(made.id)

    assert now is not None
    assert (False, "webhook_failing") == (now.enabled, now.disabled_code)
    assert (DeliveryState.FAILED, len(DELAYS_S) + 1, "webhook_timeout") == (done.state, done.tries, done.code)
    assert 1 == actions(world).count(("webhook.disabled", "webhook_failing"))


async def test_both_secrets_sign_for_a_day(world: FakeWorld) -> None:
    """After a roll the old one counts for 24 hours, and no longer."""
    made, old = await endpoint(world, "connection.created")
    rolled, new = await world.application.webhooks.roll(made.id, ACTOR)
    world.egress.will_reply(Answer(200), Answer(200))
    await world.application.webhooks.test(made.id)
    world.clock.advance(DAY + 1)
    await world.application.webhooks.test(made.id)
    counts = [len(dict(each.headers)["webhook-signature"].split()) for each in world.egress.requests[-2:]]

    assert [2, 1] == counts
    assert old.reveal() != new.reveal()
    assert rolled.generation == made.generation + 1


async def test_a_dead_endpoint_keeps_no_other_waiting(world: FakeWorld) -> None:
    """After five failures in a row its deliveries fail without being sent; another endpoint's go out."""
    dead, _ = await endpoint(world, "session.*")
    alive, _ = await endpoint(world, "connection.created")
    for n in range(7):
        await world.stores.webhooks.add_delivery(Delivery(f"dlv_{n}", dead.id, "evt_x", "session.opened", 0.0))
    deliver = world.application.webhooks.deliver
    world.egress.will_reply(*[ProviderTimeout()] * 5, Answer(200))
    event = Event("evt_x", "session.opened", 0.0, 1)
    for n in range(7):
        delivery = await world.stores.webhooks.delivery(f"dlv_{n}")
        assert delivery is not None
        await deliver.attempt(dead, delivery, event)
    tried, error = await deliver.attempt(alive, Delivery("dlv_a", alive.id, "evt_x", "t", 0.0), event)

    assert 6 == len([each for each in world.egress.requests if each.url == URL])
    assert (None, DeliveryState.DELIVERED) == (error, tried.state)


async def test_what_recovers_is_told(world: FakeWorld) -> None:
    """A success after a failure, once."""
    await run_all(world)
    await publish(world)
    connection = (await log_in(world)).connection
    for answer in (Answer(500), Answer(200, body=b'{"id": "42"}'), Answer(200, body=b'{"id": "42"}')):
        world.egress.will_reply(answer)
        await world.application.test_connection(connection.id, ACTOR)
    await run_all(world)
    types = [each.type for each in world.stores.events.rows if each.object == connection.id]

    assert ["connection.created", "connection.test_failed", "connection.recovered"] == types


async def test_renewals_are_told_only_where_somebody_chose_them(world: FakeWorld) -> None:
    """They are off by default; nothing is kept of them where no endpoint names them."""
    await publish(world)
    connection = (await log_in(world)).connection
    await endpoint(world)
    for n in (2, 3):
        world.egress.will_reply(token(n, at=world.clock.now()))
        await renew(world, await read(world, connection.id))
        world.egress.will_reply(*[Answer(200)] * (n == 3))
        await run_all(world)
        if n == 2:
            await endpoint(world, "connection.renewed")
    types = [each.type for each in world.stores.events.rows]

    assert 1 == types.count("connection.renewed")
