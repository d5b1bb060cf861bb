"""The audit log: listed, read, verified, exported, anchored."""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import Query
from starlette.responses import Response, StreamingResponse

from keyturn.core.audit.exported import MEDIA_TYPE
from keyturn.core.errors import Finding, NotFound, ValidationFailed
from keyturn.ports.audit import AuditFilter, actions_in
from keyturn.web.control.caller import App, Calling
from keyturn.web.control.operations import LIMITS, Operation
from keyturn.web.control.shapes.answers import EventList
from keyturn.web.control.shapes.audit import (
    AnchorAnswer,
    EntryAnswer,
    VerifyAnswer,
    anchor_answer,
    entry_answer,
    verify_answer,
)
from keyturn.web.control.shapes.requests import AuditQuery, ExportQuery, VerifyQuery
from keyturn.web.control.shapes.showing import answer, event_list

TAG: Final = "audit"
_LARGEST: Final = 2**63 - 1
_HEAD: Final = {"seq": 18204, "mac": "9f3c" + "0" * 60}
EXAMPLE: Final[dict[str, Any]] = {
    "ok": True,
    "whole": True,
    "entries": 18204,
    "since": 1,
    "head": _HEAD,
    "first_bad": None,
    "anchor": {"checked": 12, "newest": 18190, "fault": None},
    "generations": {"checked": 1204, "older": [], "missing": []},
    "strangers": [],
    "routine": {"entries": 5120, "first_bad": None},
    "public_key": "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29",
}


async def list_audit(app: App, caller: Calling, query: Annotated[AuditQuery, Query()]) -> Response:
    """Read the audit log.

    Newest first; a key that is limited to connectors sees what was done with these, one that is limited to owners
    nothing. `owner` may also be the subject
    id that an erased owner is shown as. That a key reads it is recorded, once an hour, as `audit.read`.
    """
    which = AuditFilter(
        query.actor,
        query.action,
        query.owner,
        query.connection,
        query.connector,
        query.outcome,
        query.since.timestamp() if query.since else None,
        query.until.timestamp() if query.until else None,
        caller.principal.connectors or None,
        actions_in(query.without),
    )
    found, following = await app.auditing.read.page(
        which, caller.actor, cursor=query.cursor, limit=query.limit, project=caller.principal.project
    )
    return answer(event_list(found, following))


async def get_audit_record(seq: str, app: App, caller: Calling) -> Response:
    """Read one record of the audit log, with its place in the chain."""
    number = int(seq) if seq.isdecimal() and seq.isascii() and len(seq) < 20 else 0
    found = None
    if 0 < number <= _LARGEST:
        found = await app.auditing.read.entry(number, caller.actor, project=caller.principal.project)
    if found is None or (caller.principal.connectors and found.record.connector not in caller.principal.connectors):
        raise NotFound("There is no such record.")
    return answer(entry_answer(found))


async def verify_audit(app: App, caller: Calling, query: Annotated[VerifyQuery, Query()]) -> Response:
    """Verify the audit log.

    Goes along the whole chain, holds it against the heads of `KEYTURN_AUDIT_ANCHOR` and the one that `seq` and `mac`
    name, and compares each connection's generation with the last one recorded. With `first`, `last` or both, only the
    records of that stretch, and the heads within it, are looked at: `whole` is false. A log that is not right is an
    answer too: `ok` is false.
    """
    if (query.seq is None) != (query.mac is None):
        missing = "seq" if query.seq is None else "mac"
        raise ValidationFailed(errors=[Finding(f"/{missing}", "required", "A head is a number and a MAC.")])
    anchor = (query.seq, bytes.fromhex(query.mac)) if query.seq is not None and query.mac is not None else None
    verdict = await app.auditing.verify(
        anchor=anchor, first=query.first, last=query.last, project=caller.principal.project
    )
    return answer(verify_answer(verdict))


async def anchor_audit(app: App, caller: Calling) -> Response:
    """Read the signed head of the audit log, to keep it outside.

    Held against the log later, it shows whether records were cut off or written anew.
    """
    return answer(anchor_answer(await app.auditing.keeper.head()))


async def export_audit(app: App, caller: Calling, query: Annotated[ExportQuery, Query()]) -> Response:
    """Export the audit log as JSON lines, oldest first.

    The last line is a signed checkpoint with the number of lines and their digest: an export without it broke off.
    Persons stand in it as subject ids. That it was exported is recorded.
    """
    lines = await app.auditing.export.begin(
        caller.actor,
        since=query.since.timestamp() if query.since else None,
        until=query.until.timestamp() if query.until else None,
        project=caller.principal.project,
    )
    return StreamingResponse(lines, media_type=MEDIA_TYPE)


OPERATIONS: Final = (
    Operation("GET", "/v1/audit", list_audit, "admin", {200: EventList}, TAG, unlimited_by=("owners",)),
    Operation(
        "GET",
        "/v1/audit/verify",
        verify_audit,
        "admin",
        {200: VerifyAnswer},
        TAG,
        unlimited_by=LIMITS,
        problems=("audit_unavailable",),
        answer_example=EXAMPLE,
    ),
    Operation(
        "GET",
        "/v1/audit/anchor",
        anchor_audit,
        "admin",
        {200: AnchorAnswer},
        TAG,
        unlimited_by=LIMITS,
        answer_example={
            "keyturn_audit": 1,
            "kind": "head",
            **_HEAD,
            "at": "2030-01-31T12:00:00.000000Z",
            "public_key": EXAMPLE["public_key"],
            "signature": "6c1f" + "0" * 124,
        },
    ),
    Operation("GET", "/v1/audit/export", export_audit, "admin", {200: None}, TAG, unlimited_by=LIMITS),
    Operation("GET", "/v1/audit/{seq}", get_audit_record, "admin", {200: EntryAnswer}, TAG, unlimited_by=("owners",)),
)
