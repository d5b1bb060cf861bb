"""Steps 2 to 4: how a token is asked for, renewed and given back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from keyturn.core.connector import ClientAuthentication, Encoding, PasswordKeep
from keyturn.core.lint.findings import LintFinding, found
from keyturn.core.lint.subject import Subject
from keyturn.core.reading.names import Kind

_MOST_LOGINS: Final = 10
_REVOKED: Final = frozenset({Kind.REVOKED_TOKEN, Kind.ACCESS_TOKEN, Kind.REFRESH_TOKEN})


def lint_token_life(subject: Subject) -> Iterator[LintFinding]:
    """Look at token, refresh and revoke."""
    connector = subject.connector
    token = connector.token
    if connector.retires is not None:
        yield found("K009", "/retires/on")
    if connector.client_address_header is not None:
        yield found("K010", "/client_address_header")
    if token.response.expires is None and connector.default_ttl_s is None:
        yield found("K203", "/token")
    oauth = token.encoding is Encoding.FORM or "grant_type" in token.params  # a login of another kind has no scopes
    if oauth and "scope" not in token.params:
        yield found("K207", "/token")
    if connector.client_authentication is ClientAuthentication.BASIC_RAW:
        yield found("K206", "/client/authentication")
    if connector.client_authentication is not ClientAuthentication.NONE and connector.register_url is None:
        yield found("K005", "/register_url")
    if connector.limits.logins > _MOST_LOGINS:
        yield found("K208", "/limits/logins")
    if not connector.refresh.honoured and connector.password.keep is PasswordKeep.NEVER:
        yield found("K301", "/refresh")
    elsewhere = token.response.access_token not in (None, "access_token")
    if connector.refresh.honoured and elsewhere and token.response.refresh_token is None:
        yield found("K302", "/token/response")
    if not connector.revokes:
        yield found("K401", "/revoke")
    elif not any(
        subject.kinds(template) & _REVOKED for pointer, template in subject.templates() if pointer.startswith("/revoke")
    ):
        yield found("K402", "/revoke")
