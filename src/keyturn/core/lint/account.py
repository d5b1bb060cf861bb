"""Steps 5, 6, 8 and 9, and the connector as a whole: which account a connection is, and what its calls carry."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from keyturn.core.lint.findings import LintFinding, found
from keyturn.core.lint.subject import Subject
from keyturn.core.reading.names import Kind
from keyturn.core.templates import Template

_MUTABLE: Final = re.compile(
    r"(?:^|_|-)(?:e?-?mail|e_?mail_?address|user_?name|login|name|display_?name|full_?name|nick_?name|upn|phone"
    r"|preferred_username)$",
    re.IGNORECASE,
)
_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
_CONFIRMED: Final = frozenset({Kind.TEST, Kind.KEPT, Kind.CLAIM})


def lint_account(subject: Subject) -> Iterator[LintFinding]:
    """Look at trust, test, name, unique id and calls."""
    connector = subject.connector
    if connector.trust is None:
        yield found("K001", "/trust")
    elif not connector.trust.note.strip():
        yield found("K002", "/trust")
    if connector.docs_url is None:
        yield found("K003", "/docs_url")
    stale = connector.stale_when
    if not stale.status and stale.body is None and not stale.header:
        yield found("K004", "/stale_when")
    if connector.test.request.method not in _SAFE_METHODS:
        yield found("K501", "/test/method")
    if not connector.test.expect.status and connector.test.expect.body is None:
        yield found("K503", "/test")
    if not any(connector.connection_name.references()):
        yield found("K602", "/connection_name")
    yield from _unique_id(subject, connector.unique_id)
    carries = {Kind.ACCESS_TOKEN, Kind.KEPT, Kind.KEPT_TOKEN}
    if not any(subject.kinds(one) & carries for pointer, one in subject.templates() if pointer.startswith("/request/")):
        yield found("K904", "/request/headers")


def _unique_id(subject: Subject, unique_id: Template) -> Iterator[LintFinding]:
    paths = list(unique_id.names())
    if not paths:
        yield found("K803", "/unique_id")
        return
    confirmed = [path for path in paths if subject.names.kind_of(path) in _CONFIRMED]
    if not confirmed:
        yield found("K804", "/unique_id")
    # a part that never changes makes the whole stable enough to tell accounts apart
    if all(_MUTABLE.search(re.split(r"[.\[]", path)[-1].rstrip("]")) for path in confirmed or paths):
        yield found("K801", "/unique_id")
