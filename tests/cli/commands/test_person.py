"""`keyturn person`: people, and the link that signs one in."""

from __future__ import annotations

from pathlib import Path

from tests.cli.running import run_process


def test_a_link_is_made_beside_the_server(tmp_path: Path) -> None:
    """The first time the person is made; standard output is the link alone, and another link the next time."""
    data = str(tmp_path / "data")
    first = run_process("person", "link", "ada", "--data", data)
    second = run_process("person", "link", "ada", "--data", data)

    assert (0, 0) == (first.code, second.code)
    assert first.out.startswith("http://127.0.0.1:8800/sign-in/")
    assert 1 == first.out.count("\n")
    assert first.out != second.out
    assert "ada was added, with the role admin." in first.err
    assert "was added" not in second.err
