"""The operator's settings of the OpenID provider, read and held against each other.

Rule: a message names the setting and what would be right; it repeats no value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from keyturn.core.access.roles import Role
from keyturn.core.errors import SettingsInvalid
from keyturn.core.urls.usable_url import usable_url
from keyturn.engine.people.openid.relying import RelyingSettings

_NAME: Final = "KEYTURN_OIDC_"


def read_roles(text: str) -> Mapping[str, Role]:
    """`GROUP=ROLE`, several with commas between them. ValueError with what would be right."""
    found = {}
    for each in filter(None, (part.strip() for part in text.split(","))):
        group, _, role = (part.strip() for part in each.rpartition("="))
        if not group or role not in list(Role):
            raise ValueError(f"GROUP=ROLE, several with commas between them; the roles are {', '.join(Role)}")
        found[group] = Role(role)
    return found


def relying_on(given: Mapping[str, Any], *, insecure_http: bool) -> RelyingSettings | None:
    """What stands in the settings, by their names in lower case; None where no issuer is set.

    Raises:
        SettingsInvalid: with the names of those that don't fit together.
    """
    issuer, client_id = given["oidc_issuer"], given["oidc_client_id"]
    if not issuer:
        others = [name.upper() for name in ("oidc_client_id", "oidc_client_secret", "oidc_roles") if given[name]]
        if others:
            raise SettingsInvalid(f"KEYTURN_{others[0]} is set, and {_NAME}ISSUER is not; set both or neither.")
        return None
    if not usable_url(issuer, plain=insecure_http) or "?" in issuer:
        raise SettingsInvalid(f"{_NAME}ISSUER is the https URL by which the provider names itself, without a query.")
    if not client_id:
        raise SettingsInvalid(f"{_NAME}CLIENT_ID is needed where {_NAME}ISSUER is set.")
    roles = read_roles(given["oidc_roles"])
    if given["oidc_domains"] and not roles:
        raise SettingsInvalid(f"{_NAME}ROLES is needed where {_NAME}DOMAINS is set: who comes uninvited needs a role.")
    if "openid" not in given["oidc_scopes"]:
        raise SettingsInvalid(f"{_NAME}SCOPES needs “openid” among the others.")
    return RelyingSettings(
        issuer=issuer,
        client_id=client_id,
        name=given["oidc_name"].strip() or str(urlsplit(issuer).hostname),
        client_secret=given["oidc_client_secret"],
        scopes=tuple(given["oidc_scopes"]),
        role_claim=given["oidc_role_claim"],
        roles=roles,
        domains=frozenset(each.lower().removeprefix("@") for each in given["oidc_domains"]),
        acr=tuple(given["oidc_acr"]),
        amr=tuple(given["oidc_amr"]),
    )
