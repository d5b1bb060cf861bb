"""Going on with a trial whose login went well: the rest of it again, with a text that was mended meanwhile.

Rule 1: the login stays what it was. A text that would log in otherwise is tried from the beginning, and so is one that
renews or revokes at another host, or calls in another domain, than the one that was tried.
Rule 2: whatever the mended text says otherwise is taken again, also where it was well before: what passes in the end
has shown all of its text.
Rule 3: nothing of the login but its tokens outlives it, and they no more than ten minutes; then they are revoked, as
at the end of every trial.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from keyturn.core.connector import Connector
from keyturn.core.templates import Template
from keyturn.core.urls.public_suffixes import PublicSuffixes, registrable_domain

HELD_S: Final = 600.0  # as long as a challenge waits at most
# What the steps after the login are made of, and what is said of the connector; all else is the login's.
_LATER: Final = (
    "title", "trust", "docs_url", "register_url", "test", "connection_name", "allowed_urls", "unique_id",
    "on_duplicate", "request", "stale_when", "links", "notes", "retires",
)  # fmt: skip
# What each step of a course after the login is made of, in the course's order.
_MADE_OF: Final = (
    (5, ("test", "allowed_urls", "request")), (6, ("connection_name", "unique_id")), (3, ("refresh",)),
)  # fmt: skip
_HANDED_ON: Final = ("refresh", "revoke", "further_revokes")


def same_login(tried: Connector, mended: Connector, suffixes: PublicSuffixes) -> bool:
    """Whether a token that one text brought may be used by another of the same author."""
    later = {name: getattr(tried, name) for name in (*_LATER, *_HANDED_ON)}
    return (
        replace(mended, **later) == tried
        and _hosts(mended) <= _hosts(tried)
        and _domains(mended, suffixes) <= _domains(tried, suffixes)
    )


def first_changed(tried: Connector, mended: Connector) -> int | None:
    """The first step of the course that the mended text says otherwise; None where none is."""
    return next(
        (step for step, names in _MADE_OF if any(getattr(tried, name) != getattr(mended, name) for name in names)), None
    )


def _hosts(connector: Connector) -> set[str]:
    """Where a connector sends tokens to be renewed or revoked, and where it got them, as written."""
    requests = [connector.token, connector.refresh.request, *(each.request for each in connector.revokes)]
    return {_origin(each.url) for each in requests}


def _domains(connector: Connector, suffixes: PublicSuffixes) -> set[str]:
    """What somebody registered of each host that gets a token, an address as it is; whole hosts that are templates too.

    Within a domain a mistyped host may be mended: it is the same people who get the token.
    """
    urls = [connector.test.request.url, connector.request.base_url, connector.token.url]
    urls += [each.url for each in connector.allowed_urls if not each.deny]
    found = set()
    for url in urls:
        host = _origin(url).rpartition("//")[2]
        written = host.rpartition("}}")[2].strip(".")
        found.add(registrable_domain(written.partition(":")[0], suffixes) or host)
    return found


def _origin(url: Template) -> str:
    """Scheme and host, as written; of a URL that begins with a template, all up to its path."""
    scheme, netloc, *_ = urlsplit(url.source)
    return f"{scheme}://{netloc}" if netloc else url.source.partition("/")[0]
