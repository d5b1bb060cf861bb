"""Token sets as plaintext of a seal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keyturn.core.token_set import TokenSet


def parts_of(token_set: TokenSet) -> dict[str, Any]:
    """Take a token set apart, for `secret_json`."""
    return {
        "access_token": token_set.access_token,
        "issued_at": token_set.issued_at,
        "refresh_token": token_set.refresh_token,
        "token_type": token_set.token_type,
        "expires_at": token_set.expires_at,
        "scope": token_set.scope,
        "kept": token_set.kept,
        "refresh_expires_at": token_set.refresh_expires_at,
    }


def token_set_from(parts: Mapping[str, Any]) -> TokenSet:
    """Put it together again."""
    scope = parts["scope"]
    return TokenSet(**{**parts, "scope": None if scope is None else tuple(scope)})
