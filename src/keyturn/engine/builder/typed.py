"""What somebody types for a trial: checked as a login's is, and who gets it.

Rule 1: nothing of it is stored, and every fault is told at once, before anything is sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from keyturn.core.connector import Connector
from keyturn.core.errors import KeyturnError, ValidationFailed
from keyturn.core.field_values import check_fields, check_hosts, check_password, check_username
from keyturn.core.requests.request_url import render_url
from keyturn.core.secret import Secret
from keyturn.engine.template_values import dotted_names, urls_of


@dataclass(frozen=True, slots=True)
class Typed:
    """What somebody typed for one trial."""

    username: str = field(repr=False)
    password: Secret = field(repr=False)
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)


def hosts_of(connector: Connector, values: Mapping[str, Any]) -> tuple[str, ...]:
    """Which hosts get the password, the token request's last; a name in marks where that isn't known."""
    found = []
    for url in (*(each.request.url for each in connector.before), connector.token.url):
        try:
            found.append(urlsplit(render_url(url, values, dotted=dotted_names(connector))).netloc)
        except KeyturnError:
            found.append(urlsplit(url.source).netloc)
    return tuple(dict.fromkeys(found))


def checked(connector: Connector, typed: Typed) -> dict[str, Any]:
    """The values of the fields; ValidationFailed with every wrong value at once."""
    values, errors = check_fields(connector.fields, typed.fields)
    said = {each.pointer for each in errors}
    hosts = check_hosts(urls_of(connector), values, dotted=dotted_names(connector))
    errors += [each for each in hosts if each.pointer not in said]
    errors += check_username(connector.username, typed.username)
    errors += check_password(typed.password)
    if errors:
        raise ValidationFailed(errors=errors)
    return values
