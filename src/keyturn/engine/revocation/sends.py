"""What is sent to revoke a token set: each request of step 4, once for each of its tokens or once in all.

Rule 1: a send has a name that stays: what is done is written down by it, and is not sent again.
Rule 2: of one request the name is the kind of token; of several it begins with the request's number, from 1 on.
Rule 3: what would go out without the token that it is about is not sent: a live one was left out, or there was none.

Source: the connector format, "revoke as a list"; RFC 7009.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from keyturn.core.connector import Connector, ProviderRequest, TokenKind
from keyturn.core.requests.request_encoding import request_templates
from keyturn.core.revocation import Revocation
from keyturn.core.secret import Secret
from keyturn.core.token_set import TokenSet
from keyturn.engine.revocation.revocation_rows import puts_token_on, requests_for

# With one of these in it a request is about one token, and is sent for each.
_ABOUT_ONE: Final = frozenset({"token", "token_type_hint"})
_BY_NAME: Final = ("access_token", "claims", "refresh_token")


@dataclass(frozen=True, slots=True)
class Send:
    """One request that is to be answered well. `kind`: of the token that it is about."""

    name: str
    request: ProviderRequest
    kind: str
    token: Secret = field(repr=False)


def sends(connector: Connector, revocation: Revocation) -> Iterator[Send]:
    """What is to be sent in all, in the connector's order, also what is done already."""
    several = len(connector.revokes) > 1
    wanted = requests_for(connector, revocation.cause)
    for number, revoke in enumerate(connector.revokes, 1):
        tokens = _tokens(revocation.token_set, revoke.tokens)
        if revoke not in wanted:
            continue
        if not several:
            yield from (Send(kind, revoke.request, kind, token) for kind, token in tokens)
        elif _names(revoke.request) & _ABOUT_ONE:
            yield from (Send(f"{number}:{kind}", revoke.request, kind, token) for kind, token in tokens)
        elif tokens and _has_what_it_names(revoke.request, revocation.token_set):
            yield Send(str(number), revoke.request, *tokens[0])


def needs_live_token(one: Send) -> bool:
    """Whether it puts the access token on, so that it is refused once that has ended."""
    return puts_token_on(one.request) or (one.kind == TokenKind.ACCESS_TOKEN and _as_authorization(one.request))


def _as_authorization(request: ProviderRequest) -> bool:
    return any(name.lower() == "authorization" and value.uses("token") for name, value in request.headers.items())


def of_several(names: Iterable[str]) -> bool:
    """Whether these are the names of sends of several requests."""
    return any(name[:1].isdigit() for name in names)


def kinds_of(names: Iterable[str]) -> list[str]:
    """The kinds of token that these sends were about."""
    kinds = (name.partition(":")[2] if name[:1].isdigit() else name for name in names)
    return list(dict.fromkeys(kind for kind in kinds if kind))


def _tokens(token_set: TokenSet, kinds: Iterable[TokenKind]) -> list[tuple[str, Secret]]:
    by_kind = {TokenKind.REFRESH_TOKEN: token_set.refresh_token, TokenKind.ACCESS_TOKEN: token_set.access_token}
    return [(kind.value, token) for kind in kinds if (token := by_kind[kind])]


def _has_what_it_names(request: ProviderRequest, token_set: TokenSet) -> bool:
    roots = {name.partition(".")[0].partition("[")[0] for name in _names(request)}
    there = {
        "access_token": bool(token_set.access_token),
        "claims": bool(token_set.access_token),
        "refresh_token": bool(token_set.refresh_token),
    }
    return all(there[name] for name in _BY_NAME if name in roots)


def _names(request: ProviderRequest) -> frozenset[str]:
    return frozenset(name for template in request_templates(request) for name in template.names())
