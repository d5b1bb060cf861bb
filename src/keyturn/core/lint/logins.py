"""What a login sends first, and what becomes of its tokens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from keyturn.core.challenges.steps import names_in
from keyturn.core.lint.findings import LintFinding, found
from keyturn.core.lint.subject import Subject
from keyturn.core.reading.document import child_pointer


def lint_logins(subject: Subject) -> Iterator[LintFinding]:
    """Look at the requests before the login."""
    yield from _before(subject)


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
