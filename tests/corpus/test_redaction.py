"""The corpus of redaction, judged as its contract says, with the secret looked for in every form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.corpus.redaction_adapter import redact
from tests.corpus.redaction_forms import leaks

_SAMPLES = Path(__file__).parent / "samples"
CASES = [
    pytest.param(case, id=case["id"])
    for name in ("redaction.json", "redaction_own.json")
    for case in json.loads((_SAMPLES / name).read_text("utf-8"))["cases"]
]


@pytest.mark.parametrize("case", CASES)
def test_no_secret_is_shown_and_nothing_else_is_lost(case: dict[str, object]) -> None:
    """No secret in any form is in the output, and all that is harmless is."""
    shown = redact({name: case[name] for name in ("id", "kind", "input", "registered") if name in case})

    for secret in case["secrets"]:  # type: ignore[attr-defined]
        assert [] == leaks(shown, secret)
    for kept in case["keep"]:  # type: ignore[attr-defined]
        assert kept in shown
