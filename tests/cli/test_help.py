"""Help: examples first, the nearest word for a typing error, and fast, since nothing is loaded for it."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from keyturn.cli.command import VerbCommand, load
from keyturn.cli.main import program
from keyturn.cli.reference import cli_reference
from keyturn.cli.verb_rows.row import Verb
from keyturn.cli.verbs import NOUNS, VERBS
from tests.cli.running import run, run_process

GOLDEN = Path(__file__).with_name("golden")
REFERENCE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"
HEAVY = ("rich", "pydantic", "fastapi", "aiohttp", "sqlalchemy", "ruamel", "jmespath", "ssl", "http.client")


@pytest.mark.parametrize(
    "words", ["", "--help", "connection --help", "connection create --help", "call --help", "serve --help"]
)
def test_golden_text(words: str) -> None:
    """What people read first changes only on purpose."""
    expected = (
        GOLDEN / f"{words.replace(' --help', '').replace('--', '').replace(' ', '_') or 'alone'}.txt"
    ).read_text()

    ran = run_process(*words.split(), env={"COLUMNS": "80"})

    assert (0, expected, "") == (ran.code, ran.out, ran.err)


def test_alone_it_is_short() -> None:
    """`keyturn` alone prints at most 14 lines that fit a terminal."""
    lines = run().out.splitlines()

    assert 0 < len(lines) <= 14
    assert max(len(line) for line in lines) <= 80


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_each_verb_is_there(verb: Verb) -> None:
    """Each row of the table has its command, whose help shows the row's examples before the options."""
    ran = run(*verb.words.split(), "--help")

    assert isinstance(load(verb), VerbCommand)
    assert 0 == ran.code
    assert all(verb.examples)
    assert all(example in ran.out for example in verb.examples)
    assert ran.out.index(verb.examples[0]) < ran.out.index("Usage:") < ran.out.index("Options:")


def test_no_command_beside_the_table() -> None:
    """Every command that a module defines has its row."""
    folder = Path(importlib.import_module("keyturn.cli.commands").__path__[0])
    modules = [".".join(path.relative_to(folder).with_suffix("").parts) for path in folder.rglob("[a-z]*.py")]
    found = {
        f"{module}:{name}"
        for module in modules
        for name, value in vars(importlib.import_module(f"keyturn.cli.commands.{module}")).items()
        if isinstance(value, VerbCommand)
        and value.callback is not None
        and value.callback.__module__ == f"keyturn.cli.commands.{module}"
    }

    assert {verb.place for verb in VERBS.values()} == found


def test_each_noun_has_verbs() -> None:
    """A noun without verbs would be a word that does nothing."""
    assert set(NOUNS) == {verb.noun for verb in VERBS.values() if verb.noun}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param("serv", "keyturn serve", id="a letter short"),
        pytest.param("conection list", "keyturn connection", id="noun"),
        pytest.param("connection lst", "keyturn connection list", id="verb"),
        pytest.param("connector LINT", "“keyturn connector lint”", id="in capitals"),
        pytest.param("renew", "keyturn connection renew", id="the noun left out"),
        pytest.param("connector renew", "keyturn connection renew", id="a verb of another noun"),
    ],
)
def test_nearest_word(words: str, expected: str) -> None:
    """An unknown word is answered with the one that was probably meant."""
    ran = run(*words.split())

    assert (2, "") == (ran.code, ran.out)
    assert expected in ran.err


def test_a_word_like_nothing() -> None:
    """Where nothing is near, all words are named, and the unknown one is not said back."""
    ran = run("connection", "hunter2-xyzzy")

    assert 2 == ran.code
    assert "list, show, why" in ran.err
    assert "hunter2" not in ran.all


def test_help_loads_nothing_heavy() -> None:
    """Help starts fast because neither the server's libraries nor the client's are loaded for it."""
    code = (
        "import sys, io, contextlib\nfrom keyturn.cli.main import program\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit): program.main(['--help'])\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout

    assert "[]" == loaded.strip()


def test_version() -> None:
    """`--version` says the release, as a process as well."""
    ran = run_process("--version")

    assert 0 == ran.code
    assert ran.out.startswith("keyturn ")
    assert ran.out.strip()[-1].isdigit()


def test_reference_page() -> None:
    """The reference is the one that the table gives; write it with `keyturn.cli.reference.cli_reference()`."""
    assert REFERENCE.read_text(encoding="utf-8") == cli_reference()


def test_the_program_is_the_entry() -> None:
    """The root group is named as people type it."""
    assert "keyturn" == program.name
