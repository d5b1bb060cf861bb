"""A token set that its provider is still to be told about, as a due row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from keyturn.core.token_set import TokenSet


class RevocationCause(StrEnum):
    """Why a token set is revoked."""

    DISCONNECTED = "disconnected"
    REPLACED = "replaced"  # by a login
    REFUSED = "refused"  # the login ended after its token came: test, identity, reject
    LOGGED_OUT = "logged_out"  # before a login, where the provider allows few sessions
    LATE = "late"  # a renewal's answer came after the generation had moved, or after the disconnect


@dataclass(frozen=True, slots=True)
class Revocation:
    """One token set to revoke. Times are Unix seconds.

    `values`: what else the revoke request's templates need, sealed with the tokens.
    `done`: the kinds of token (`refresh_token`, `access_token`) that the provider has acknowledged.
    `connection`: None for a login that never became one.
    `renewal_sent_at`: its refresh token was sent then, to bring a live access token for the revoke request, and what
    came of that is not known. `claimed_until`: of one that is written, that its writer sends it now.
    """

    id: str
    connector: str
    connector_version: int
    cause: RevocationCause
    due_at: float
    give_up_at: float
    token_set: TokenSet
    connection: str | None = None
    hosts: tuple[str, ...] = ()
    tries: int = 0
    done: tuple[str, ...] = ()
    last_error: str | None = None
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    project: str = "default"
    renewal_sent_at: float | None = None
    claimed_until: float | None = None
