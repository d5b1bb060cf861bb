"""Webhooks: addresses that events are delivered to; made, changed, tried, rolled, taken away; deliveries sent again.

Rule 1: a secret stands on no page but the one that answers the form which made it.
Rule 2: of a receiver's answer, the status is shown and nothing else: nothing else is kept.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from starlette.responses import Response

from keyturn.core.access.roles import Permission
from keyturn.core.errors import Finding, NotFound, ValidationFailed, WebhookDisabled
from keyturn.core.events.catalogue import EVENT_TYPES
from keyturn.core.secret import Secret
from keyturn.engine.webhooks.deliver import GIVEN_UP_AFTER_S, USER_AGENT
from keyturn.ports.webhooks.endpoints import DeliveryState, Endpoint
from keyturn.web.console.page import Page
from keyturn.web.console.rendering import Console
from keyturn.web.console.shown_once import new_secret_text
from keyturn.web.console.visit import Visit
from keyturn.web.console.who import who_did

SHOWN: Final = 50
STRIP: Final = 20  # newest deliveries at a glance
LONG_S: Final = 86_400.0
NOUNS: Final = tuple(dict.fromkeys(f"{name.partition('.')[0]}.*" for name in EVENT_TYPES))
CHOICES: Final = (
    *((noun, f"all usual ones of “{noun.removesuffix('.*')}”") for noun in NOUNS),
    *((each.name, each.meaning + ("" if each.usual else " Off unless chosen.")) for each in EVENT_TYPES.values()),
)
MARKS: Final = {
    DeliveryState.PENDING: ("○", "paused"),
    DeliveryState.DELIVERED: ("✓", "active"),
    DeliveryState.FAILED: ("✗", "needs_reconnect"),
    DeliveryState.DROPPED: ("‖", "disconnected"),
}


@dataclass(frozen=True, slots=True)
class Typed:
    """What stands in the form."""

    url: str = ""
    description: str = ""
    events: tuple[str, ...] = ()

    @classmethod
    def of(cls, visit: Visit) -> Typed:
        """Read it off what was sent."""
        form = visit.form
        events = tuple(name for name, _ in CHOICES if form.text(f"event:{name}"))
        return cls(form.text("url").strip(), form.text("description"), events)

    @classmethod
    def from_endpoint(cls, endpoint: Endpoint) -> Typed:
        """As it stands now."""
        return cls(endpoint.url, endpoint.description, endpoint.events)


async def show_webhooks(console: Console, visit: Visit) -> Response:
    """All of them, and the form for another."""
    return await _list(console, visit, Typed())


async def post_webhook(console: Console, visit: Visit) -> Response:
    """Make one and show its secret, this once."""
    typed = Typed.of(visit)
    try:
        made, secret = await console.application.webhooks.create(
            typed.url, typed.events, typed.description, visit.actor
        )
    except ValidationFailed as error:
        return await _list(console, visit, typed, errors=error.errors)
    return await _one(console, visit, made, secret=secret)


async def show_webhook(console: Console, visit: Visit) -> Response:
    """One of them, what was delivered to it, and what can be done with it."""
    return await _one(console, visit, await _found(console, visit))


async def post_change(console: Console, visit: Visit) -> Response:
    """Change address, description and what it gets."""
    typed, endpoint = Typed.of(visit), await _found(console, visit)
    try:
        await console.application.webhooks.change(
            endpoint.id, visit.actor, url=typed.url, events=typed.events, description=typed.description
        )
    except ValidationFailed as error:
        return await _one(console, visit, endpoint, typed=typed, errors=error.errors)
    return console.back(f"/webhooks/{endpoint.id}", said="changed")


async def post_enable(console: Console, visit: Visit) -> Response:
    """Take it up again: a fresh start."""
    changed = await console.application.webhooks.change(visit.path("webhook"), visit.actor, enabled=True)
    return console.back(f"/webhooks/{changed.id}", said="enabled")


async def post_disable(console: Console, visit: Visit) -> Response:
    """Deliver nothing more to it; it can be enabled again."""
    changed = await console.application.webhooks.change(visit.path("webhook"), visit.actor, enabled=False)
    return console.back(f"/webhooks/{changed.id}", said="disabled")


async def post_roll(console: Console, visit: Visit) -> Response:
    """Make a new secret and show it, this once."""
    rolled, secret = await console.application.webhooks.roll(visit.path("webhook"), visit.actor)
    return await _one(console, visit, rolled, secret=secret)


async def post_test(console: Console, visit: Visit) -> Response:
    """Send a test message now; the newest delivery says what came of it."""
    tried = await console.application.webhooks.test(visit.path("webhook"))
    said = "test_delivered" if tried.state is DeliveryState.DELIVERED else "test_failed"
    return console.back(f"/webhooks/{tried.endpoint}", said=said)


async def post_replay(console: Console, visit: Visit) -> Response:
    """Deliver an event once more."""
    try:
        again = await console.application.webhooks.replay(visit.path("webhook"), visit.path("delivery"))
    except WebhookDisabled:
        endpoint = await _found(console, visit)
        return console.back(f"/webhooks/{endpoint.id}", said="not_replayed")
    return console.back(f"/webhooks/{again.endpoint}", said="replayed")


async def show_delivery(console: Console, visit: Visit) -> Response:
    """One message as it was sent, but for its signature, and what is known of the answer."""
    endpoint, webhooks = await _found(console, visit), console.application.webhooks
    delivery = await webhooks.store.delivery(visit.path("delivery"))
    if delivery is None or delivery.endpoint != endpoint.id:
        raise NotFound("There is no such delivery.")
    event = await webhooks.events.event(delivery.event)
    return console.page(
        visit, "administration/delivery.html", each=endpoint, d=delivery, marks=MARKS, agent=USER_AGENT,
        body=None if event is None else json.dumps(event.document(), indent=2, ensure_ascii=False),
    )  # fmt: skip


async def show_delete(console: Console, visit: Visit) -> Response:
    """Ask first."""
    return console.page(visit, "administration/webhook_delete.html", each=await _found(console, visit))


async def post_delete(console: Console, visit: Visit) -> Response:
    """Take it away with its deliveries."""
    await console.application.webhooks.remove(visit.path("webhook"), visit.actor)
    return console.back("/webhooks", said="deleted")


async def _list(console: Console, visit: Visit, typed: Typed, errors: Sequence[Finding] = ()) -> Response:
    store = console.application.webhooks.store
    rows = [(each, (await store.deliveries(each.id, limit=STRIP))[0][::-1]) for each in await store.list()]
    return console.page(
        visit, "administration/webhooks.html", status=422 if errors else 200, choices=CHOICES, typed=typed,
        rows=rows, marks=MARKS, errors=_at_inputs(errors),
    )  # fmt: skip


async def _one(
    console: Console, visit: Visit, endpoint: Endpoint, *, typed: Typed | None = None,
    errors: Sequence[Finding] = (), secret: Secret | None = None,
) -> Response:  # fmt: skip
    store = console.application.webhooks.store
    newest = (await store.deliveries(endpoint.id, limit=STRIP))[0]
    deliveries, following = await store.deliveries(endpoint.id, cursor=visit.query("cursor") or None, limit=SHOWN)
    until, now = endpoint.old_secret_until, console.now()
    since = endpoint.failing_since if endpoint.enabled else None
    return console.page(
        visit, "administration/webhook.html", status=422 if errors else 200, each=endpoint, choices=CHOICES,
        typed=typed or Typed.from_endpoint(endpoint), errors=_at_inputs(errors), deliveries=deliveries, marks=MARKS,
        next_cursor=following, old_until=until if until is not None and until > now else None,
        strip_of=newest[::-1], failing_long=since is not None and now - since >= LONG_S,
        given_up_at=None if since is None else since + GIVEN_UP_AFTER_S,
        secret=None if secret is None else new_secret_text(secret),
        names=await who_did(console, visit, (endpoint.created_by,)),
    )  # fmt: skip


async def _found(console: Console, visit: Visit) -> Endpoint:
    found = await console.application.webhooks.store.load(visit.path("webhook"))
    if found is None:
        raise NotFound("There is no such webhook.")
    return found


def _at_inputs(errors: Sequence[Finding]) -> list[Finding]:
    """By the input's name; each sentence once."""
    told = {("/" + each.pointer.split("/")[1], each.message): each for each in errors}
    return [replace(each, pointer=pointer) for (pointer, _), each in told.items()]


_ADMIN: Final = Permission.ADMINISTER
_ONE: Final = "/webhooks/{webhook}"
PAGES: Final = (
    Page("GET", "/webhooks", show_webhooks, _ADMIN),
    Page("POST", "/webhooks", post_webhook, _ADMIN),
    Page("GET", _ONE, show_webhook, _ADMIN),
    Page("POST", _ONE, post_change, _ADMIN),
    Page("POST", f"{_ONE}/enable", post_enable, _ADMIN),
    Page("POST", f"{_ONE}/disable", post_disable, _ADMIN),
    Page("POST", f"{_ONE}/roll", post_roll, _ADMIN),
    Page("POST", f"{_ONE}/test", post_test, _ADMIN),
    Page("GET", f"{_ONE}/delete", show_delete, _ADMIN),
    Page("POST", f"{_ONE}/delete", post_delete, _ADMIN),
    Page("GET", f"{_ONE}/deliveries/{{delivery}}", show_delivery, _ADMIN),
    Page("POST", f"{_ONE}/deliveries/{{delivery}}/replay", post_replay, _ADMIN),
)
