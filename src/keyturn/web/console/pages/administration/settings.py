"""What is set and where that came from, how much is logged for a while, and which calls the API has.

Rule 1: settings are read here and never changed: they are the environment's, and a server reads them once.
Rule 2: a setting that may hold a secret shows as set or not set.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from starlette.responses import Response

from keyturn.core.access.roles import Permission
from keyturn.core.errors import Finding, NotFound, ValidationFailed
from keyturn.web.console.instance import ShownCall, ShownSetting
from keyturn.web.console.page import Page
from keyturn.web.console.rendering import Console
from keyturn.web.console.visit import Visit
from keyturn.web.kit.log_level import LEVELS, set_log_level

SPANS: Final = {"600": "10 minutes", "3600": "an hour", "14400": "4 hours", "86400": "a day"}
SOURCES: Final = {
    "default": "default",
    "environment": "environment",
    "file": "file named by the environment",
    "start": "command that started the server",
}
# Heading and beginnings of the names below it; the first that fits counts, the last fits all.
GROUPS: Final = (
    ("Pages and brand", ("KEYTURN_OPERATOR_NAME", "KEYTURN_BRAND_", "KEYTURN_PUBLIC_URL")),
    ("Embedding", ("KEYTURN_RETURN_ORIGINS",)),
    ("Signing in to this console", ("KEYTURN_SIGN_IN_LINKS", "KEYTURN_OIDC_")),
    ("Limits", ("KEYTURN_LIMIT_",)),
    ("Ways out", ("KEYTURN_EGRESS_", "KEYTURN_INSECURE_HTTP")),
    ("Audit log", ("KEYTURN_AUDIT_",)),
    ("Mail", ("KEYTURN_SMTP_", "KEYTURN_MAIL_")),
    ("Log and traces", ("KEYTURN_LOG_", "KEYTURN_OTEL_")),
    ("Keys and storage", ("KEYTURN_KEYS", "KEYTURN_DATABASE_URL", "KEYTURN_DATA", "KEYTURN_OFFLINE_GRACE")),
    ("Server", ("",)),
)


async def show_settings(console: Console, visit: Visit) -> Response:
    """All of them, by what they are about."""
    switch = console.instance.log_level
    return console.page(
        visit, "administration/settings.html", groups=_grouped(console.instance.settings), sources=SOURCES,
        log=None if switch is None else switch.state, levels=LEVELS, spans=SPANS,
    )  # fmt: skip


async def post_log_level(console: Console, visit: Visit) -> Response:
    """Log more, or less, for a while; the setting's level comes back by itself."""
    switch, level, span = console.instance.log_level, visit.form.text("level"), visit.form.text("span")
    if switch is None:
        raise NotFound("This process has no log of its own.")
    if level not in LEVELS or span not in SPANS:
        raise ValidationFailed(errors=[Finding("/level", "invalid", "Choose a level and for how long.")])
    await set_log_level(console.application, switch, level, int(span), visit.actor)
    return console.back("/settings", said="log_level")


async def show_calls(console: Console, visit: Visit) -> Response:
    """Which calls the API has; the whole document is `/openapi.json`."""
    subjects: dict[str, list[ShownCall]] = {}
    for each in console.instance.calls:
        subjects.setdefault(each.subject, []).append(each)
    return console.page(
        visit, "administration/calls.html", subjects=subjects, public_url=console.application.public_url
    )


def _grouped(rows: tuple[ShownSetting, ...]) -> Mapping[str, list[ShownSetting]]:
    found: dict[str, list[ShownSetting]] = {heading: [] for heading, _ in GROUPS}
    for each in rows:
        found[next(heading for heading, begins in GROUPS if each.name.startswith(begins))].append(each)
    return MappingProxyType({heading: rows for heading, rows in found.items() if rows})


PAGES: Final = (
    Page("GET", "/settings", show_settings, Permission.ADMINISTER),
    Page("POST", "/settings/log-level", post_log_level, Permission.ADMINISTER),
    Page("GET", "/api/docs", show_calls, Permission.VIEW),
)
