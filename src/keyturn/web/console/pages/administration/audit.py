"""The audit log: filtered by the address, read record by record, verified.

Rule 1: a filter stands in the address and nowhere else; days are of UTC, the first included, the last not.
Rule 2: verifying reads the whole log, so it is a form and no link.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from starlette.responses import Response

from keyturn.core.access.roles import Permission
from keyturn.core.audit.chain import FAULTS
from keyturn.core.errors import Finding, NotFound, ValidationFailed
from keyturn.engine.audit.verify import Verdict
from keyturn.ports.audit import AuditFilter
from keyturn.web.console.page import Page
from keyturn.web.console.rendering import Console
from keyturn.web.console.visit import Visit

SHOWN: Final = 50
LONGEST: Final = 4096
LARGEST: Final = 2**63 - 1
NAMES: Final = ("action", "outcome", "actor", "connector", "connection", "owner", "since", "until")
_MAC: Final = re.compile(r"[0-9a-f]{64}")


async def show_audit(console: Console, visit: Visit) -> Response:
    """Newest first, those that fit everything that is asked for."""
    asked = {name: visit.query(name).strip()[:LONGEST] for name in NAMES}
    chain = console.application.auditing.chain
    try:
        which = _filter(asked)
    except ValidationFailed as error:
        return console.page(
            visit, "administration/audit.html", status=422, asked=asked, rows=(), next_cursor=None,
            verified_at=await chain.verified_at(), errors=error.errors,
        )  # fmt: skip
    rows, following = await chain.page(which, cursor=visit.query("cursor") or None, limit=SHOWN)
    return console.page(
        visit, "administration/audit.html", asked=asked, rows=rows, next_cursor=following,
        verified_at=await chain.verified_at(), errors=(),
    )  # fmt: skip


async def show_record(console: Console, visit: Visit) -> Response:
    """One of them, in its place in the chain."""
    number = _number(visit.path("seq"))
    found = await console.application.auditing.chain.entry(number) if number else None
    if found is None:
        raise NotFound("There is no such record.")
    bounds = await console.application.auditing.chain.bounds()
    return console.page(visit, "administration/record.html", entry=found, start=bounds.start[0], head=bounds.head[0])


async def show_verify(console: Console, visit: Visit) -> Response:
    """What verifying does, and the form for it."""
    return await _verify_page(console, visit, {"seq": "", "mac": ""})


async def post_verify(console: Console, visit: Visit) -> Response:
    """Verify all of it, and show what came of it. A log that is not right is an answer too."""
    typed = {name: visit.form.text(name).strip() for name in ("seq", "mac")}
    number, mac = _number(typed["seq"]), typed["mac"].lower()
    errors = []
    if any(typed.values()) and not number:
        errors.append(Finding("/seq", "invalid", "The number of the head, from 1 on; or leave both empty."))
    if any(typed.values()) and not _MAC.fullmatch(mac):
        errors.append(Finding("/mac", "invalid", "The MAC of the head, 64 hexadecimal digits; or leave both empty."))
    if errors:
        return await _verify_page(console, visit, typed, status=422, errors=tuple(errors))
    anchor = (number, bytes.fromhex(mac)) if number else None
    verdict = await console.application.auditing.verify(anchor=anchor)
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
    Page("GET", "/audit/{seq}", show_record, Permission.VIEW),
)
