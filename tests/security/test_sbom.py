"""The bill of materials, and what lets a release be."""

from __future__ import annotations

import json

import pytest
from cyclonedx.model.bom import Bom

from scripts.bill_of_materials import bill_of, read_lock
from scripts.write_release import LOCK, NoRelease, judge_audit
from tests.house.sources import ROOT

TEXT = (ROOT / LOCK).read_text(encoding="utf-8")
HASH = "0" * 64
GOOD = {"name": "a", "version": "1", "vulns": []}


def test_every_pin_is_a_component_with_its_hashes() -> None:
    """Each package of the lock stands there once, with its version and hashes; another reader understands it."""
    bill = bill_of("1.2.3", read_lock(TEXT), ["aiohttp", "sqlalchemy"], 0)
    read: Bom = Bom.from_json(json.loads(bill))  # type: ignore[attr-defined]
    pins = [line.split()[0].split("==") for line in TEXT.splitlines() if line[:1].isalnum()]

    assert sorted((name, version) for name, version in pins) == sorted((c.name, c.version) for c in read.components)
    assert TEXT.count("--hash=sha256:") == sum(len(c.hashes) for c in read.components)
    assert read.metadata.component is not None
    assert "1.2.3" == read.metadata.component.version
    assert bill == bill_of("1.2.3", read_lock(TEXT), ["aiohttp", "sqlalchemy"], 0)


def test_a_marker_is_said() -> None:
    """What is installed on some systems only is told so."""
    bill = json.loads(bill_of("1", read_lock(f"A_b==1 ; sys_platform == 'x' \\\n    --hash=sha256:{HASH}\n"), [], 0))

    assert "pkg:pypi/a-b@1" == bill["components"][0]["purl"]
    assert [{"name": "keyturn:installed-where", "value": "sys_platform == 'x'"}] == bill["components"][0]["properties"]


@pytest.mark.parametrize(
    "text",
    [pytest.param("a==1\n", id="no hash"), pytest.param(f"a>=1 \\\n --hash=sha256:{HASH}\n", id="no pin")],
)
def test_a_lock_that_says_too_little(text: str) -> None:
    """No bill is made of it."""
    with pytest.raises(ValueError, match="no pin with hashes"):
        read_lock(text)


@pytest.mark.parametrize(
    ("code", "packages", "expected"),
    [
        pytest.param(0, [GOOD], None, id="nothing found"),
        pytest.param(1, [GOOD, {**GOOD, "vulns": [{"id": "X-1"}]}], 1, id="an advisory"),
        pytest.param(1, None, 3, id="nobody there"),
        pytest.param(0, [], 3, id="asked about nothing"),
        pytest.param(0, [{"name": "a", "skip_reason": "x"}], 3, id="one passed over"),
        pytest.param(1, [GOOD], 3, id="ended in an error"),
    ],
)
def test_what_lets_a_release_be(code: int, packages: object, expected: int | None) -> None:
    """Only an answer about every package, without a finding."""
    out = "no route" if packages is None else json.dumps({"dependencies": packages})
    said = None
    try:
        judge_audit(code, out)
    except NoRelease as no:
        said = no.code

    assert expected == said
