"""What somebody wants connected, how that ends well, and the values that hold before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from keyturn.core.connection import Connection
from keyturn.core.connector import Connector
from keyturn.core.secret import Secret
from keyturn.ports.store import ClientCredentials


@dataclass(frozen=True, slots=True)
class LoginRequest:
    """What somebody wants connected.

    `keep_totp_seed`: the person agrees that the seed among `fields` is kept, sealed. `reconnects`: the connection that
    has to come back as the same account, unless `allow_account_change`. `unconfirmed`: the embedder still has to
    confirm whose connection this is.
    """

    connector: str
    owner: str
    username: str = field(repr=False)
    password: Secret | None
    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)
    keep_password: bool = False
    reconnects: str | None = None
    allow_account_change: bool = False
    unconfirmed: bool = False
    keep_totp_seed: bool = False
    project: str = "default"


@dataclass(frozen=True, slots=True)
class Connected:
    """How a login ended well: the connection, and whether it is new."""

    connection: Connection
    created: bool


@dataclass(frozen=True, slots=True)
class Checked:
    """A request whose values hold: nothing has been sent."""

    connector: Connector
    version: int
    client: ClientCredentials | None
    fields: Mapping[str, Any] = field(repr=False)
    keep_password: bool = False
