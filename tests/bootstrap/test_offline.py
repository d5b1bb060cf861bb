"""Connector files are read without a server, as the server reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from keyturn.bootstrap.offline import read_connector_file, read_connector_text, starter_text
from keyturn.core.errors import ConnectorInvalid


def test_read(tmp_path: Path) -> None:
    """The model, the places of its parts, and the bytes as they are."""
    path = tmp_path / "acme.yaml"
    path.write_text(starter_text("acme"))
    found = read_connector_file(path)

    assert "acme" == found.connector.id
    assert path.read_bytes() == found.text
    assert found.document.position("/connector") != (None, None)
    assert found.connector == read_connector_text(starter_text("acme"))


def test_errors_have_their_places(tmp_path: Path) -> None:
    """Every error at once, with line and column."""
    path = tmp_path / "bad.yaml"
    path.write_text("keyturn: 1\ntitel: Acme\n")
    with pytest.raises(ConnectorInvalid) as caught:
        read_connector_file(path)

    assert (2, 1) in [(each.line, each.column) for each in caught.value.errors]


@pytest.mark.parametrize("size", [256 * 1024 + 1, 3_000_000], ids=["one over the format's limit", "over ours as well"])
def test_a_huge_file(tmp_path: Path, size: int) -> None:
    """It is refused as too large, not read as something else."""
    path = tmp_path / "huge.yaml"
    path.write_bytes(b"#" * size)
    with pytest.raises(ConnectorInvalid) as caught:
        read_connector_file(path)

    assert ["document_too_large"] == [each.code for each in caught.value.errors]
