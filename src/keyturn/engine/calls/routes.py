"""Everything that a proxied call needs of its connection, made ready once: nothing of it is done per call.

Source: the architecture's hot path; the product's rules for calls.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from keyturn.core.connection import Connection, ConnectionSecrets, State
from keyturn.core.connector import Connector, When
from keyturn.core.errors import NeedsReconnect, UrlNotAllowed
from keyturn.core.renewal.plan import password_usable, refresh_usable
from keyturn.core.requests.request_url import render_url
from keyturn.core.requests.tls_identity import tls_identity
from keyturn.core.secret import Secret
from keyturn.core.urls.allowed_urls import AllowedUrls, ProxyBase
from keyturn.core.urls.public_suffixes import PublicSuffixes
from keyturn.engine.calls.call_parameters import CallParameters
from keyturn.engine.calls.request_parameters import RenderedParameters
from keyturn.engine.send import policy_of
from keyturn.engine.template_values import connection_values, dotted_names
from keyturn.engine.test_connection import allowed_urls_for
from keyturn.ports.egress import EgressPolicy
from keyturn.ports.store import ClientCredentials

CALL_TIMEOUT_S: Final = 60.0
OTHER_BASES_KEPT: Final = 16


@dataclass(slots=True)
class Route:
    """A connection, ready to be called through. Holds its token in the clear: never logged, never stored.

    `worked`: an API has accepted this generation's token, or nobody here knows better. `noted_at`: when its use was
    last written down, in Unix seconds.
    """

    connection: Connection
    connector: Connector
    allowed: AllowedUrls = field(repr=False)
    base: ProxyBase = field(repr=False)
    base_url: str
    policy: EgressPolicy
    put_on: CallParameters = field(repr=False)
    stale_when: When
    generation: int
    renewable: bool
    worked: bool
    token: Secret = field(repr=False, default_factory=lambda: Secret(""))
    noted_at: float = 0.0
    outdated: bool = False  # its connection was written after it was made
    other_bases: dict[str, ProxyBase] = field(default_factory=dict, repr=False)
    token_type: str = "Bearer"  # noqa: S105

    def ended(self, now: float) -> bool:
        """Whether the token's own lifetime is over; `now` in Unix seconds."""
        return self.connection.token_over(now)

    @property
    def parameters(self) -> RenderedParameters:
        """What is put on every call."""
        return self.put_on.always

    def base_for(self, base_url: str | None) -> ProxyBase:
        """The default base, or another that the allowed URLs cover.

        Raises:
            UrlNotAllowed: nothing allows this base; `reason` says why.
        """
        if base_url is None:
            return self.base
        known = self.other_bases.get(base_url)
        if known is None:
            verdict = self.allowed.judge(base_url, as_base=True)
            if not verdict.allowed:
                raise UrlNotAllowed(
                    "The base URL is outside the allowed URLs.", extensions={"reason": verdict.reason.value}
                )
            known = ProxyBase(base_url, self.allowed)
            if len(self.other_bases) < OTHER_BASES_KEPT:
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
        ProviderBadResponse: a value can't stand where step 9 puts it.
    """
    if secrets.token_set is None:
        raise NeedsReconnect(extensions={"reason": connection.reason})
    values = connection_values(connection, secrets, client)
    allowed = allowed_urls_for(connector, values, suffixes)
    base_url = render_url(connector.request.base_url, values, dotted=dotted_names(connector))
    return Route(
        connection=connection,
        connector=connector,
        allowed=allowed,
        base=ProxyBase(base_url, allowed),
        base_url=base_url,
        policy=replace(policy_of(connector, CALL_TIMEOUT_S), tls=tls_identity(connector, values)),
        put_on=CallParameters(connector.request, values),
        stale_when=connector.stale_when,
        generation=connection.generation,
        renewable=connection.state in (State.ACTIVE, State.UNCERTAIN)
        and (refresh_usable(connection, connector) or password_usable(connection, connector)),
        worked=worked,
        token=secrets.token_set.access_token,
        token_type=secrets.token_set.token_type,
    )
