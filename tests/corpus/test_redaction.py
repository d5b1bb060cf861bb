"""The corpus of redaction, judged as its contract says, with the secret looked for in every form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.corpus.redaction_adapter import redact
from tests.corpus.redaction_forms import leaks
from tests.corpus.redaction_judge import seen_secrets

_SAMPLES = Path(__file__).parent / "samples"
CASES = [
    pytest.param(case, id=case["id"])
    for name in ("redaction.json", "redaction_own.json", "redaction_adversary.json")
    for case in json.loads((_SAMPLES / name).read_text("utf-8"))["cases"]
]


@pytest.mark.parametrize("case", CASES)
def test_no_secret_is_shown_and_nothing_else_is_lost(case: dict[str, object]) -> None:
    """No secret in any form is in the output, and all that is harmless is."""
    shown = redact({name: case[name] for name in ("id", "kind", "input", "registered") if name in case})

    assert [] == seen_secrets(shown, case["secrets"])  # type: ignore[arg-type]
    for secret in case["secrets"]:  # type: ignore[attr-defined]
        assert [] == leaks(shown, secret)
    for kept in case["keep"]:  # type: ignore[attr-defined]
        assert kept in shown


@pytest.mark.parametrize(
    ("output", "seen"),
    [
        pytest.param("saw Gr4nit3ly%268Otter", True, id="percent"),
        pytest.param("saw gR4nit3lyX", False, id="another-word"),
        pytest.param("saw Gr4nit3l", True, id="half"),
        pytest.param("saw Gr4nit3", False, id="less-than-half"),
        pytest.param("saw eEdyNG5pdDNseSY4T3R0ZXI=", True, id="base64"),
        pytest.param("saw 4772346e697433", False, id="less-than-half-in-hex"),
        pytest.param("saw 4772346e6974336c79", True, id="half-in-hex"),
        pytest.param("saw Gr4nit\\u0033ly", True, id="json"),
        pytest.param("saw G r 4 n i t 3 l y", True, id="blanks"),
    ],
)
def test_the_judge_sees_what_a_reader_could(output: str, seen: bool) -> None:
    """The judge undoes each encoding, and takes less than half of a secret for nothing."""
    assert seen is bool(seen_secrets(output, ["Gr4nit3ly&8Otter"]))
