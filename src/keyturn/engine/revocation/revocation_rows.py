"""Making the due row that tells a provider that a token set is done with."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from keyturn.core.connection import Connection, IntentKind
from keyturn.core.connector import ClientAuthentication, Connector, ProviderRequest, Revoke
from keyturn.core.renewal.provider_sessions import has_tokens
from keyturn.core.requests.request_encoding import request_templates
from keyturn.core.revocation import Revocation, RevocationCause
from keyturn.core.secret import Secret
from keyturn.core.token_set import TokenSet
from keyturn.ports.clock import Clock, Entropy

REVOKE_FOR_S: Final = 24 * 3600.0


def without_live(token_set: TokenSet | None, live: TokenSet | None) -> TokenSet | None:
    """What of a token set may be revoked: nothing that equals a live value; None where nothing is left.

    An access token that is still live comes back empty, which revocation passes over.
    """
    if token_set is None or live is None:
        return token_set
    same_access = token_set.access_token == live.access_token
    same_refresh = token_set.refresh_token is not None and token_set.refresh_token == live.refresh_token
    if same_access and (same_refresh or token_set.refresh_token is None):
        return None
    return replace(
        token_set,
        access_token=Secret("") if same_access else token_set.access_token,
        refresh_token=None if same_refresh else token_set.refresh_token,
    )


def revocation_row(
    connector: Connector,
    connection: Connection,
    token_set: TokenSet | None,
    cause: RevocationCause,
    *,
    sealed_fields: Mapping[str, Any],
    clock: Clock,
    entropy: Entropy,
    stored: bool = True,
) -> Revocation | None:
    """A row that is due now, or None where there is nothing to revoke or no way to.

    Args:
        connector: the version that says how.
        connection: whose tokens they are; with `stored=False` one that never came into being.
        token_set: what to revoke.
        cause: why.
        sealed_fields: the connection's sealed fields; only those that the revoke request uses go into the row.
        clock: gives the row's times.
        entropy: gives the row's id.
        stored: whether the connection is in the store.
    """
    requests = requests_for(connector, cause)
    if token_set is None or not has_tokens(token_set) or not requests:
        return None
    used = frozenset().union(*(names_used(each.request) for each in requests), tls_names(connector))
    if any(each.request.authentication is ClientAuthentication.PRIVATE_KEY_JWT for each in requests):
        used |= {name.partition(".")[0] for name in connector.token.url.names()}  # the audience
    shows_token = any(puts_token_on(each.request) or each.request.headers for each in requests)
    if shows_token and connector.refresh.honoured:  # it may have to be renewed first
        refresh = connector.refresh.request
        used |= names_used(refresh)
        if refresh.authentication is ClientAuthentication.PRIVATE_KEY_JWT:
            used |= {name.partition(".")[0] for name in connector.token.url.names()}
    now = clock.now()
    return Revocation(
        id=entropy.identifier("rev"),
        connector=connector.id,
        connector_version=connection.connector_version,
        cause=cause,
        due_at=now,
        give_up_at=now + REVOKE_FOR_S,
        token_set=token_set,
        connection=connection.id if stored else None,
        hosts=connection.hosts,
        values={name: value for name, value in {**connection.fields, **sealed_fields}.items() if name in used},
        project=connection.project,
        renewal_sent_at=_renewal_sent_at(connection) if cause is RevocationCause.DISCONNECTED else None,
    )


def _renewal_sent_at(connection: Connection) -> float | None:
    """When the refresh token was sent, its fate unknown; long ago where it may not be sent for another reason."""
    intent = connection.intent
    if intent is not None and intent.kind is IntentKind.REFRESH and intent.generation == connection.generation:
        return intent.sent_at
    return None if connection.refreshable else 0.0


def requests_for(connector: Connector, cause: RevocationCause) -> tuple[Revoke, ...]:
    """Those of step 4 that a token set is revoked by for this cause, in the connector's order."""
    if cause is not RevocationCause.REPLACED:
        return connector.revokes
    return tuple(each for each in connector.revokes if each.on_replace)


def puts_token_on(request: ProviderRequest) -> bool:
    """Whether a request shows the access token, whichever token it is about."""
    return any(template.uses("access_token") for template in request_templates(request))


def tls_names(connector: Connector) -> frozenset[str]:
    """The names that the connector's `tls` reads."""
    tls = connector.tls
    named = () if tls is None else (tls.ca, tls.client_certificate)
    return frozenset(name for each in named if each is not None for name in each.names())


def names_used(spec: ProviderRequest) -> frozenset[str]:
    """The first names of all that a request's templates read, the keys of filters too."""
    templates = request_templates(spec)
    return frozenset(re.split(r"[.\[]", name, maxsplit=1)[0] for template in templates for name in template.names())
