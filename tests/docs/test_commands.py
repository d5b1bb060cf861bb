"""Commands that the documents name exist, with the arguments and options that they are shown with."""

from __future__ import annotations

import ast
import re
import shlex

import click
import pytest

from scripts.reference_sources import NOUNS, VERBS, load
from tests.docs.pages import ROOT, Block, blocks, page, written_pages

TARGETS = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
OF_THE_SHELL = "|&;<>\n"
OF_THE_PROGRAM = {"--help", "-h", "--version"}


def commands_in(text: str) -> list[list[str]]:
    """Each call of keyturn in a shell script, as words up to what the shell takes."""
    without_comments = re.sub(r"(^|\s)#[^\n'\"]*$", "", text.replace("\\\n", " "), flags=re.MULTILINE)
    lexer = shlex.shlex(without_comments, posix=True, punctuation_chars=OF_THE_SHELL)
    lexer.whitespace, lexer.whitespace_split, lexer.commenters = " \t\r", True, ""
    found: list[list[str]] = []
    begins, ours = True, False
    for word in lexer:
        if set(word) <= set(OF_THE_SHELL):
            begins, ours = True, False
        elif begins:
            begins, ours = False, word.rpartition("/")[2] == "keyturn"
            found += [[]] if ours else []
        elif ours:
            found[-1].append(word)
    return found


def check_command(words: list[str], *, whole: bool) -> None:
    """Raise click's own error where a command can't be called like this; not `whole`: arguments may be missing."""
    if not words or words[0] in OF_THE_PROGRAM or (words[0] in NOUNS and len(words) == 1):
        return
    verb = VERBS.get(" ".join(words[:2])) or VERBS.get(words[0])
    if verb is None:
        raise click.UsageError("no such command")
    command, rest = load(verb), words[len(verb.words.split()) :]
    if whole:
        command.make_context(verb.name, list(rest))
        return
    known = {option for param in command.params for option in param.opts} | OF_THE_PROGRAM
    unknown = [word for word in rest if word.startswith("-") and word not in known]
    if unknown:
        raise click.UsageError(f"no such option: {unknown}")


@pytest.mark.parametrize("block", blocks("sh"), ids=lambda block: block.name)
def test_commands_in_blocks_can_be_called(block: Block) -> None:
    """Every `keyturn …` in a shell block parses as it stands."""
    for words in commands_in(block.text):
        check_command(words, whole=True)


def test_commands_in_texts_exist() -> None:
    """Every `keyturn …` between backticks names a command and options that there are."""
    for each in written_pages():
        for line, span in each.code_spans():
            for words in commands_in(span) if span.startswith("keyturn ") else ():
                try:
                    check_command(words, whole=False)
                except click.UsageError as error:
                    raise AssertionError(f"{each.name}:{line}: `{span}`: {error.message}") from None


@pytest.mark.parametrize(
    ("line", "fine"),
    [
        pytest.param("curl -d '{\n}' x\nkeyturn connection why cxn_1", True, id="a text of several lines before"),
        pytest.param(".venv/bin/keyturn connection why $ID || true", True, id="a path before, a shell's word after"),
        pytest.param("keyturn connection why", False, id="an argument is missing"),
        pytest.param("keyturn connection why cxn_1 --verbose", False, id="an option that is not there"),
        pytest.param("keyturn connection explain cxn_1", False, id="a verb that is not there"),
    ],
)
def test_check_command(line: str, fine: bool) -> None:
    """The check itself tells a good command from one that can't be called."""
    [words] = commands_in(line)
    try:
        check_command(words, whole=True)
    except click.UsageError:
        assert not fine
    else:
        assert fine


def test_targets_of_make_exist() -> None:
    """Every `make …` between backticks or in a block is a target of the Makefile."""
    named = {
        (each.name, target)
        for each in written_pages()
        for target in re.findall(r"(?:^|[`\n] *)make ([a-z-]+)", each.text)
    }

    assert [] == sorted(pair for pair in named if pair[1] not in TARGETS)
    assert {"run", "test"} <= {target for name, target in named if name == "README.md"}


def test_the_two_commands_come_first() -> None:
    """A newcomer finds `make run` and `make test` on the first screen, and needs no step before."""
    first_screen = page("README.md").text.splitlines()[:12]

    assert any(line.startswith("    make run ") for line in first_screen)
    assert any(line.startswith("    make test ") for line in first_screen)


@pytest.mark.parametrize("block", blocks("python"), ids=lambda block: block.name)
def test_python_in_pages_parses(block: Block) -> None:
    """Python that is shown can be read by Python, without a tab or a typographic quote in it."""
    assert ast.parse(block.text).body
