"""Who may do what in the console, as one table.

Rule 1: a page asks for a permission, never for a role; the table is the whole truth, and a test walks every page with
every role.

Source: the threat model, A2; the product's four roles.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Role(StrEnum):
    """What somebody who signs in to the console is."""

    VIEWER = "viewer"
    AUTHOR = "author"
    OPERATOR = "operator"
    ADMIN = "admin"


class Permission(StrEnum):
    """What a page or a form needs."""

    VIEW = "view"  # everything that is no secret
    WRITE_CONNECTORS = "write_connectors"  # drafts, trials
    PUBLISH = "publish"  # versions, and moving connections to them
    OPERATE = "operate"  # connections, links, jobs; the connectors' client ids and secrets
    ADMINISTER = "administer"  # people, API keys, encryption keys, webhooks, settings


_P = Permission
PERMISSIONS: Final[Mapping[Role, frozenset[Permission]]] = MappingProxyType(
    {
        Role.VIEWER: frozenset({_P.VIEW}),
        Role.AUTHOR: frozenset({_P.VIEW, _P.WRITE_CONNECTORS, _P.PUBLISH}),
        Role.OPERATOR: frozenset({_P.VIEW, _P.OPERATE}),
        Role.ADMIN: frozenset(Permission),
    }
)


def may(role: Role, permission: Permission) -> bool:
    """Whether this role has this permission."""
    return permission in PERMISSIONS[role]
