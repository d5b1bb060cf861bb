"""What the operator says of the one OpenID provider that this instance relies on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from keyturn.core.access.roles import Role
from keyturn.core.secret import Secret

BEGIN: Final = "/sign-in/openid"
CALLBACK: Final = f"{BEGIN}/callback"


@dataclass(frozen=True, slots=True)
class RelyingSettings:
    """`issuer`: exactly as the provider names itself. `name`: as the button has it.

    `roles`: values of the claim `role_claim`, and the role that each gives; empty: the role of the invitation counts.
    `domains`: of verified e-mails with which somebody may come without an invitation; empty: nobody may.
    `acr`, `amr`: of each, one has to stand in the ID token; empty asks for nothing.
    """

    issuer: str
    client_id: str
    name: str
    client_secret: Secret | None = field(default=None, repr=False)
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    role_claim: str = "groups"
    roles: Mapping[str, Role] = field(default_factory=dict)
    domains: frozenset[str] = frozenset()
    acr: tuple[str, ...] = ()
    amr: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SignInSettings:
    """How people sign in. `relying`: None without an OpenID provider. `links`: as `People` has it."""

    relying: RelyingSettings | None = None
    links: bool = True


LINKS_ALONE: Final = SignInSettings()
