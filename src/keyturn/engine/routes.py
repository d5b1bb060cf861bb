"""Everything that a proxied call needs of its connection, made ready once: nothing of it is done per call.

Source: the architecture's hot path; the product's rules for calls.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from keyturn.core.allowed_urls import AllowedUrls, ProxyBase
from keyturn.core.connection import Connection, ConnectionSecrets, State
from keyturn.core.connector import Connector, When
from keyturn.core.errors import NeedsReconnect, UrlNotAllowed
from keyturn.core.public_suffixes import PublicSuffixes
from keyturn.core.renewal_plan import password_usable, refresh_usable
from keyturn.core.secret import Secret
from keyturn.core.templates import Template
from keyturn.engine.send import policy_of
from keyturn.engine.template_values import connection_values
from keyturn.engine.test_connection import allowed_urls_for
from keyturn.ports.egress import EgressPolicy
from keyturn.ports.store import ClientCredentials

CALL_TIMEOUT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class QueryParameter:
    """One query parameter of step 9, encoded. `name` is as written, `pair` as it is sent."""

    name: str
    pair: str = field(repr=False)
    locked: bool = False


@dataclass(slots=True)
class Route:
    """A connection, ready to be called through. Holds its token in the clear: never logged, never stored.

    `headers`: lower-case name, value, locked. `body`: parameters to merge into bodies, by name; `locked_body` those
    that win over the caller's. `worked`: an API has accepted this generation's token, or nobody here knows better.
    """

    connection: Connection
    connector: Connector
    allowed: AllowedUrls = field(repr=False)
    base: ProxyBase = field(repr=False)
    base_url: str
    policy: EgressPolicy
    headers: tuple[tuple[bytes, bytes, bool], ...] = field(repr=False)
    query: tuple[QueryParameter, ...]
    body: Mapping[str, Any] = field(repr=False)
    locked_body: frozenset[str]
    renewable: bool
    worked: bool
    token: Secret = field(repr=False, default_factory=lambda: Secret(""))
    other_bases: dict[str, ProxyBase] = field(default_factory=dict, repr=False)

    @property
    def generation(self) -> int:
        """The generation of the token that the headers hold."""
        return self.connection.generation

    @property
    def stale_when(self) -> When:
        """What an answer looks like when the token is no longer good."""
        return self.connector.stale_when

    def ended(self, now: float) -> bool:
        """Whether the token's own lifetime is over; `now` in Unix seconds."""
        return self.connection.expires_at is not None and now >= self.connection.expires_at

    def base_for(self, base_url: str | None) -> ProxyBase:
        """The default base, or another that the allowed URLs cover.

        Raises:
            UrlNotAllowed: nothing allows this base.
        """
        if base_url is None:
            return self.base
        known = self.other_bases.get(base_url)
        if known is None:
            if not self.allowed.judge(base_url).allowed:
                raise UrlNotAllowed("The base URL is outside the allowed URLs.")
            known = ProxyBase(base_url, self.allowed)
            if len(self.other_bases) < 16:
                self.other_bases[base_url] = known
        return known


def make_route(
    connection: Connection,
    secrets: ConnectionSecrets,
    connector: Connector,
    client: ClientCredentials | None,
    suffixes: PublicSuffixes,
    *,
    worked: bool,
) -> Route:
    """Put a connection's values into step 7 and step 9.

    Raises:
        NeedsReconnect: no token is left.
        ValueAbsent: a template names a value that isn't there.
    """
    if secrets.token_set is None:
        raise NeedsReconnect(extensions={"reason": connection.reason})
    values = connection_values(connection, secrets, client)
    allowed = allowed_urls_for(connector, values, suffixes)
    base_url = _text(connector.request.base_url.render(values))
    locked = connector.request.locked
    return Route(
        connection=connection,
        connector=connector,
        allowed=allowed,
        base=ProxyBase(base_url, allowed),
        base_url=base_url,
        policy=policy_of(connector, CALL_TIMEOUT_S),
        headers=tuple(
            (name.lower().encode("ascii"), _header(_text(value.render(values))), name.lower() in locked)
            for name, value in connector.request.headers.items()
        ),
        query=tuple(
            QueryParameter(name, f"{_escape(name)}={_escape(_text(value.render(values)))}", name.lower() in locked)
            for name, value in connector.request.query.items()
        ),
        body={name: _body(value, values) for name, value in connector.request.body.items()},
        locked_body=frozenset(name for name in connector.request.body if name.lower() in locked),
        renewable=connection.state in (State.ACTIVE, State.UNCERTAIN)
        and (refresh_usable(connection, connector) or password_usable(connection, connector)),
        worked=worked,
        token=secrets.token_set.access_token,
    )


def _text(rendered: object) -> str:
    return rendered.reveal() if isinstance(rendered, Secret) else str(rendered)


def _header(value: str) -> bytes:
    if any(c in value for c in "\r\n\0"):
        raise UrlNotAllowed("A header value would hold a line break.")
    return value.encode("utf-8")


def _escape(text: str) -> str:
    return quote(text, safe="")


def _body(params: Any, values: Mapping[str, Any]) -> Any:
    if isinstance(params, Template):
        return _text(params.render(values))
    if isinstance(params, Mapping):
        return {name: _body(each, values) for name, each in params.items()}
    if isinstance(params, tuple):
        return [_body(each, values) for each in params]
    return params


def merged_json(body: bytes, route: Route) -> bytes | None:
    """A JSON object with the body parameters put in; None where the body is no JSON object."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    for name, value in route.body.items():
        if name in route.locked_body or name not in found:
            found[name] = value
    return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode()


def merged_form(body: bytes, route: Route) -> bytes:
    """A form with the body parameters put in; what the caller sent stays byte for byte."""
    pairs = [pair for pair in body.split(b"&") if pair]
    names = [pair.split(b"=", 1)[0] for pair in pairs]
    added: list[bytes] = []
    for name, value in route.body.items():
        key = _escape(name).encode()
        pair = key + b"=" + _escape(value if isinstance(value, str) else json.dumps(value)).encode()
        if name in route.locked_body:
            kept = [(n, p) for n, p in zip(names, pairs, strict=True) if n != key]
            names, pairs = [n for n, _ in kept], [p for _, p in kept]
            added.append(pair)
        elif key not in names:
            added.append(pair)
    return b"&".join([*pairs, *added])
