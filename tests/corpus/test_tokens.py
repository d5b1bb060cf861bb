"""The token-response corpus: what each provider's answer means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.corpus.token_adapter import parse_token_response

SAMPLE = json.loads((Path(__file__).parent / "samples" / "tokens.json").read_text(encoding="utf-8"))
JUDGED = ("id", "status", "headers", "body", "body_b64", "request_scope", "received_at", "profile")


def _given(case: dict[str, Any]) -> dict[str, Any]:
    """The case as an adapter gets it: without the expectation, the body made."""
    given = {key: case[key] for key in JUDGED if key in case}
    if "body_gen" in case:
        made = case["body_gen"]
        given["body"] = made["prefix"] + made["repeat"] * made["times"] + made["suffix"]
    return given


def _comparable(result: dict[str, Any]) -> dict[str, Any]:
    """What the contract compares, in one spelling."""
    outcome = result["outcome"]
    if outcome != "token":
        waits = outcome in {"rate_limited", "temporarily_unavailable"}
        kept = {key: result[key] for key in ("outcome", "access_token", "refresh_token")}
        return kept | ({"retry_after": result.get("retry_after")} if waits else {})
    return {
        **{key: result[key] for key in ("outcome", "access_token", "refresh_token", "expires_at")},
        "token_type": (result["token_type"] or "").lower(),
        "scope": None if result["scope"] is None else sorted(result["scope"]),
    }


def _close(expected: dict[str, Any], found: dict[str, Any]) -> bool:
    def same(key: str) -> bool:
        if key in {"expires_at", "retry_after"} and None not in (expected[key], found[key]):
            return abs(float(expected[key]) - float(found[key])) <= 1
        return bool(expected[key] == found[key])

    return expected.keys() == found.keys() and all(map(same, expected))


@pytest.mark.parametrize("case", [pytest.param(each, id=each["id"]) for each in SAMPLE["cases"] if each["must"]])
def test_an_answer_is_read_as_the_contract_says(case: dict[str, Any]) -> None:
    """Every case of the corpus that counts comes out as expected."""
    expected = _comparable(case["expect"])

    found = _comparable(parse_token_response(_given(case)))

    assert _close(expected, found), (expected, found)
