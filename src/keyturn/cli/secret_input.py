"""How secrets get in: asked for without being shown, from standard input, from an open file, or from a private file.

Rule 1: never as an option's value or a word: those are seen by every program of the machine.
Rule 2: a file with secrets is refused if others may read it: who read it so far cannot be known.
Rule 3: of a text from a pipe, one line end at its end is not part of the secret.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import click

from keyturn.core.secret import Secret

MAX_BYTES: Final = 65_536


def one_secret(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add `--NAME-stdin` and `--NAME-fd N` to a command, as `from_stdin` and `from_fd`."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        function = click.option(
            f"--{name}-fd", "from_fd", type=int, metavar="N",
            help=f"Read the {name} from the open file N.",
        )(function)  # fmt: skip
        return click.option(
            f"--{name}-stdin", "from_stdin", is_flag=True, help=f"Read the {name} from standard input."
        )(function)

    return decorate


def given_secret(from_stdin: bool, from_fd: int | None) -> Secret | None:
    """The secret that the two options bring, or None."""
    if from_stdin and from_fd is not None:
        raise click.UsageError("A secret has one source; two are named.")
    if from_stdin:
        if sys.stdin.isatty():
            raise click.UsageError("Standard input is a terminal and would show it; leave the option out to be asked.")
        return _secret(sys.stdin.buffer.read(MAX_BYTES + 1))
    if from_fd is not None:
        try:
            with os.fdopen(from_fd, "rb", closefd=False) as source:
                return _secret(source.read(MAX_BYTES + 1))
        except (OSError, ValueError, OverflowError):
            raise click.UsageError(f"The file {from_fd} is not open for reading.") from None
    return None


def next_line() -> str | None:
    """The next line of standard input, for a program that sends codes; None where there is none any more.

    It is plain text: only the caller knows whether it is a secret, and makes it one.

    Raises:
        UsageError: standard input is a terminal, which would show it; the line is too long, or no UTF-8.
    """
    if sys.stdin.isatty():
        raise click.UsageError("Standard input is a terminal and would show it; leave the answer out to be asked.")
    read = sys.stdin.buffer.readline(MAX_BYTES + 1)
    return _text(read) if read.strip(b"\r\n") else None


def secrets_in(path: Path) -> dict[str, Secret]:
    """Read a private file: a JSON object of names and texts.

    Raises:
        UsageError: it can't be read, others may read it, or it is no such object.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise click.UsageError(f"The secrets file can't be read: {os.strerror(error.errno or 0)}.") from None
    about = os.fstat(handle)
    if not stat.S_ISREG(about.st_mode):
        os.close(handle)
        raise click.UsageError("The secrets file is no file.")
    with os.fdopen(handle, "rb") as source:
        if about.st_mode & (stat.S_IRWXG | stat.S_IRWXO) or about.st_uid != os.geteuid():
            raise click.UsageError("The secrets file is not yours alone: chmod 600 it, and change what was in it.")
        text = source.read(MAX_BYTES + 1)
    try:
        found = json.loads(text) if len(text) <= MAX_BYTES else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, Mapping) or not all(isinstance(value, str) for value in found.values()):
        raise click.UsageError('The secrets file holds a JSON object of texts, such as {"password": "…"}.')
    return {name: Secret(value) for name, value in found.items()}


def _secret(read: bytes) -> Secret:
    return Secret(_text(read))


def _text(read: bytes) -> str:
    if len(read) > MAX_BYTES:
        raise click.UsageError("The secret is too long.")
    try:
        text = read.decode("utf-8")
    except UnicodeDecodeError:
        raise click.UsageError("The secret is no UTF-8.") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text:
        raise click.UsageError("The secret is empty.")
    return text
