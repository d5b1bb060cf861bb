"""Webhooks, deliveries and events, as callers send and get them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from keyturn.core.events.event import Event
from keyturn.ports.webhooks.endpoints import Delivery, Endpoint
from keyturn.web.control.shapes.answers import Time
from keyturn.web.control.shapes.requests import Members, Text
from keyturn.web.control.shapes.showing import maybe_time, time_of

Events = Annotated[list[Text], Field(max_length=100)]


class NewWebhook(Members):
    """An address to deliver to. `events`: types and `noun.*`; empty means all usual ones."""

    url: Text
    events: Events = Field(default_factory=list)
    description: Text = ""
    enabled: bool = True


class ChangedWebhook(Members):
    """What is to change; what is absent stays."""

    url: Text | None = None
    events: Events | None = None
    description: Text | None = None
    enabled: bool | None = None


class EventQuery(Members):
    """Where to go on: a cursor, or `now` for what comes from now on; from the oldest kept one where absent."""

    after: Text | None = None
    limit: Annotated[int, Field(ge=1, le=200, strict=False)] = 50


class WebhookAnswer(BaseModel):
    """An endpoint. `disabled_code`: why it was disabled by itself. `failing_since`: nothing has reached it since."""

    id: str
    url: str
    events: list[str]
    description: str
    enabled: bool
    disabled_code: str | None
    failing_since: Time | None
    old_secret_until: Time | None
    created_by: str
    created_at: Time


class NewWebhookAnswer(WebhookAnswer):
    """An endpoint with its new secret; None in a replay."""

    secret: str | None


class WebhookList(BaseModel):
    """All of them, oldest first."""

    data: list[WebhookAnswer]
    next_cursor: None = None


class DeliveryAnswer(BaseModel):
    """A delivery: `pending`, `delivered`, `failed` (given up) or `dropped` (the endpoint was disabled before).

    `status`, `took_s` and `code` are of the last try; of the receiver's answer nothing else is kept.
    """

    id: str
    event: str
    type: str
    state: str
    tries: int
    status: int | None
    took_s: float | None
    code: str | None
    created_at: Time
    tried_at: Time | None


class DeliveryList(BaseModel):
    """One page, newest first."""

    data: list[DeliveryAnswer]
    next_cursor: str | None


class EventData(BaseModel):
    """What an event is about."""

    id: str | None
    connector: str | None
    owner: str | None
    state: str | None
    code: str | None


class WebhookEvent(BaseModel):
    """An event; without its id it is the body of a webhook."""

    id: str
    type: str
    timestamp: Time
    data: EventData


class WebhookEventList(BaseModel):
    """Oldest first. `next_cursor`: where to go on, always; ask again later where `data` is empty."""

    data: list[WebhookEvent]
    next_cursor: str


def webhook_answer(endpoint: Endpoint) -> WebhookAnswer:
    """Show one."""
    return WebhookAnswer(
        id=endpoint.id,
        url=endpoint.url,
        events=list(endpoint.events),
        description=endpoint.description,
        enabled=endpoint.enabled,
        disabled_code=endpoint.disabled_code,
        failing_since=maybe_time(endpoint.failing_since),
        old_secret_until=maybe_time(endpoint.old_secret_until),
        created_by=endpoint.created_by,
        created_at=time_of(endpoint.created_at),
    )


def delivery_answer(delivery: Delivery) -> DeliveryAnswer:
    """Show one."""
    return DeliveryAnswer(
        id=delivery.id,
        event=delivery.event,
        type=delivery.type,
        state=delivery.state.value,
        tries=delivery.tries,
        status=delivery.status,
        took_s=delivery.took_s,
        code=delivery.code,
        created_at=time_of(delivery.created_at),
        tried_at=maybe_time(delivery.tried_at),
    )


def event_answer(event: Event) -> WebhookEvent:
    """Show one."""
    return WebhookEvent(id=event.id, **event.document())
