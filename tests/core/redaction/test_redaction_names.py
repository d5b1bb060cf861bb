"""Names that announce a secret, and their neighbours that do not."""

from __future__ import annotations

import pytest

from keyturn.core.redaction.names import Naming, is_plural, judge_name

_SECRET = """
password PASSWORD Pass_Word pass.word passWord user-password db.passwd x_pwd PassPhrase pass-phrase secret client.secret
Client-Secret CLIENTSECRET token idToken id_token ID-TOKEN Mfa-Token ApiKey API_KEY x-api-key apikey otp OTP Otp-Code
totp new_password password_confirmation password2 oldPassword passwordRepeat oauth2_access_token refreshToken
acme.refresh-token secret_key private_key AWS_SECRET_ACCESS_KEY signing-key session_token csrfToken device_code
auth_token
xAuthToken bearer_token client_assertion code_verifier smtp_pass userpass db_pw recovery_code webhook_secret
accessTokens
refresh_token_value keyturn-key subject_token j_password hmac_key masterKey user[password] user%5Bpassword%5D contraseña
passwörter пароль 密码 2fa_code
"""
_NOT_SECRET = """
keyboard author compass tokenizer primary_key passenger monkey authority token_format tokenType token-url token_endpoint
token_endpoint_auth_method auth_method authorization_endpoint password_policy passwordChangedAt has_secret hasPassword
access_token_ttl accessTokenTtl refresh_token_lifetime refresh_token_expires_in client_id secret_id tokenId key_id kid
key
public_key foreign_key bypass passed passport pass_count secretary cookie_name otp_required pinned password_hash
token_fingerprint grant_type response_type subject_token_type token_type_hint scope nonce keycloak turnkey oauth_version
authentication code status_code country_code postcode code_challenge secret_rotated_at token_count max_tokens username
forgot_password_url token_header credential_id pass_through assertion_type pin_count
"""


@pytest.mark.parametrize("name", [*_SECRET.split(), "API key", "access token", "Pass Word"])
def test_a_secret_name_is_told_in_any_spelling(name: str) -> None:
    """Case, separators, prefixes and numbers do not matter."""
    assert Naming.SECRET is judge_name(name)


@pytest.mark.parametrize("name", _NOT_SECRET.split())
def test_a_harmless_name_is_not_taken_for_a_secret(name: str) -> None:
    """Lifetimes, types, ids and words that only contain key, auth, pass or token are no secrets."""
    assert judge_name(name) in (Naming.UNKNOWN, Naming.HARMLESS)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("Proxy-Authorization", Naming.AUTHORIZATION, id="credentials behind a scheme"),
        pytest.param("Set-Cookie", Naming.COOKIE, id="cookies"),
        pytest.param("credentials", Naming.CONTAINER, id="an object with a secret in it"),
        pytest.param("auth", Naming.PAIR, id="a user and a password"),
        pytest.param("password_ana", Naming.MAYBE, id="a secret word with an unknown ending"),
        pytest.param("", Naming.UNKNOWN, id="no name"),
        pytest.param("x" * 200, Naming.UNKNOWN, id="too long to be a name"),
    ],
)
def test_judge_name(name: str, expected: Naming) -> None:
    """Each kind of name is told apart."""
    assert expected is judge_name(name)


def test_a_plural_counts() -> None:
    """`tokens: 5` is a number of tokens, `pass: 5` is not a number of passes."""
    assert is_plural("max_tokens")
    assert not is_plural("pass")
    assert not is_plural("otp")
