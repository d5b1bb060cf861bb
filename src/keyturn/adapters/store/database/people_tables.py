"""People who sign in to the console, their links and sessions; and the links of those whose accounts are connected."""

from __future__ import annotations

from typing import Final

import sqlalchemy as sa

from keyturn.adapters.store.database.schema import metadata, number_column, text_column, time_column

people: Final = sa.Table(
    "people",
    metadata,
    text_column("id", key=True),
    text_column("project"),
    text_column("name"),
    text_column("role"),
    time_column("created_at"),
    text_column("subject", empty=True),
    time_column("removed_at", empty=True),
    time_column("signed_in_at", empty=True),
    number_column("revision"),
    text_column("email", empty=True),
)
sa.Index(
    "people_by_subject",
    people.c.project,
    people.c.subject,
    unique=True,
    sqlite_where=people.c.removed_at.is_(None) & people.c.subject.is_not(None),
)

sign_in_links: Final = sa.Table(
    "sign_in_links",
    metadata,
    text_column("digest", key=True),
    text_column("project"),
    text_column("person"),
    time_column("expires_at"),
    text_column("created_by"),
)

console_sessions: Final = sa.Table(
    "console_sessions",
    metadata,
    text_column("id", key=True),
    text_column("project"),
    text_column("digest"),
    text_column("person"),
    time_column("created_at"),
    time_column("seen_at"),
    time_column("expires_at"),
    text_column("agent"),
    time_column("authenticated_at", empty=True),
    text_column("before", empty=True),
)
sa.Index("console_sessions_by_digest", console_sessions.c.digest, unique=True)
sa.Index("console_sessions_by_person", console_sessions.c.person)

person_links: Final = sa.Table(
    "person_links",
    metadata,
    text_column("id", key=True),
    text_column("project"),
    text_column("digest"),
    text_column("account_digest"),
    text_column("connection"),
    time_column("created_at"),
    time_column("expires_at"),
    text_column("created_by"),
)
sa.Index("person_links_by_digest", person_links.c.digest, unique=True)
sa.Index("person_links_by_connection", person_links.c.connection)
