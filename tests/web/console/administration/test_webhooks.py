"""Webhooks at the console: the secret is shown once; tried, rolled, disabled, replayed, deleted."""

from __future__ import annotations

import re
from dataclasses import replace

import httpx
import pytest

from keyturn.core.access.roles import Role
from keyturn.core.errors import KeyturnError, ProviderTimeout, ProviderTlsFailed, ProviderUnreachable
from keyturn.core.events.event import Event
from keyturn.engine.actor import Actor
from keyturn.ports.webhooks.endpoints import Delivery, DeliveryState
from tests.web.console.visiting import Visitor, make_visitor

SECRET = re.compile(r'value="(whsec_[^"]+)"')
URL = "https://app.example/keyturn"


@pytest.fixture(name="visitor")
async def _visitor() -> Visitor:
    visitor = make_visitor()
    await visitor.sign_in(Role.ADMIN)
    await visitor.get("/webhooks")
    return visitor


async def made(visitor: Visitor) -> tuple[str, str]:
    """One: its id and its secret."""
    answer = await visitor.post("/webhooks", {"url": URL, "event:connection.*": "1", "event:job.finished": "1"})
    found = SECRET.search(answer.text)
    assert found is not None, answer.text
    return (await visitor.world.application.webhooks.store.list())[0].id, found.group(1)


async def test_a_secret_is_shown_once(visitor: Visitor) -> None:
    """It is the one that signs; afterwards no page has it."""
    webhook, secret = await made(visitor)
    store = visitor.world.application.webhooks.store
    endpoint = await store.load(webhook)
    assert endpoint is not None
    kept = await store.secrets(endpoint)
    pages = [(await visitor.get(path)).text for path in ("/webhooks", f"/webhooks/{webhook}", "/audit")]

    assert kept is not None
    assert kept.current.reveal() == secret
    assert ("connection.*", "job.finished") == endpoint.events
    assert not any(secret in page or "whsec_" in page for page in pages)


@pytest.mark.parametrize(
    ("values", "at"),
    [
        pytest.param({"url": ""}, "url", id="no address"),
        pytest.param({"url": "https://jo:secret@app.example"}, "url", id="credentials in it"),
        pytest.param({"description": "a" * 201}, "description", id="too long a description"),
    ],
)
async def test_a_wrong_form_is_told(visitor: Visitor, values: dict[str, str], at: str) -> None:
    """At its input; nothing is made, nothing is changed."""
    webhook, _ = await made(visitor)
    new = await visitor.post("/webhooks", {"url": URL, **values})
    changed = await visitor.post(f"/webhooks/{webhook}", {"url": URL, **values})
    rows = await visitor.world.application.webhooks.store.list()

    assert (422, 422) == (new.status_code, changed.status_code)
    assert f'id="{at}-error1"' in new.text
    assert f'id="{at}-error1"' in changed.text
    assert [(URL, "")] == [(each.url, each.description) for each in rows]


async def test_changing_disabling_and_enabling(visitor: Visitor) -> None:
    """What is not ticked any more is not sent any more."""
    webhook, _ = await made(visitor)
    store = visitor.world.application.webhooks.store
    await visitor.post(f"/webhooks/{webhook}", {"url": URL, "description": "the app"})
    changed = await store.load(webhook)
    off = await visitor.post(f"/webhooks/{webhook}/disable")
    disabled = await store.load(webhook)
    await visitor.post(f"/webhooks/{webhook}/enable")
    enabled = await store.load(webhook)

    assert changed is not None
    assert disabled is not None
    assert enabled is not None
    assert ("the app", ()) == (changed.description, changed.events)
    assert f"/webhooks/{webhook}?said=disabled" == off.headers["location"]
    assert (False, True) == (disabled.enabled, enabled.enabled)


async def test_rolling(visitor: Visitor) -> None:
    """Another secret, shown once, and how long the old one counts beside it."""
    webhook, old = await made(visitor)
    answer = await visitor.post(f"/webhooks/{webhook}/roll")
    found = SECRET.search(answer.text)

    assert found is not None
    assert old != found.group(1)
    assert old not in answer.text
    assert "Old secret counts" in (await visitor.get(f"/webhooks/{webhook}")).text


async def test_a_test_message_that_gets_nowhere(visitor: Visitor) -> None:
    """The page says so, and the delivery says why."""
    webhook, _ = await made(visitor)
    visitor.world.egress.will_reply(ProviderTimeout())
    answer = await visitor.post(f"/webhooks/{webhook}/test")
    page = (await visitor.get(answer.headers["location"])).text

    assert "said=test_failed" in answer.headers["location"]
    assert "The test message was not taken" in page
    assert "webhook.test" in page


async def test_replaying(visitor: Visitor) -> None:
    """Another delivery of the same event; nothing while the webhook is disabled."""
    webhook, _ = await made(visitor)
    webhooks, now = visitor.world.application.webhooks, visitor.world.clock.now()
    event = Event("evt_1", "connection.paused", now, 1, "cxn_1")
    visitor.world.stores.events.rows.append(event)
    given_up = Delivery("dlv_1", webhook, event.id, event.type, now, DeliveryState.FAILED, 9, now, 500, 0.2)
    await webhooks.store.add_delivery(given_up)
    page = (await visitor.get(f"/webhooks/{webhook}")).text
    again = await visitor.post(f"/webhooks/{webhook}/deliveries/dlv_1/replay")
    rows, _ = await webhooks.store.deliveries(webhook)
    await visitor.post(f"/webhooks/{webhook}/disable")
    refused = await visitor.post(f"/webhooks/{webhook}/deliveries/dlv_1/replay")

    assert "<td>500</td>" in page
    assert "/replay" in page
    assert "said=replayed" in again.headers["location"]
    assert [("evt_1", "failed"), ("evt_1", "pending")] == sorted((each.event, each.state.value) for each in rows)
    assert "said=not_replayed" in refused.headers["location"]


async def test_deleting_asks_first(visitor: Visitor) -> None:
    """The question deletes nothing; afterwards it is gone."""
    webhook, _ = await made(visitor)
    asked = await visitor.get(f"/webhooks/{webhook}/delete")
    still = len(await visitor.world.application.webhooks.store.list())
    answer = await visitor.post(f"/webhooks/{webhook}/delete")

    assert "Delete this webhook?" in asked.text
    assert (1, "/webhooks?said=deleted") == (still, answer.headers["location"])
    assert 404 == (await visitor.get(f"/webhooks/{webhook}")).status_code


async def test_one_delivery_with_what_was_sent(visitor: Visitor) -> None:
    """The message without its signature, status and time of the answer; another webhook's is none of this one's."""
    webhook, secret = await made(visitor)
    await made(visitor)
    other = next(each.id for each in await visitor.world.application.webhooks.store.list() if each.id != webhook)
    now = visitor.world.clock.now()
    visitor.world.stores.events.rows.append(Event("evt_1", "connection.paused", now, 1, "cxn_1"))
    await visitor.world.application.webhooks.store.add_delivery(
        Delivery("dlv_1", webhook, "evt_1", "connection.paused", now, DeliveryState.FAILED, 2, now, 500, 0.2)
    )
    page = (await visitor.get(f"/webhooks/{webhook}/deliveries/dlv_1")).text

    assert all(each in page for each in ("webhook-id: evt_1", "webhook-signature: v1,•••", "cxn_1", "200 ms"))
    assert secret not in page
    assert 404 == (await visitor.get(f"/webhooks/{other}/deliveries/dlv_1")).status_code


async def test_a_failing_one_says_since_when(visitor: Visitor) -> None:
    """On both pages, with the newest deliveries at a glance, and when it is given up."""
    webhook, _ = await made(visitor)
    store, now = visitor.world.application.webhooks.store, visitor.world.clock.now()
    tried = Delivery("dlv_1", webhook, "evt_1", "connection.paused", now, tries=1, tried_at=now, code="webhook_timeout")
    await store.add_delivery(tried)
    await store.note(replace(tried, state=DeliveryState.FAILED))
    await store.add_delivery(replace(tried, id="dlv_2", state=DeliveryState.DELIVERED))
    visitor.world.clock.advance(30 * 3600.0)
    await visitor.sign_in(Role.ADMIN)
    one, listed = (await visitor.get(f"/webhooks/{webhook}")).text, (await visitor.get("/webhooks")).text

    assert 'class="danger-note" role="alert"><b>Nothing has reached it since' in one
    assert "it is disabled <time" in one
    assert "1 of the last 2 taken" in one
    assert "1 of the last 2 taken" in listed
    assert "since <time" in listed


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        pytest.param(ProviderTimeout(), "webhook_timeout", id="no answer"),
        pytest.param(ProviderUnreachable(), "webhook_unreachable", id="no way"),
        pytest.param(ProviderTlsFailed(), "webhook_tls_failed", id="no trust"),
    ],
)
async def test_a_receiver_is_no_provider(visitor: Visitor, failure: KeyturnError, code: str) -> None:
    """What goes wrong on the way has a word of its own."""
    webhook, _ = await made(visitor)
    visitor.world.egress.will_reply(failure)
    await visitor.post(f"/webhooks/{webhook}/test")

    assert f"/problems/{code}" in (await visitor.get(f"/webhooks/{webhook}")).text
    assert "keyturn webhook listen" in (await make_empty(visitor)).text


async def make_empty(visitor: Visitor) -> httpx.Response:
    """The list once there is no webhook any more."""
    for each in await visitor.world.application.webhooks.store.list():
        await visitor.world.application.webhooks.remove(each.id, Actor("operator"))
    return await visitor.get("/webhooks")
