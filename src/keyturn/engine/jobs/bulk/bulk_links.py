"""The links that a bulk job made, with whom each is for: made again from their sessions, as no job keeps a link."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keyturn.engine.actor import Actor
from keyturn.engine.jobs.bulk.bulk_report import session_ids
from keyturn.engine.login.connect_sessions import ConnectSessions, OpenLink
from keyturn.ports.jobs import Job
from keyturn.ports.store import ConnectionStore


@dataclass(frozen=True, slots=True)
class MadeLink:
    """A link of a job. `link`: None where it was opened or is too old; the rest None where the connection is gone."""

    connection: str
    session: str
    link: OpenLink | None
    connector: str | None = None
    owner: str | None = None
    name: str | None = None


async def links_of(
    job: Job, actor: Actor, *, connections: ConnectionStore, connect_sessions: ConnectSessions
) -> Sequence[MadeLink]:
    """Get them, in the job's order."""
    made = []
    for connection_id, session_id in session_ids(job.report):
        link = await connect_sessions.link_again(session_id, actor)
        each = await connections.shown(connection_id, project=job.project)
        about = (each.connector, each.owner, each.name) if each is not None else ()
        made.append(MadeLink(connection_id, session_id, link, *about))
    return made
