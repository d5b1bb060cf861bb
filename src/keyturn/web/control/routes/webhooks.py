"""Webhooks: endpoints, deliveries, and the events themselves for those who would rather ask.

Rule 1: endpoints are the operator's: they see everything, so a key that is limited to connectors or owners has none.
Rule 2: events are read with the scope `read`, as connections are; a limited key reads those of its connectors and
owners, and what concerns the whole instance needs `admin` without a limit.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Query
from starlette.responses import Response

from keyturn.core.errors import Finding, NotFound, ValidationFailed
from keyturn.core.events.catalogue import EVENT_TYPES, SYSTEM
from keyturn.web.control.caller import App, Calling
from keyturn.web.control.operations import LIMITS, Operation, Takes
from keyturn.web.control.shapes.requests import Nothing, PageQuery
from keyturn.web.control.shapes.showing import answer
from keyturn.web.control.shapes.webhooks import (
    ChangedWebhook,
    DeliveryAnswer,
    DeliveryList,
    EventQuery,
    NewWebhook,
    NewWebhookAnswer,
    WebhookAnswer,
    WebhookEventList,
    WebhookList,
    delivery_answer,
    event_answer,
    webhook_answer,
)
from keyturn.web.control.shown_once import webhook_text

TAG: Final = "webhooks"
NOW: Final = "now"
_CURSOR: Final = "e"
_NOT_SYSTEM: Final = frozenset(name for name, each in EVENT_TYPES.items() if each.group != SYSTEM)
EXAMPLE: Final[dict[str, Any]] = {
    "id": "whk_5f0c6e2d",
    "url": "https://app.example/keyturn",
    "events": ["connection.*"],
    "description": "the app",
    "enabled": True,
    "disabled_code": None,
    "failing_since": None,
    "old_secret_until": None,
    "created_by": "key:key_1",
    "created_at": "2030-01-31T12:00:00.000Z",
}
DELIVERY: Final[dict[str, Any]] = {
    "id": "dlv_1c9a",
    "event": "evt_77f0",
    "type": "connection.needs_reconnect",
    "state": "delivered",
    "tries": 1,
    "status": 204,
    "took_s": 0.183,
    "code": None,
    "created_at": "2030-01-31T12:00:00.000Z",
    "tried_at": "2030-01-31T12:00:01.000Z",
}
EVENT: Final[dict[str, Any]] = {
    "id": "evt_77f0",
    "type": "connection.needs_reconnect",
    "timestamp": "2030-01-31T12:00:00.000Z",
    "data": {
        "id": "cxn_7q2",
        "connector": "acme",
        "owner": "user-42",
        "state": "needs_reconnect",
        "code": "grant_lost",
    },
}


async def create_webhook(body: NewWebhook, app: App, caller: Calling) -> Response:
    """Make a webhook.

    `secret` is shown this once: with it the receiver verifies each message, by Standard Webhooks. `events` are types or
    `noun.*`; without any it gets all that are on by default.
    """
    made, secret = await app.webhooks.create(
        body.url,
        body.events,
        body.description,
        caller.actor,
        enabled=body.enabled,
        project=caller.principal.project,
    )
    shown = NewWebhookAnswer(**webhook_answer(made).model_dump(), secret=webhook_text(secret))
    return answer(shown, 201, location=f"/v1/webhooks/{made.id}")


async def list_webhooks(app: App, caller: Calling) -> Response:
    """List webhooks."""
    rows = await app.webhooks.store.list(project=caller.principal.project)
    return answer(WebhookList(data=[webhook_answer(each) for each in rows]))


async def get_webhook(webhook_id: str, app: App, caller: Calling) -> Response:
    """Read a webhook."""
    found = await app.webhooks.store.load(webhook_id, project=caller.principal.project)
    if found is None:
        raise NotFound("There is no such webhook.")
    return answer(webhook_answer(found))


async def change_webhook(webhook_id: str, body: ChangedWebhook, app: App, caller: Calling) -> Response:
    """Change a webhook.

    Only what is given changes. Enabling one that was disabled makes a fresh start; what was not delivered meanwhile is
    not delivered afterwards, but can be replayed.
    """
    changed = await app.webhooks.change(
        webhook_id,
        caller.actor,
        url=body.url,
        events=body.events,
        description=body.description,
        enabled=body.enabled,
        project=caller.principal.project,
    )
    return answer(webhook_answer(changed))


async def delete_webhook(webhook_id: str, app: App, caller: Calling) -> Response:
    """Delete a webhook.

    Its deliveries go with it, those that wait too.
    """
    await app.webhooks.remove(webhook_id, caller.actor, project=caller.principal.project)
    return Response(status_code=204)


async def roll_webhook(webhook_id: str, app: App, caller: Calling, nothing: Nothing | None = None) -> Response:
    """Roll a webhook's secret.

    `secret` is shown this once. For 24 hours messages are signed with the old one as well.
    """
    rolled, secret = await app.webhooks.roll(webhook_id, caller.actor, project=caller.principal.project)
    return answer(NewWebhookAnswer(**webhook_answer(rolled).model_dump(), secret=webhook_text(secret)))


async def try_webhook(webhook_id: str, app: App, caller: Calling, nothing: Nothing | None = None) -> Response:
    """Send a test message.

    Of the type `webhook.test`, now and once, to a disabled webhook as well; what came of it is the answer.
    """
    return answer(delivery_answer(await app.webhooks.test(webhook_id, project=caller.principal.project)))


async def list_deliveries(webhook_id: str, app: App, caller: Calling, query: Annotated[PageQuery, Query()]) -> Response:
    """List a webhook's deliveries.

    They are kept for thirty days, without anything of the receiver's answers but their status.
    """
    project = caller.principal.project
    if await app.webhooks.store.load(webhook_id, project=project) is None:
        raise NotFound("There is no such webhook.")
    rows, following = await app.webhooks.store.deliveries(
        webhook_id, cursor=query.cursor, limit=query.limit, project=project
    )
    return answer(DeliveryList(data=[delivery_answer(each) for each in rows], next_cursor=following))


async def replay_delivery(
    webhook_id: str, delivery_id: str, app: App, caller: Calling, nothing: Nothing | None = None
) -> Response:
    """Deliver an event once more.

    As a delivery of its own, with the same `webhook-id`.
    """
    made = await app.webhooks.replay(webhook_id, delivery_id, project=caller.principal.project)
    return answer(delivery_answer(made), 202)


async def list_events(app: App, caller: Calling, query: Annotated[EventQuery, Query()]) -> Response:
    """List events.

    Oldest first, as webhooks get them, for those who can't be reached: ask again with `next_cursor`, which is always
    there. `after=now` begins with what comes next. Events of the whole instance (jobs, keys, the audit log) need
    `admin`. They are kept for thirty days; types that are off by default only where a webhook chose them.
    """
    principal, events = caller.principal, app.webhooks.events
    if query.after == NOW:
        newest = await events.newest(project=principal.project)
        return answer(WebhookEventList(data=[], next_cursor=f"{_CURSOR}{newest}"))
    place = _place(query.after) if query.after is not None else 0
    found = await events.since(
        place,
        limit=query.limit,
        types=None if principal.allows("admin") and not principal.limited else _NOT_SYSTEM,
        connectors=principal.connectors or None,
        owners=principal.owners or None,
        project=principal.project,
    )
    last = found[-1].place if found else place
    return answer(WebhookEventList(data=[event_answer(each) for each in found], next_cursor=f"{_CURSOR}{last}"))


def _place(cursor: str) -> int:
    digits = cursor.removeprefix(_CURSOR)
    if not cursor.startswith(_CURSOR) or not (digits.isascii() and digits.isdecimal()) or len(digits) > 18:
        raise ValidationFailed(errors=[Finding("/after", "invalid", "This is no cursor of this list.")])
    return int(digits)


_ONE: Final = "/v1/webhooks/{webhook_id}"
_SECRET: Final = {**EXAMPLE, "secret": "whsec_…"}
OPERATIONS: Final = (
    Operation(
        "POST", "/v1/webhooks", create_webhook, "admin", {201: NewWebhookAnswer}, TAG, unlimited_by=LIMITS,
        takes=Takes.JSON,
        example={"url": "https://app.example/keyturn", "events": ["connection.*"], "description": "the app"},
        answer_example=_SECRET, secret=("secret",),
    ),
    Operation(
        "GET", "/v1/webhooks", list_webhooks, "admin", {200: WebhookList}, TAG, unlimited_by=LIMITS,
        answer_example={"data": [EXAMPLE], "next_cursor": None},
    ),
    Operation(
        "GET", _ONE, get_webhook, "admin", {200: WebhookAnswer}, TAG, unlimited_by=LIMITS,
        answer_example=EXAMPLE,
    ),
    Operation(
        "PATCH", _ONE, change_webhook, "admin", {200: WebhookAnswer}, TAG, unlimited_by=LIMITS,
        takes=Takes.JSON,
        problems=("generation_conflict",), example={"enabled": False}, answer_example={**EXAMPLE, "enabled": False},
    ),
    Operation("DELETE", _ONE, delete_webhook, "admin", {204: None}, TAG, unlimited_by=LIMITS),
    Operation(
        "POST", f"{_ONE}/roll", roll_webhook, "admin", {200: NewWebhookAnswer}, TAG, unlimited_by=LIMITS,
        problems=("generation_conflict", "key_unavailable"),
        answer_example={**_SECRET, "old_secret_until": "2030-02-01T12:00:00.000Z"}, secret=("secret",),
    ),
    Operation(
        "POST", f"{_ONE}/test", try_webhook, "admin", {200: DeliveryAnswer}, TAG, unlimited_by=LIMITS,
        problems=("key_unavailable",),
        answer_example={**DELIVERY, "type": "webhook.test"},
    ),
    Operation(
        "GET", f"{_ONE}/deliveries", list_deliveries, "admin", {200: DeliveryList}, TAG, unlimited_by=LIMITS,
        answer_example={"data": [DELIVERY], "next_cursor": None},
    ),
    Operation(
        "POST", f"{_ONE}/deliveries/{{delivery_id}}/replay", replay_delivery, "admin", {202: DeliveryAnswer}, TAG,
        unlimited_by=LIMITS,
        problems=("webhook_disabled",),
        answer_example={**DELIVERY, "state": "pending", "tries": 0, "status": None, "took_s": None, "tried_at": None},
    ),
    Operation(
        "GET", "/v1/events", list_events, "read", {200: WebhookEventList}, TAG,
        answer_example={"data": [EVENT], "next_cursor": "e4711"},
    ),
)  # fmt: skip
