"""`keyturn person`: people, and the link that signs one in."""

from __future__ import annotations

import shlex
from pathlib import Path

from keyturn.bootstrap.observing.instance import link_options
from keyturn.bootstrap.settings import Settings
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


def test_an_id_is_looked_for_where_there_is_data(tmp_path: Path) -> None:
    """The page that asks to sign in again prints the command with an id: in the wrong folder it makes no data."""
    ran = run_process("person", "link", "per_1", cwd=tmp_path)

    assert 3 == ran.code
    assert "name the server's own with --data" in ran.err
    assert [] == list(tmp_path.iterdir())


def test_the_link_leads_to_the_server_that_is_meant(tmp_path: Path) -> None:
    """With the words that the page and `keyturn dev` print, whatever the shell has set."""
    settings = Settings(data=tmp_path / "the data", listen="127.0.0.1:9000")
    ran = run_process("person", "link", "ada", *shlex.split(link_options(settings)), cwd=tmp_path)

    assert ran.out.startswith("http://127.0.0.1:9000/sign-in/")
    assert ["the data"] == [each.name for each in tmp_path.iterdir()]
    assert "--data .keyturn/dev" == link_options(Settings(), data=Path(".keyturn", "dev"))
