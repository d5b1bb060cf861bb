"""Events, webhook endpoints and deliveries.

An event names its owner so that erasing the person takes it away; a delivery keeps the event's id and type alone.
"""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from keyturn.adapters.store.database.schema import (
    bytes_column,
    flag_column,
    metadata,
    number_column,
    text_column,
    time_column,
)

webhook_endpoints: Final = sa.Table(
    "webhook_endpoints",
    metadata,
    text_column("id", key=True),
    text_column("project"),
    text_column("url"),
    text_column("events"),
    text_column("description"),
    flag_column("enabled"),
    text_column("disabled_code", empty=True),
    time_column("created_at"),
    text_column("created_by"),
    time_column("failing_since", empty=True),
    time_column("old_secret_until", empty=True),
    number_column("generation"),
    number_column("revision"),
    bytes_column("data_key"),
    bytes_column("sealed_secrets"),
)

webhook_deliveries: Final = sa.Table(
    "webhook_deliveries",
    metadata,
    text_column("id", key=True),
    text_column("project"),
    text_column("endpoint"),
    text_column("event"),
    text_column("type"),
    time_column("created_at"),
    text_column("state"),
    number_column("tries"),
    time_column("tried_at", empty=True),
    number_column("status", empty=True),
    time_column("took_s", empty=True),
    text_column("code", empty=True),
)
sa.Index("webhook_deliveries_newest", webhook_deliveries.c.endpoint, webhook_deliveries.c.created_at)
sa.Index("webhook_deliveries_age", webhook_deliveries.c.created_at)

events: Final = sa.Table(
    "events",
    metadata,
    number_column("place", key=True),
    text_column("id"),
    text_column("project"),
    text_column("type"),
    time_column("at"),
    text_column("object", empty=True),
    text_column("connector", empty=True),
    text_column("owner", empty=True),
    text_column("state", empty=True),
    text_column("code", empty=True),
)
sa.Index("events_by_id", events.c.id, unique=True)
sa.Index("events_by_type", events.c.project, events.c.type, events.c.at)
sa.Index("events_by_owner", events.c.project, events.c.owner)
sa.Index("events_by_time", events.c.at)

# `cursor`: the last audit record that was followed. Others: what was said once, by name.
event_marks: Final = sa.Table(
    "event_marks",
    metadata,
    text_column("name", key=True),
    number_column("seq", empty=True),
    time_column("at", empty=True),
)

connector_sends: Final = sa.Table(
    "connector_sends",
    metadata,
    text_column("project", key=True),
    text_column("connector", key=True),
    sa.Column("bucket", sa.Float, primary_key=True, nullable=False),
    number_column("worked"),
    number_column("failed"),
    number_column("set_up"),
    text_column("code", empty=True),
)
