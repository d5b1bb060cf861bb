"""What a draft changes, publishing it, and the versions that there are."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from typing import Final

from starlette.responses import Response

from keyturn.core.access.roles import Permission
from keyturn.core.building.changes import changes
from keyturn.core.errors import Finding, NotFound, PublishBlocked, ValidationFailed, VersionConflict
from keyturn.core.lint import Severity
from keyturn.engine.builder.review import SideRow, side_by_side, text_changes
from keyturn.ports.store import PublishedVersion
from keyturn.web.console.page import Page
from keyturn.web.console.pages.connectors.forms.wording import NO_STEP, Words
from keyturn.web.console.rendering import Console
from keyturn.web.console.visit import Visit

SHOWN: Final = 50
_NUMBER: Final = re.compile(r"[1-9]\d{0,8}", re.ASCII)
_PAIR: Final = re.compile(r"(\d{1,6})\.\.\.(\d{1,6})")


async def show_review(console: Console, visit: Visit) -> Response:
    """Sentences, the risky first, the text's difference, and what is still in the way."""
    return await _page(console, visit)


async def post_publish(console: Console, visit: Visit) -> Response:
    """Publish what was reviewed."""
    connector_id, text = visit.path("connector"), visit.form.text("revision")
    revision = int(text) if text.isascii() and text.isdigit() and len(text) < 12 else -1
    try:
        version = await console.application.builder.review.publish(
            connector_id,
            visit.actor,
            revision=revision,
            typed_name=visit.form.text("confirm"),
            note=visit.form.text("note"),
        )
    except VersionConflict:
        message = "Somebody else has saved the draft meanwhile. This is what it changes now; look again."
        return await _page(console, visit, (Finding("", "version_conflict", message),), status=409)
    except (ValidationFailed, PublishBlocked) as error:
        return await _page(console, visit, tuple(error.errors), status=422)
    return console.back(f"/connectors/{connector_id}/versions", said=f"published_{version.version}")


async def show_versions(console: Console, visit: Visit) -> Response:
    """The versions, newest first, page by page; a cursor is the number of the first that is shown."""
    connector_id = visit.path("connector")
    newest = await console.application.connectors.version(connector_id)
    draft = await console.application.connectors.draft(connector_id)
    if newest is None and draft is None:
        raise NotFound("There is no such connector.")
    top, cursor = newest.version if newest else 0, visit.query("cursor")
    if cursor and not _NUMBER.fullmatch(cursor):
        raise ValidationFailed(errors=[Finding("/cursor", "invalid", "This is no place in the list.")])
    first = min(top, int(cursor)) if cursor else top
    rows = [await _version(console, connector_id, n) for n in range(first, max(0, first - SHOWN), -1)]
    return console.page(
        visit,
        "connectors/versions.html",
        connector=newest.connector if newest else draft.connector if draft else None,
        rows=rows,
        top=top,
        cursor=cursor,
        next_cursor=first - SHOWN if first > SHOWN else None,
        names={f"person:{each.id}": each.name for each in await console.application.people.list()},
        used=(used := await console.application.connections.versions(connector_id)),
        behind=sum(count for version, count in used.items() if version != top),
    )


async def show_comparison(console: Console, visit: Visit) -> Response:
    """Two versions compared."""
    connector_id = visit.path("connector")
    found = _PAIR.fullmatch(visit.path("pair"))
    if found is None:
        raise NotFound("There is no such page; two versions are compared as 1...2.")
    old, new = [await _version(console, connector_id, int(n)) for n in found.groups()]
    return console.page(
        visit,
        "connectors/compare.html",
        connector=new.connector,
        old=old,
        new=new,
        changes=changes(old.connector, new.connector),
        lines=await asyncio.to_thread(text_changes, old.source, new.source),
        sides=await _sides(visit, old.source, new.source),
    )


async def post_restore(console: Console, visit: Visit) -> Response:
    """Make the text of an old version the draft."""
    connector_id, drafts = visit.path("connector"), console.application.builder.drafts
    text = visit.form.text("version")
    if not text.isascii() or not text.isdigit() or len(text) > 6:
        raise NotFound("There is no such version.")
    version = await _version(console, connector_id, int(text))
    draft = await drafts.draft(connector_id)
    await drafts.save(connector_id, version.source, draft.revision, visit.actor)
    return console.back(f"/connectors/{connector_id}/review", said="restored")


async def _version(console: Console, connector_id: str, number: int) -> PublishedVersion:
    found = await console.application.connectors.version(connector_id, number)
    if found is None:
        raise NotFound("There is no such version.")
    return found


async def _sides(visit: Visit, old: str, new: str) -> tuple[SideRow, ...] | None:
    """Both texts side by side, where the page is asked to show them so."""
    return await asyncio.to_thread(side_by_side, old, new) if visit.query("view") == "sides" else None


async def _page(console: Console, visit: Visit, errors: tuple[Finding, ...] = (), *, status: int = 200) -> Response:
    review = await console.application.builder.review(visit.path("connector"))
    by_severity = Counter(each.severity for each in review.findings)
    document = await asyncio.to_thread(console.application.builder.drafts.catalogue.read, review.draft.source)
    words = Words(review.draft.connector.id, NO_STEP, document.value)
    return console.page(
        visit,
        "connectors/review.html",
        status=status,
        review=review,
        connector=review.draft.connector,
        errors=errors,
        sides=await _sides(visit, review.version.source if review.version else "", review.draft.source),
        told=[words.finding(each) for each in review.findings],
        errors_found=by_severity[Severity.ERROR],
        warnings=by_severity[Severity.WARNING],
        infos=by_severity[Severity.INFO],
        risky=[each for each in review.changes if each.risky],
        calm=[each for each in review.changes if not each.risky],
        may_publish=visit.may(Permission.PUBLISH),
        note=visit.form.text("note"),
    )


_ONE: Final = "/connectors/{connector}"
PAGES: Final = (
    Page("GET", f"{_ONE}/review", show_review, Permission.VIEW),
    Page("POST", f"{_ONE}/review", post_publish, Permission.PUBLISH, fresh=True),
    Page("GET", f"{_ONE}/versions", show_versions, Permission.VIEW),
    Page("GET", f"{_ONE}/versions/{{pair}}", show_comparison, Permission.VIEW),
    Page("POST", f"{_ONE}/versions/restore", post_restore, Permission.WRITE_CONNECTORS),
)
