"""The reconnect links that a job made: as a table to look at, or as a file to send them from.

Rule 1: a link stands in the answer to a form alone: in no address, and on no page that can be opened again.
Rule 2: a cell of the CSV that a spreadsheet would take for a formula is made text; names come from providers.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Final

from starlette.responses import Response

from keyturn.engine.jobs.bulk.bulk_links import MadeLink, links_of
from keyturn.ports.jobs import Job
from keyturn.web.console.rendering import Console
from keyturn.web.console.shown_once import link_text
from keyturn.web.console.visit import Visit

COLUMNS: Final = ("owner", "name", "connector", "connection", "url", "expires_at")
FILES: Final = {"csv": "text/csv; charset=utf-8", "ndjson": "application/x-ndjson"}
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Row:
    """A link and whom it is for; `url` and `expires_at` are None where it was opened or is too old."""

    owner: str | None
    name: str | None
    connector: str | None
    connection: str
    url: str | None
    expires_at: float | None


async def rows_of(console: Console, visit: Visit, job: Job) -> list[Row]:
    """The links of a job, each for its person."""
    application = console.application
    made = await links_of(
        job, visit.actor, connections=application.connections, connect_sessions=application.connect_sessions
    )
    return [_row(each) for each in made]


def _row(made: MadeLink) -> Row:
    url, ends = (link_text(made.link), made.link.session.expires_at) if made.link is not None else (None, None)
    return Row(made.owner, made.name, made.connector, made.connection, url, ends)


def as_csv(rows: Sequence[Row]) -> str:
    """A line each, below one with the columns' names; links that lead nowhere any more have no line."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")  # RFC 4180
    writer.writerow(COLUMNS)
    writer.writerows([_plain(value) for value in _values(each).values()] for each in rows if each.url is not None)
    return text.getvalue()


def as_ndjson(rows: Sequence[Row]) -> str:
    """An object a line."""
    lines = [json.dumps(_values(each), ensure_ascii=False) for each in rows if each.url is not None]
    return "".join(f"{line}\n" for line in lines)


def as_file(job: Job, rows: Sequence[Row], kind: str) -> Response:
    """The same as a file; `kind`: one of `FILES`."""
    text = as_csv(rows) if kind == "csv" else as_ndjson(rows)
    headers = {"content-disposition": f'attachment; filename="reconnect-links-{job.id}.{kind}"'}
    return Response(text, media_type=FILES[kind], headers=headers)


def _values(row: Row) -> dict[str, str | None]:
    ends = None
    if row.expires_at is not None:
        ends = datetime.fromtimestamp(row.expires_at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    values = {**asdict(row), "expires_at": ends}
    return {name: values[name] for name in COLUMNS}


def _plain(value: str | None) -> str:
    text = value or ""
    return f"'{text}" if text.startswith(FORMULA) else text
