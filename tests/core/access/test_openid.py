"""What an OpenID provider says, and what follows from it."""

from __future__ import annotations

from typing import Any

import pytest

from keyturn.core.access.openid import (
    claim_at,
    has_second_factor,
    name_in,
    normal_email,
    read_metadata,
    role_in,
    verified_email,
)
from keyturn.core.access.roles import Role
from keyturn.core.errors import OpenIdAnswerInvalid

ISSUER = "https://id.example/realms/house"
DOCUMENT: dict[str, Any] = {
    "issuer": ISSUER,
    "authorization_endpoint": f"{ISSUER}/auth",
    "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/certs",
}


def test_a_document_is_read() -> None:
    """With what is left out as the standard has it."""
    found = read_metadata(DOCUMENT, ISSUER)
    other = read_metadata(
        {**DOCUMENT, "token_endpoint_auth_methods_supported": ["client_secret_post"], "userinfo_endpoint": ISSUER},
        ISSUER,
    )

    assert (True, False, None) == (found.basic, found.says_issuer, found.userinfo_endpoint)
    assert (False, ISSUER) == (other.basic, other.userinfo_endpoint)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"issuer": f"{ISSUER}/"}, id="an issuer with a slash more"),
        pytest.param({"issuer": None}, id="no issuer"),
        pytest.param({"token_endpoint": "http://id.example/token"}, id="plain http below https"),
        pytest.param({"jwks_uri": None}, id="no keys"),
        pytest.param({"authorization_endpoint": "javascript:alert(1)"}, id="another scheme"),
        pytest.param({"authorization_endpoint": "https://user@id.example/"}, id="a user"),
        pytest.param({"userinfo_endpoint": 7}, id="no text"),
    ],
)
def test_a_document_that_can_not_be_used(changes: dict[str, Any]) -> None:
    """Nothing of it counts."""
    with pytest.raises(OpenIdAnswerInvalid):
        read_metadata({**DOCUMENT, **changes}, ISSUER)


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        pytest.param({"groups": ["a", "b"]}, Role.OPERATOR, id="the strongest"),
        pytest.param({"groups": "a"}, Role.VIEWER, id="a single text"),
        pytest.param({"groups": ["A", 1, None]}, None, id="none of the table"),
        pytest.param({"groups": {"a": "b"}}, None, id="an object"),
        pytest.param({}, None, id="no claim"),
    ],
)
def test_role_in(claims: dict[str, Any], expected: Role | None) -> None:
    """Only what the table names."""
    assert expected is role_in(claims, "groups", {"a": Role.VIEWER, "b": Role.OPERATOR})


def test_claim_at() -> None:
    """A name with dots in it comes before a path."""
    claims = {"https://x.example/roles": 1, "a": {"b": {"c": 2}}}

    assert (1, 2, None) == tuple(claim_at(claims, each) for each in ("https://x.example/roles", "a.b.c", "a.b.c.d"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(" Ada@Example.COM ", "ada@example.com", id="case and blanks do not matter"),
        pytest.param("ada@localhost", None, id="no domain"),
        pytest.param("@example.com", None, id="no name"),
        pytest.param("ada@example.com x", None, id="a blank inside"),
        pytest.param("a" * 250 + "@example.com", None, id="too long"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_normal_email(text: str, expected: str | None) -> None:
    """As e-mails are compared."""
    assert expected == normal_email(text)


def test_an_e_mail_counts_verified_alone() -> None:
    """The provider has to say so, in so many words."""
    verified = [verified_email({"email": "a@b.example", "email_verified": each}) for each in (True, "true", 1, None)]

    assert ["a@b.example", None, None, None] == verified


def test_has_second_factor() -> None:
    """Nothing asked for is there always."""
    assert has_second_factor({}, frozenset(), frozenset())
    assert not has_second_factor({"acr": ["gold"]}, frozenset(), frozenset({"mfa"}))
    assert has_second_factor({"amr": ["pwd", "mfa"]}, frozenset(), frozenset({"mfa"}))


def test_name_in() -> None:
    """The first that has something to be read; no control character."""
    assert "ada" == name_in({"name": "\u202e", "preferred_username": "ada\n"})
    assert "unnamed" == name_in({})
