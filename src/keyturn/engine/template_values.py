"""What `{{ … }}` may name at each step, gathered from a connection, its secrets and the operator's client."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from keyturn.core.answers.jwt_claims import claims_of
from keyturn.core.connection import Connection, ConnectionSecrets
from keyturn.core.connector import Connector, ProviderRequest
from keyturn.core.field_values import origin_of
from keyturn.core.requests.request_encoding import request_templates
from keyturn.core.secret import Secret
from keyturn.core.templates import Template
from keyturn.core.token_set import TokenSet
from keyturn.ports.store import ClientCredentials


class TokenToRevoke(Secret, Mapping[str, object]):
    """What `token` stands for in a revoke request: `{{ token }}` is the token, `{{ token.NAME }}` a kept value."""

    __slots__ = ("_kept",)

    def __init__(self, token: Secret, kept: Mapping[str, object]) -> None:
        self._value = token._value
        self._kept = kept

    def __getitem__(self, name: str) -> object:
        return self._kept[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)


def optional_names(connector: Connector) -> frozenset[str]:
    """Names that may be absent: what the person may leave empty or isn't asked, what a request before the login may
    not have found as it isn't always sent, what no login has given yet, and the client's secret.
    """
    asked = (question for each in connector.challenges for question in each.ask)
    maybe = (each for each in (*connector.fields, *asked) if not each.required or each.visible_when)
    found = {name for each in connector.before if each.when for name in each.capture}
    return frozenset({each.key for each in maybe} | found | set(connector.remember) | {"client_secret"})


def dotted_names(connector: Connector) -> frozenset[str]:
    """Fields that may be several labels of a host: those whose pattern says what they look like."""
    return frozenset(each.key for each in connector.fields if each.pattern is not None)


def request_uses(spec: ProviderRequest, *names: str) -> bool:
    """Whether a request's templates read one of these."""
    return any(each.uses(*names) for each in request_templates(spec))


def login_requests(connector: Connector) -> tuple[ProviderRequest, ...]:
    """What each login sends, its challenges aside: the requests before the token request, and that."""
    return (*(each.request for each in connector.before), connector.token)


def login_uses(connector: Connector, *names: str) -> bool:
    """Whether what each login sends reads one of these."""
    return any(request_uses(each, *names) for each in login_requests(connector))


def challenge_urls(connector: Connector) -> tuple[Template, ...]:
    """The URLs of what follows a challenge, where their hosts can be told before one comes."""
    known = {each.key for each in connector.fields}
    requests = [one for each in connector.challenges for one in (each.then, each.resend) if one is not None]
    return tuple(each.url for each in requests if set(origin_of(each.url).names()) <= known)


def urls_of(connector: Connector) -> tuple[Template, ...]:
    """Every URL of a connector whose host a person's values may be part of."""
    urls = (*(each.url for each in login_requests(connector)), *challenge_urls(connector), *_urls_with_token(connector))
    return tuple(each for each in urls if answered_host_in(each) is None)


def _urls_with_token(connector: Connector) -> tuple[Template, ...]:
    return (
        connector.refresh.request.url,
        *(each.request.url for each in connector.revokes),
        connector.test.request.url,
        connector.request.base_url,
        *(each.url for each in connector.allowed_urls if not each.deny),
    )


def answered_host_in(url: Template) -> str | None:
    """The name under `token.` of the kept host that is the whole host of this URL; None where it is another's."""
    named = [path.removeprefix("token.") for path in origin_of(url).names() if path.startswith("token.")]
    return named[0] if named else None


def answered_hosts(connector: Connector) -> frozenset[str]:
    """The kept hosts that some URL of the connector takes from the answer of a login."""
    found = (answered_host_in(each) for each in _urls_with_token(connector))
    return frozenset(each for each in found if each is not None)


def client_values(client: ClientCredentials | None) -> dict[str, Any]:
    """The registered application."""
    if client is None:
        return {}
    found: dict[str, Any] = {"client_id": client.client_id}
    if client.client_secret is not None:
        found["client_secret"] = client.client_secret
    return found


def token_values(token_set: TokenSet | None) -> dict[str, Any]:
    """The token set: `access_token`, `refresh_token`, `token.*` and `claims.*`."""
    if token_set is None:
        return {}
    found: dict[str, Any] = {
        "access_token": token_set.access_token,
        "token": dict(token_set.kept),
        "claims": claims_of(token_set.access_token),
    }
    if token_set.refresh_token is not None:
        found["refresh_token"] = token_set.refresh_token
    return found


def revoke_values(token_set: TokenSet, token: Secret, hint: str) -> dict[str, Any]:
    """What a revoke request may use of a token set; `token` is the one that it is about."""
    whole = TokenToRevoke(token, token_set.kept)
    return {**token_values(token_set), "token": whole, "token_type_hint": hint}


def login_values(
    fields: Mapping[str, Any], username: str | Secret, password: Secret, client: ClientCredentials | None
) -> dict[str, Any]:
    """Everything that a login may use."""
    return {**fields, **client_values(client), "username": username, "password": password}


def connection_values(
    connection: Connection, secrets: ConnectionSecrets, client: ClientCredentials | None
) -> dict[str, Any]:
    """Everything but the password that a later request of this connection may use."""
    return {
        **connection.fields,
        **secrets.fields,
        **client_values(client),
        **token_values(secrets.token_set),
    }
