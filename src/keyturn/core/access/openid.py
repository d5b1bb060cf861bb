"""What an OpenID provider says of itself and of a person, and what follows from it. Pure.

Rule 1: the provider's document counts only if it names exactly the issuer that the operator set.
Rule 2: an e-mail counts only if the provider says that it has verified it.
Rule 3: a role comes from the operator's table and nowhere else; what is not in it gives none.

Sources: OpenID Connect Discovery 1.0 sections 3 and 4.3; OpenID Connect Core 1.0 sections 2 and 5.1; RFC 8176 (amr);
RFC 9207.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from keyturn.core.access.roles import Role
from keyturn.core.errors import OpenIdAnswerInvalid
from keyturn.core.urls.usable_url import usable_url

LONGEST_EMAIL: Final = 254
LONGEST_NAME: Final = 100
# The strongest first: somebody in several groups is the most that one of them gives.
STRONGEST: Final = (Role.ADMIN, Role.OPERATOR, Role.AUTHOR, Role.VIEWER)


@dataclass(frozen=True, slots=True)
class ProviderMetadata:
    """Where the provider is asked for what. `says_issuer`: its answers to the browser name it (RFC 9207).

    `basic`: it takes the client's secret in the Authorization header, else it stands in the body.
    """

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None
    says_issuer: bool
    basic: bool


def read_metadata(document: Mapping[str, Any], issuer: str) -> ProviderMetadata:
    """Read a discovery document.

    Raises:
        OpenIdAnswerInvalid: it is another issuer's, or an address in it can't be used.
    """
    if document.get("issuer") != issuer:
        raise OpenIdAnswerInvalid("The provider's document names another issuer than KEYTURN_OIDC_ISSUER.")
    plain = issuer.startswith("http://")
    methods = document.get("token_endpoint_auth_methods_supported")
    userinfo = document.get("userinfo_endpoint")
    return ProviderMetadata(
        issuer,
        _endpoint(document, "authorization_endpoint", plain),
        _endpoint(document, "token_endpoint", plain),
        _endpoint(document, "jwks_uri", plain),
        None if userinfo is None else _endpoint(document, "userinfo_endpoint", plain),
        document.get("authorization_response_iss_parameter_supported") is True,
        not isinstance(methods, list) or "client_secret_basic" in methods,
    )


def claim_at(claims: Mapping[str, Any], path: str) -> Any:
    """A claim by its name, or by a path of names with dots between them; None where there is none."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def role_in(claims: Mapping[str, Any], path: str, roles: Mapping[str, Role]) -> Role | None:
    """The strongest role that the values of a claim give; None where they give none."""
    value = claim_at(claims, path)
    values = value if isinstance(value, list) else [value]
    given = {roles[each] for each in values if isinstance(each, str) and each in roles}
    return next((each for each in STRONGEST if each in given), None)


def verified_email(claims: Mapping[str, Any]) -> str | None:
    """The person's e-mail as it is compared, where the provider has verified it."""
    email = claims.get("email")
    return normal_email(email) if claims.get("email_verified") is True and isinstance(email, str) else None


def normal_email(text: str) -> str | None:
    """An e-mail as it is compared; None where it is none."""
    email = text.strip().lower()
    name, at, domain = email.rpartition("@")
    fits = len(email) <= LONGEST_EMAIL and all(c >= "!" for c in email) and email.isprintable()
    return email if at and name and "." in domain.strip(".") and fits else None


def has_second_factor(claims: Mapping[str, Any], acr: frozenset[str], amr: frozenset[str]) -> bool:
    """Whether the token says what is asked for: one of these `acr`, and one of these `amr`; empty asks for nothing."""
    said = claims.get("amr")
    methods = {each for each in said if isinstance(each, str)} if isinstance(said, list) else set()
    return (not acr or claims.get("acr") in acr) and (not amr or bool(methods & amr))


def name_in(claims: Mapping[str, Any]) -> str:
    """What to call somebody who is new."""
    for key in ("name", "preferred_username", "email"):
        value = claims.get(key)
        if isinstance(value, str):
            name = "".join(c for c in value if c.isprintable()).strip()[:LONGEST_NAME].strip()
            if name:
                return name
    return "unnamed"


def _endpoint(document: Mapping[str, Any], name: str, plain: bool) -> str:
    url = document.get(name)
    if not usable_url(url, plain=plain):
        raise OpenIdAnswerInvalid(f"The provider's document has no {name} that can be used.")
    return str(url)
