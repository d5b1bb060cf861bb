"""Whether a connection can go over to another version of its connector without its person.

Rule 1: where in doubt it can't: a login on the new version is always possible, a refresh token in wrong hands is not
taken back.
Rule 2: what only the provider can tell, such as whether it is still the same account, is found out by the test call.

Source: the connector format, "HTTPS" (hosts are pinned) and "Reading, linting, versions".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit

from keyturn.core.connection import Connection
from keyturn.core.connector import Connector, Field, Keep, PasswordKeep, ProviderRequest
from keyturn.core.errors import ValidationFailed, ValueAbsent
from keyturn.core.field_values import is_visible, origin_of
from keyturn.core.requests.request_encoding import request_templates
from keyturn.core.requests.request_url import render_url
from keyturn.core.templates import Template


class NeedsLogin(StrEnum):
    """Why the person has to sign in once more."""

    ENDED = "needs_reconnect"
    HOST = "host_not_pinned"
    FIELD = "field_missing"
    VALUE = "value_missing"
    PASSWORD = "password_needed"  # noqa: S105
    ACCOUNT = "other_account"


WORDS: Final[Mapping[NeedsLogin, str]] = {
    NeedsLogin.ENDED: "It needs its person already.",
    NeedsLogin.HOST: "The new version sends its secrets to a host that its person never agreed to.",
    NeedsLogin.FIELD: "The new version asks for something that its person was never asked.",
    NeedsLogin.VALUE: "The new version uses a value that only a login brings.",
    NeedsLogin.PASSWORD: "The new version needs the password to be kept.",
    NeedsLogin.ACCOUNT: "By the new version it would be another account.",
}


def needs_login(new: Connector, connection: Connection) -> NeedsLogin | None:
    """Why this connection can't be moved as it is, as far as that can be told without its secrets; None where it can.

    Args:
        new: the version that it would go over to.
        connection: on an older one.
    """
    if connection.reason is not None or connection.ended:
        return NeedsLogin.ENDED
    if new.password.keep is PasswordKeep.REQUIRED and connection.password_kept_at is None:
        return NeedsLogin.PASSWORD
    there = {*connection.fields, *connection.sealed_fields}
    if any(_is_missing(each, connection, there) for each in new.fields):
        return NeedsLogin.FIELD
    made = [name for name in new.generate if name not in there]
    if any(_uses(each, made) for each in later_requests(new, connection)):
        return NeedsLogin.VALUE
    return NeedsLogin.HOST if unpinned(new, connection, connection.fields) else None


def unpinned(new: Connector, connection: Connection, values: Mapping[str, Any]) -> bool:
    """Whether a later request would go to a host that is not pinned; hosts of values that aren't given don't count."""
    dotted = frozenset(each.key for each in new.fields if each.pattern is not None)
    hosts = {_host(each.url, values, dotted) for each in later_requests(new, connection)}
    return not hosts <= {None, *connection.hosts}


def later_requests(new: Connector, connection: Connection) -> Iterator[ProviderRequest]:
    """What carries secrets of a connection that is there: renewals, revocations, logins with a kept password."""
    if new.refresh.honoured:
        yield new.refresh.request
    yield from (each.request for each in new.revokes)
    if connection.password_kept_at is not None and new.password.keep is not PasswordKeep.NEVER:
        yield from (each.request for each in new.before)
        yield new.token


def _is_missing(field: Field, connection: Connection, there: set[str]) -> bool:
    if not field.required or field.keep is Keep.NEVER or field.default is not None or field.key in there:
        return False
    return is_visible(field, connection.fields)


def _uses(request: ProviderRequest, names: list[str]) -> bool:
    return bool(names) and any(each.uses(*names) for each in request_templates(request))


def _host(url: Template, values: Mapping[str, Any], dotted: frozenset[str]) -> str | None:
    try:
        return urlsplit(render_url(origin_of(url), values, dotted=dotted)).netloc
    except (ValueAbsent, ValidationFailed):
        return None
