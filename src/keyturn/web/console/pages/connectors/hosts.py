"""Who sends what where, as a table: the part of a connector that an operator should read first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from keyturn.core.connector import ClientAuthentication, Connector
from keyturn.core.field_values import origin_of
from keyturn.core.templates import Template
from keyturn.web.console.pages.connectors.described import marked_names


@dataclass(frozen=True, slots=True)
class HostRow:
    """One way. `what`: which secrets and values go there."""

    steps: str
    host: str
    what: str


def host_of(url: Template) -> str:
    """The host; what a person or a connection decides of it stands in marks."""
    return marked_names(urlsplit(origin_of(url).source).netloc or origin_of(url).source)


def host_map(connector: Connector) -> tuple[HostRow, ...]:
    """Every host that something goes to."""
    proves = connector.client_authentication is not ClientAuthentication.NONE
    client = ", client id and secret" if proves else ""
    rows = [HostRow("Before step 2", host_of(each.request.url), "what the person typed") for each in connector.before]
    rows.append(HostRow("Step 2", host_of(connector.token.url), f"username and password{client}"))
    for each in connector.challenges:
        if each.then is not None:
            rows.append(HostRow("Step 2", host_of(each.then.url), "one-time codes and answers"))
    if connector.refresh.honoured:
        rows.append(HostRow("Step 3", host_of(connector.refresh.request.url), f"the refresh token{client}"))
    rows += [HostRow("Step 4", host_of(each.request.url), "tokens that are given back") for each in connector.revokes]
    rows.append(HostRow("Step 5", host_of(connector.test.request.url), "the access token"))
    for url in dict.fromkeys(each.url.source for each in connector.allowed_urls if not each.deny):
        rows.append(HostRow("Step 7", marked_names(urlsplit(url).netloc or url), "calls with the access token"))
    return tuple(dict.fromkeys(rows))


def by_host(rows: Iterable[HostRow]) -> dict[str, list[HostRow]]:
    """The same, each host once."""
    found: dict[str, list[HostRow]] = {}
    for row in rows:
        found.setdefault(row.host, []).append(row)
    return found


def hosts(connector: Connector) -> tuple[str, ...]:
    """The hosts alone."""
    return tuple(dict.fromkeys(each.host for each in host_map(connector)))
