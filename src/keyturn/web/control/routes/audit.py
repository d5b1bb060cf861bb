"""The audit log, newest first."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Query
from starlette.responses import Response

from keyturn.web.control.caller import App, Calling
from keyturn.web.control.operations import Operation
from keyturn.web.control.shapes.answers import EventList
from keyturn.web.control.shapes.requests import AuditQuery
from keyturn.web.control.shapes.showing import answer, event_list

TAG: Final = "audit"


async def list_audit(app: App, caller: Calling, query: Annotated[AuditQuery, Query()]) -> Response:
    """Read the audit log.

    A key that is limited to connectors sees what was done with these; a page may then hold fewer records than asked.
    """
    found, following = await app.audit.list(
        connection=query.connection, cursor=query.cursor, limit=query.limit, project=caller.principal.project
    )
    limited = caller.principal.connectors
    seen = [(seq, each) for seq, each in found if not limited or each.connector in limited]
    return answer(event_list(seen, following))


OPERATIONS: Final = (Operation("GET", "/v1/audit", list_audit, "admin", {200: EventList}, TAG),)
