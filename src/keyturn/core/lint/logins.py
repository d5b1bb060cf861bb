"""What a login sends first, and what becomes of its tokens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from keyturn.core.challenges.steps import names_in
from keyturn.core.connector import Rotation
from keyturn.core.lint.findings import LintFinding, found
from keyturn.core.lint.subject import Subject
from keyturn.core.reading.document import child_pointer
from keyturn.core.reading.names import Kind

MANY_AT_ONCE: Final = 16  # twice what a host is sent by default
_TOKENS: Final = frozenset({Kind.ACCESS_TOKEN, Kind.KEPT_TOKEN, Kind.KEPT})


def lint_logins(subject: Subject) -> Iterator[LintFinding]:
    """Look at the requests before the login, and at what renews its token."""
    yield from _before(subject)
    yield from _renewal(subject)
    yield from _sessions(subject)


def _before(subject: Subject) -> Iterator[LintFinding]:
    connector = subject.connector
    roots = {re.split(r"[.\[]", path, maxsplit=1)[0] for _, each in subject.templates() for path in each.names()}
    for place, before in enumerate(connector.before):
        pointer = f"/token/before/{place}"
        if not before.capture:
            yield found("K221", pointer)
        for name in before.capture:
            if name not in roots:
                yield found("K221", child_pointer(f"{pointer}/capture", name))
    requests = (*(each.request for each in connector.before), connector.token)
    shown = {urlsplit(subject.sample(each.url)).netloc.lower() for each in requests if "password" in names_in(each)}
    if len(shown) > 1:
        yield found("K222", "/token/before")


def _renewal(subject: Subject) -> Iterator[LintFinding]:
    connector, refresh = subject.connector, subject.connector.refresh
    response = refresh.request.response
    token_ends = connector.token.response.expires is not None or connector.default_ttl_s is not None
    refresh_ends = response.refresh_expires is not None or refresh.lifetime_s is not None
    if refresh.with_token:
        templates = [each for pointer, each in subject.templates() if pointer.startswith("/refresh")]
        if not token_ends:
            yield found("K304", "/refresh/with")
        if not any(subject.kinds(each) & _TOKENS for each in templates):
            yield found("K305", "/refresh")
    elif refresh.keep_alive and not refresh_ends:
        yield found("K306", "/refresh/keep_alive")
    elif refresh_ends and not refresh.keep_alive:
        yield found("K307", "/refresh")
    if refresh.last_resort:
        yield found("K308", "/refresh/last_resort")
    if connector.limits.renewals_at_once > MANY_AT_ONCE and refresh.rotation is not Rotation.STABLE:
        yield found("K309", "/limits/renewals_at_once")


def _sessions(subject: Subject) -> Iterator[LintFinding]:
    connector = subject.connector
    if connector.session is None or connector.revokes:
        return
    if connector.session.logout_first:
        yield found("K403", "/session/logout_first")
    else:
        yield found("K404", "/session/limit")
