"""Answers that ask for a code, and the challenge that each would need."""

from __future__ import annotations

from typing import Any

import pytest

from keyturn.core.building.challenge_shapes import challenge_shape

CODE = "{{ otp }}"


@pytest.mark.parametrize(
    ("status", "value", "oauth", "when", "capture", "then"),
    [
        pytest.param(
            403,
            {"error": "mfa_required", "mfa_token": "m-1"},
            True,
            "error == 'mfa_required'",
            {"mfa_token": "mfa_token"},
            {"params": {"grant_type": "", "mfa_token": "{{ mfa_token }}", "otp": CODE}},
            id="a word and a token",
        ),
        pytest.param(
            401, {"mfaId": "m-1"}, False, "mfaId", {"mfaId": "mfaId"},
            {"extra_params": {"mfaId": "{{ mfaId }}", "otp": CODE}}, id="a token alone",
        ),
        pytest.param(
            401, {"errors": [{"extensions": {"code": "INVALID_OTP"}}]}, False,
            "errors[0].extensions.code == 'INVALID_OTP'", None, {"extra_params": {"otp": CODE}},
            id="a word alone: the same request once more",
        ),
        pytest.param(
            401, {"status": "error", "error": "totp-required"}, False, "error == 'totp-required'", None,
            {"extra_params": {"totp": CODE}}, id="a word that names the parameter",
        ),
        pytest.param(
            400, {"error": "invalid_grant", "error_description": "A one-time code is required."}, True,
            "contains(error_description, 'one-time code')", None, {"extra_params": {"otp": CODE}}, id="a sentence",
        ),
        pytest.param(
            200, {"verification": {"method": "sms"}, "tmp_id": "t-1"}, False, "tmp_id", {"tmp_id": "tmp_id"},
            {"extra_params": {"tmp_id": "{{ tmp_id }}", "otp": CODE}}, id="with a good status",
        ),
        pytest.param(
            200, {"ok": False, "reason": "NEED_CODE", "tx": "m-1"}, False, "reason == 'NEED_CODE'", {"tx": "tx"},
            {"extra_params": {"tx": "{{ tx }}", "otp": CODE}}, id="a demand for a code, and what is likely its state",
        ),
    ],
)  # fmt: skip
def test_a_shape_becomes_a_challenge(
    status: int, value: Any, oauth: bool, when: str, capture: dict[str, str] | None, then: dict[str, Any]
) -> None:
    """It recognises the answer, takes along what ties the code to it, and sends the code."""
    shape = challenge_shape(status, value, oauth=oauth)

    assert shape is not None
    found = dict(shape.challenge)
    assert {"status": [status], "body": when} == found["when"]
    assert capture == found.get("capture")
    assert then == found["then"]
    assert "m-1" not in repr(shape)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"error": "invalid_grant"}, id="wrong password"),
        pytest.param({"error": "invalid_grant", "error_description": "Wrong password or code"}, id="either"),
        pytest.param({"error": "invalid_client", "message": "unknown"}, id="client"),
        pytest.param({"access_token": "t", "mfa_enabled": True}, id="a fact that is no word"),
        pytest.param({"user": {"name": "otp"}}, id="a name that says nothing of errors"),
        pytest.param("mfa_required", id="no members"),
    ],
)
def test_what_asks_for_no_code_has_no_shape(value: Any) -> None:
    """A refusal is no question."""
    assert challenge_shape(400, value, oauth=True) is None
