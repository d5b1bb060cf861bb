"""Asking people, on their terminal and nowhere else.

Rule 1: without a terminal nothing is ever asked: the command ends and says how to go without the question.
Rule 2: questions go to the terminal itself, not to standard output, and answers come from there, not from standard
input, which may be a pipe with data.
Rule 3: a secret is not shown while it is typed, and is a `Secret` from then on.
"""

from __future__ import annotations

import io
import sys
import warnings
from collections.abc import Sequence
from typing import TextIO

import click

from keyturn.bootstrap.client_settings import prompts_are_off
from keyturn.cli.output import clean, one_line
from keyturn.core.secret import Secret


def can_ask() -> bool:
    """Whether somebody is there to answer."""
    if prompts_are_off() or not (sys.stdin.isatty() or sys.stderr.isatty()):
        return False
    try:
        _opened().close()
    except OSError:
        return False
    return True


def ask(question: str, *, instead: str) -> str:
    """Ask for something that may be seen; `instead` says how to give it without being asked."""
    _insist(instead)
    with _opened() as terminal:
        terminal.write(f"{one_line(question)}: ")
        terminal.flush()
        line = terminal.readline()
    if not line:
        raise click.Abort
    return line.rstrip("\r\n")


def ask_secret(question: str, *, instead: str) -> Secret:
    """Ask for something that must not be seen."""
    _insist(instead)
    import getpass

    with warnings.catch_warnings():
        warnings.simplefilter("error", getpass.GetPassWarning)  # it would go on and show what is typed
        try:
            return Secret(getpass.getpass(f"{one_line(question)}: "))
        except getpass.GetPassWarning:
            raise click.UsageError(f"This terminal would show what is typed. {instead}") from None
        except EOFError:
            raise click.Abort from None


def ask_choice(question: str, choices: Sequence[tuple[str, str]], *, instead: str) -> str:
    """Show values by their labels, with numbers, and give back the value that was chosen.

    Raises:
        UsageError: three times something else was typed.
    """
    _insist(instead)
    with _opened() as terminal:
        terminal.write(f"{one_line(question)}\n")
        for number, (_, label) in enumerate(choices, start=1):
            terminal.write(f"  {number}  {one_line(label)}\n")
        for _ in range(3):
            terminal.write(f"Which (1-{len(choices)}): ")
            terminal.flush()
            line = terminal.readline()
            if not line:
                raise click.Abort
            typed = line.strip()
            if typed.isascii() and typed.isdecimal() and 1 <= int(typed) <= len(choices):
                return choices[int(typed) - 1][0]
    raise click.UsageError("None of these was chosen.")


def confirm(what: str, *, instead: str) -> bool:
    """Say what will happen and ask whether it shall; only `y` or `yes` is a yes."""
    _insist(instead)
    with _opened() as terminal:
        terminal.write(f"{clean(what)}\nGo on? [y/N] ")
        terminal.flush()
        line = terminal.readline()
    return line.strip().lower() in ("y", "yes")


def _insist(instead: str) -> None:
    if not can_ask():
        raise click.UsageError(f"There is no terminal to ask on. {instead}")


def _opened() -> TextIO:
    # A terminal can't be seeked, which a text file that is read and written has to be; so the layers are put together.
    raw = io.FileIO("/dev/tty", "r+")
    return io.TextIOWrapper(raw, encoding="utf-8", errors="replace", write_through=True)
