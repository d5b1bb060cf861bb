"""The audit log: filtered by the address, read record by record, verified.

Rule 1: a filter stands in the address and nowhere else; days are of UTC, the first included, the last not.
Rule 2: verifying reads the whole log, so it is a form and no link; exporting is recorded, so it is one as well.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from starlette.responses import Response, StreamingResponse

from keyturn.core.access.roles import Permission
from keyturn.core.audit.chain import FAULTS
from keyturn.core.audit.checkpoint import Checkpoint
from keyturn.core.audit.exported import MEDIA_TYPE
from keyturn.core.audit_record import AuditRecord
from keyturn.core.errors import Finding, NotFound, StoreUnavailable, ValidationFailed
from keyturn.engine.audit.verify import Verdict
from keyturn.ports.audit import AuditFilter, actions_in
from keyturn.web.console.page import Page
from keyturn.web.console.rendering import Console
from keyturn.web.console.visit import Visit
from keyturn.web.console.who import who_did

SHOWN: Final = 50
LONGEST: Final = 4096
LARGEST: Final = 2**63 - 1
NOISE: Final = 0.3  # an action that has this share of a page hides the others
NAMES: Final = ("action", "without", "outcome", "actor", "connector", "connection", "owner", "since", "until")
EXPORT_INPUTS: Final = ("export_since", "export_until")
VERIFY_INPUTS: Final = ("seq", "mac", "first", "last")
_NOTHING_TYPED: Final = MappingProxyType(dict.fromkeys(EXPORT_INPUTS, ""))
_MAC: Final = re.compile(r"[0-9a-f]{64}")


async def show_audit(console: Console, visit: Visit) -> Response:
    """Newest first, those that fit everything that is asked for."""
    asked = {name: visit.query(name).strip()[:LONGEST] for name in NAMES}
    try:
        which = _filter(asked)
    except ValidationFailed as error:
        return await _list(console, visit, asked, errors=error.errors)
    rows, following = await console.application.auditing.read.page(
        which, visit.actor, cursor=visit.query("cursor") or None, limit=SHOWN
    )
    return await _list(console, visit, asked, rows=rows, following=following)


async def post_export(console: Console, visit: Visit) -> Response:
    """Hand out the log as a file; that is recorded first."""
    typed = {name: visit.form.text(name).strip()[:LONGEST] for name in EXPORT_INPUTS}
    try:
        since, until = (_day(name, typed[name]) for name in EXPORT_INPUTS)
    except ValidationFailed as error:
        return await _list(console, visit, dict.fromkeys(NAMES, ""), errors=error.errors, typed=typed)
    lines = await console.application.auditing.export.begin(visit.actor, since=since, until=until)
    day = datetime.fromtimestamp(console.now(), UTC).date().isoformat()
    headers = {"content-disposition": f'attachment; filename="keyturn-audit-{day}.ndjson"'}
    return StreamingResponse(lines, media_type=MEDIA_TYPE, headers=headers)


async def show_record(console: Console, visit: Visit) -> Response:
    """One of them, in its place in the chain."""
    number = _number(visit.path("seq"))
    found = await console.application.auditing.read.entry(number, visit.actor) if number else None
    if found is None:
        raise NotFound("There is no such record.")
    before, after = [await console.application.auditing.chain.entry(found.seq + n) for n in (-1, 1)]
    return console.page(
        visit, "administration/record.html", entry=found, before=before, after=after,
        names=await who_did(console, visit, (found.record.actor,)),
    )  # fmt: skip


async def show_verify(console: Console, visit: Visit) -> Response:
    """What verifying does, and the form for it."""
    return await _verify_page(console, visit, dict.fromkeys(VERIFY_INPUTS, ""))


async def post_verify(console: Console, visit: Visit) -> Response:
    """Verify all of it or a stretch, and show what came of it. A log that is not right is an answer too."""
    typed = {name: visit.form.text(name).strip() for name in VERIFY_INPUTS}
    number, mac = _number(typed["seq"]), typed["mac"].lower()
    errors = []
    half = bool(typed["seq"] or mac)
    if half and not number:
        errors.append(Finding("/seq", "invalid", "The number of the head, from 1 on; or leave both empty."))
    if half and not _MAC.fullmatch(mac):
        errors.append(Finding("/mac", "invalid", "The MAC of the head, 64 hexadecimal digits; or leave both empty."))
    errors += [
        Finding(f"/{name}", "invalid", "A record's number, from 1 on; or leave it empty.")
        for name in ("first", "last")
        if typed[name] and not _number(typed[name])
    ]
    if errors:
        return await _verify_page(console, visit, typed, status=422, errors=tuple(errors))
    anchor = (number, bytes.fromhex(mac)) if number else None
    first, last = (_number(typed[name]) or None for name in ("first", "last"))
    try:
        verdict = await console.application.auditing.verify(anchor=anchor, first=first, last=last)
    except ValidationFailed as error:
        return await _verify_page(console, visit, typed, status=422, errors=tuple(error.errors))
    return await _verify_page(console, visit, typed, verdict=verdict)


async def _verify_page(
    console: Console, visit: Visit, typed: Mapping[str, str], *, status: int = 200,
    errors: tuple[Finding, ...] = (), verdict: Verdict | None = None,
) -> Response:  # fmt: skip
    verified_at = await console.application.auditing.chain.verified_at()
    return console.page(
        visit, "administration/verify.html", status=status, typed=typed, errors=errors, verdict=verdict,
        faults=FAULTS, verified_at=verified_at,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Standing:
    """The main chain at a glance. `mac`: hexadecimal. `unreadable`: the file with the heads outside is."""

    head: int
    mac: str
    verified_at: float | None
    anchors: bool
    anchored: Checkpoint | None = None
    unreadable: bool = False


async def _standing(console: Console) -> Standing:
    auditing = console.application.auditing
    bounds, verified_at = await auditing.chain.bounds(), await auditing.chain.verified_at()
    head, mac = bounds.head
    found = Standing(head, mac.hex(), verified_at, auditing.keeper.anchors)
    try:
        return replace(found, anchored=await auditing.keeper.anchored())
    except StoreUnavailable:
        return replace(found, unreadable=True)


async def _list(
    console: Console, visit: Visit, asked: Mapping[str, str], *, rows: Sequence[tuple[int, AuditRecord]] = (),
    following: str | None = None, errors: Sequence[Finding] = (), typed: Mapping[str, str] = _NOTHING_TYPED,
) -> Response:  # fmt: skip
    actions = Counter(record.action for _, record in rows)
    noise = [each for each in actions.most_common() if len(actions) > 1 and each[1] > NOISE * len(rows)]
    return console.page(
        visit, "administration/audit.html", status=422 if errors else 200, asked=asked, rows=rows, errors=errors,
        next_cursor=following, typed=typed, actions=sorted(actions), standing=await _standing(console),
        names=await who_did(console, visit, (each for _, record in rows for each in _who(record))),
        quieter=[(action, count, ",".join(filter(None, (asked["without"], action)))) for action, count in noise],
    )  # fmt: skip


def _who(record: AuditRecord) -> tuple[str | None, ...]:
    """Who did it, and to which person or key."""
    person, key = record.facts.get("person"), record.facts.get("api_key")
    return (record.actor, person and f"person:{person}", key and f"key:{key}")


def _filter(asked: Mapping[str, str]) -> AuditFilter:
    """ValidationFailed where a day is none."""
    return AuditFilter(
        asked["actor"] or None,
        asked["action"] or None,
        asked["owner"] or None,
        asked["connection"] or None,
        asked["connector"] or None,
        asked["outcome"] or None,
        _day("since", asked["since"]),
        _day("until", asked["until"]),
        without=actions_in(asked["without"]),
    )


def _day(name: str, text: str) -> float | None:
    """The beginning of a day, or an instant; Unix seconds."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        message = "A day such as 2030-01-31, or an instant such as 2030-01-31T12:00:00Z."
        raise ValidationFailed(errors=[Finding(f"/{name}", "invalid", message)]) from None


def _number(text: str) -> int:
    """A record's number; 0 where this is none."""
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0
    return number if number <= LARGEST else 0


PAGES: Final = (
    Page("GET", "/audit", show_audit, Permission.VIEW),
    Page("GET", "/audit/verify", show_verify, Permission.VIEW),
    Page("POST", "/audit/verify", post_verify, Permission.VIEW),
    Page("POST", "/audit/export", post_export, Permission.ADMINISTER, fresh=True),
    Page("GET", "/audit/{seq}", show_record, Permission.VIEW),
)
