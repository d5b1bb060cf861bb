"""What happened to a connection: its records of the audit log and its calls, and thirty days and one at a glance.

Rule 1: the strip is made of the newest records only, and says so where there are more.
Rule 2: calls are in no record; they stand between the records by the hour, as they are counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from markupsafe import Markup
from starlette.responses import Response

from keyturn.core.access.roles import Permission
from keyturn.core.audit.kinds import WELL, RecordKind
from keyturn.core.audit_record import AuditRecord
from keyturn.core.errors import Finding, ValidationFailed
from keyturn.core.observing.call_hour import HOUR_S, CallHour, last_day
from keyturn.web.console.charts.board import moment
from keyturn.web.console.charts.calls import spark
from keyturn.web.console.charts.shapes import strip
from keyturn.web.console.page import Page
from keyturn.web.console.pages.connections.shown import connection_page, found
from keyturn.web.console.places import audit_of
from keyturn.web.console.rendering import Console
from keyturn.web.console.visit import Visit
from keyturn.web.console.who import who_did

SHOWN: Final = 50
LOOKED_AT: Final = 500
DAYS: Final = 30
DAY_S: Final = 86_400.0
LOST: Final = "connection.needs_reconnect"
KINDS: Final = {
    "": "everything",
    RecordKind.RENEWALS.value: "renewals",
    RecordKind.CALLS.value: "tests and calls",
    RecordKind.FAILURES.value: "failures",
    RecordKind.CHANGES.value: "made, changed, ended",
}


@dataclass(frozen=True, slots=True)
class Days:
    """Thirty days: the drawing, where there is a record, one sentence, and a row for each day that has records."""

    drawing: Markup | None
    summary: str
    rows: tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Hour:
    """An hour of calls as a row. `when`: from when to when; `recorded`: where all records of this hour are."""

    counted: CallHour
    when: str
    recorded: str


async def show_timeline(console: Console, visit: Visit) -> Response:
    """Newest first, of the kind that is asked for."""
    connection = await found(console, visit)
    kind = visit.query("kind")
    if kind not in KINDS:
        message = f"The kinds are: {', '.join(each for each in KINDS if each)}."
        raise ValidationFailed(errors=[Finding("/kind", "invalid", message)])
    application, now = console.application, console.now()
    newest, more = await application.audit.list(connection=connection.id, limit=LOOKED_AT)
    counted = await application.overview.calls([connection.id], last_day(now)[0])
    of_kind, cursor = RecordKind(kind) if kind else None, visit.query("cursor") or None
    page, following = await application.overview.timeline(connection.id, kind=of_kind, cursor=cursor, limit=SHOWN)
    return await connection_page(
        console,
        visit,
        connection,
        "connections/timeline.html",
        rows=[_hour(connection.id, each) if isinstance(each, CallHour) else each for each in page],
        names=await who_did(console, visit, (each[1].actor for each in page if not isinstance(each, CallHour))),
        cursor=cursor,
        kind=kind,
        kinds=KINDS,
        next_cursor=following,
        days=days_of([each for _, each in newest], now, cut=more is not None),
        day=spark(counted.get(connection.id, ()), now, moment),
    )


def _hour(connection_id: str, hour: CallHour) -> Hour:
    ends_at = hour.begins_at + HOUR_S
    recorded = audit_of(hour.begins_at, ends_at, connection=connection_id)
    return Hour(hour, f"{moment(hour.begins_at)}–{moment(ends_at, day=False)} UTC", recorded)


def days_of(records: Sequence[AuditRecord], now: float, *, cut: bool) -> Days:
    """The days up to now: nothing, all well, something failed, the person was needed."""
    today = now // DAY_S
    counted: dict[int, tuple[int, int, bool]] = {}
    for each in records:
        day = int(today - each.at // DAY_S)
        if 0 <= day < DAYS:
            count, failed, lost = counted.get(day, (0, 0, False))
            counted[day] = (count + 1, failed + (each.outcome not in WELL), lost or each.action == LOST)
    cells = []
    for day in reversed(range(DAYS)):
        _, failed, lost = counted.get(day, (0, 0, False))
        cells.append("" if day not in counted else "most" if lost else "some" if failed else "well")
    bad, silent = sum(each in ("some", "most") for each in cells), cells.count("")
    well = DAYS - bad - silent
    summary = f"In the last {DAYS} days: {well} all well, {bad} with a failure, {silent} without a record."
    if cut:
        summary += f" Made of the newest {LOOKED_AT} records."
    rows = tuple(
        (datetime.fromtimestamp((today - day) * DAY_S, UTC).strftime("%Y-%m-%d"), count, failed)
        for day, (count, failed, _) in sorted(counted.items())
    )
    return Days(strip(summary, cells) if rows else None, summary, rows)


PAGES: Final = (Page("GET", "/connections/{connection}/timeline", show_timeline, Permission.VIEW),)
