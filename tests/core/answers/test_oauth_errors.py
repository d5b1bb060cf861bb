"""What an OAuth error means, where its code is not enough."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.core.answers.oauth_errors import Outcome, outcome_of, safe_word


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("invalid_grant", Outcome.REJECTED_CREDENTIALS),
        ("mfa_required", Outcome.CHALLENGE),
        ("interaction_required", Outcome.CHALLENGE),
        ("invalid_client", Outcome.INVALID_CLIENT),
        ("invalid_scope", Outcome.INVALID_SCOPE),
        ("unsupported_grant_type", Outcome.UNSUPPORTED_GRANT),
        ("slow_down", Outcome.RATE_LIMITED),
        ("temporarily_unavailable", Outcome.TEMPORARILY_UNAVAILABLE),
        ("server_error", Outcome.TEMPORARILY_UNAVAILABLE),
        ("unauthorized_client", Outcome.MALFORMED),
        ("invalid_request", Outcome.MALFORMED),
        ("access_denied", Outcome.MALFORMED),
        ("Invalid_grant", Outcome.MALFORMED),
        ("invalid_grant ", Outcome.MALFORMED),
        ("", Outcome.MALFORMED),
    ],
)
def test_codes(code: str, expected: Outcome) -> None:
    """Known codes have their meaning, exactly as written; an unknown one is never a wrong password."""
    assert expected == outcome_of(code, {})


@pytest.mark.parametrize(
    "text",
    [
        "MFA required",
        "mfa_required",
        "Two factor required.",
        "Two-factor authentication code is required but was not provided",
        "Multi-factor authentication is required to sign in",
        "Multifactor authentication required",
        "2FA code missing",
        "OTP required",
        "A TOTP code is needed",
        "One-time password required",
        "A second factor is required",
        "2-step verification required",
        "Verification code required",
        "Please enter your two-factor code",
        "You must enroll in MFA",
        "Wrong client. A second factor is required.",
        "invalid_grant: MFA required",
        "MFA is required, no code was provided",
        "Invalid login (MFA required)",
        "Login failed - a second factor is required",
        "Additional verification is required",
        "Account is not fully set up",
        "account is not fully set up.",
        "AADSTS50076: further verification",
        "x AADSTS50158",
    ],
)
def test_a_refusal_that_asks_for_a_second_step(text: str) -> None:
    """An `invalid_grant` whose text says that a second step is required is a challenge."""
    assert Outcome.CHALLENGE == outcome_of("invalid_grant", {"error_description": text})


@pytest.mark.parametrize(
    "text",
    [
        "Invalid user credentials",
        "The password is required",
        "A second password attempt is needed",
        "Invalid MFA code",
        "The one-time password is wrong",
        "MFA is not required",
        "No second factor is required",
        "Wrong password, and no second factor is required",
        "A wrong two-factor code, try again",
        "Email verification is required",
        "MFA",
        "Required",
        "The grant must be renewed",
        "AADSTS50126: wrong. Correlation 50076 Trace 50158",
        "AADSTS500761: something else",
        "50076",
        "AADSTS 50076",
        "Account is fully set up",
    ],
)
def test_a_refusal_that_is_one(text: str) -> None:
    """Words or digits that only resemble a demand leave it a refusal."""
    assert Outcome.REJECTED_CREDENTIALS == outcome_of("invalid_grant", {"error_description": text})


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        pytest.param([50076], Outcome.CHALLENGE, id="required by policy"),
        pytest.param([1, 50079], Outcome.CHALLENGE, id="to be set up"),
        pytest.param(["50158"], Outcome.CHALLENGE, id="as a text"),
        pytest.param([50126], Outcome.REJECTED_CREDENTIALS, id="another number"),
        pytest.param(50076, Outcome.REJECTED_CREDENTIALS, id="no list"),
        pytest.param([[50076]], Outcome.REJECTED_CREDENTIALS, id="a list in the list"),
        pytest.param(None, Outcome.REJECTED_CREDENTIALS, id="null"),
    ],
)
def test_error_codes(codes: object, expected: Outcome) -> None:
    """The three numbers for a second step, in the list of numbers."""
    assert expected == outcome_of("invalid_grant", {"error_codes": codes})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Client not allowed for direct access grants", Outcome.UNSUPPORTED_GRANT),
        ("Grant type 'password' not allowed for the client.", Outcome.UNSUPPORTED_GRANT),
        ("The client is not authorized to use the provided grant type.", Outcome.UNSUPPORTED_GRANT),
        ("The authenticated client is not authorised to use this grant", Outcome.UNSUPPORTED_GRANT),
        ("Unauthorized grant type: password", Outcome.UNSUPPORTED_GRANT),
        ("grant_type is not supported for this client", Outcome.UNSUPPORTED_GRANT),
        ("The ROPC flow is disabled", Outcome.UNSUPPORTED_GRANT),
        ("This client cannot use the password grant", Outcome.UNSUPPORTED_GRANT),
        ("The client may not use this grant type", Outcome.UNSUPPORTED_GRANT),
        ("The client has no permission for this grant", Outcome.UNSUPPORTED_GRANT),
        ("The password grant isn't available", Outcome.UNSUPPORTED_GRANT),
        ("The client cannot use this secret", Outcome.MALFORMED),
        ("The grant may be used", Outcome.MALFORMED),
        ("Client not allowed", Outcome.MALFORMED),
        ("Invalid client or Invalid client credentials", Outcome.MALFORMED),
        ("The client is not authorized: access was not granted", Outcome.MALFORMED),
        ("The grant type is password", Outcome.MALFORMED),
        ("", Outcome.MALFORMED),
    ],
)
def test_unauthorized_client(text: str, expected: Outcome) -> None:
    """It means the grant only where its text says so."""
    assert expected == outcome_of("unauthorized_client", {"error_description": text})


@pytest.mark.parametrize("description", [None, 5, {"x": 1}, ["MFA required"]])
def test_a_description_that_is_no_text(description: object) -> None:
    """It says nothing."""
    assert Outcome.REJECTED_CREDENTIALS == outcome_of("invalid_grant", {"error_description": description})


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("invalid_grant", "invalid_grant"),
        ("a" * 64, "a" * 64),
        ("a" * 65, None),
        ("", None),
        ("two words", None),
        ("invalid_grant\n", None),
        ("ungültig", None),
        (190, None),
        (None, None),
    ],
)
def test_safe_word(code: object, expected: str | None) -> None:
    """Only a short plain word goes on into logs and pages."""
    assert expected == safe_word(code)


@given(st.text())
def test_no_other_code_is_a_refusal(code: str) -> None:
    """Only `invalid_grant` ever counts against a password."""
    assert code == "invalid_grant" or Outcome.REJECTED_CREDENTIALS != outcome_of(code, {})
