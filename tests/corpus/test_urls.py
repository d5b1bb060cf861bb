"""Tests of the egress guard by the project's corpus of URLs, rules and proxy paths."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.corpus.url_adapter import proxy_target, rule_valid, url_verdict

SAMPLE: dict[str, Any] = json.loads((Path(__file__).parent / "samples" / "urls.json").read_text(encoding="utf-8"))


def cases(*groups: str) -> list[Any]:
    """Return the cases of the groups as parameters, named by their ids."""
    return [pytest.param(case, id=case["id"]) for group in groups for case in SAMPLE[group]]


@pytest.mark.parametrize("case", cases("cases"))
def test_url_verdict(case: dict[str, Any]) -> None:
    """Each URL is allowed or denied as the corpus says."""
    inputs = {field: case[field] for field in ("rules", "url", "resolves", "allow_private", "insecure_http")}

    assert case["expect"] == url_verdict(inputs)  # type: ignore[arg-type]


@pytest.mark.parametrize("case", cases("rules_valid"))
def test_valid_rules(case: dict[str, Any]) -> None:
    """Each rule that the corpus calls valid is read."""
    assert rule_valid(case["rule"]) is True


@pytest.mark.parametrize("case", cases("rules_invalid"))
def test_invalid_rules(case: dict[str, Any]) -> None:
    """Each rule that the corpus calls invalid is refused."""
    assert rule_valid(case["rule"]) is False


@pytest.mark.parametrize("case", cases("proxy_paths"))
def test_proxy_target(case: dict[str, Any]) -> None:
    """Each path is joined to its base, or refused, as the corpus says."""
    inputs = {field: case[field] for field in ("base", "rules", "path")}

    assert case["target"] == proxy_target(inputs)  # type: ignore[arg-type]


def test_the_sample_is_whole() -> None:
    """The copy holds as many cases as it says, so that none is lost without notice."""
    assert SAMPLE["meta"]["counts"] == {group: len(SAMPLE[group]) for group in SAMPLE["meta"]["counts"]}
