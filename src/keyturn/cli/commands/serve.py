"""`keyturn serve`: run the broker until a signal comes."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from keyturn.cli.command import command
from keyturn.cli.failures import OK, UNEXPECTED, Failure
from keyturn.cli.output import tell

if TYPE_CHECKING:
    from keyturn.bootstrap.settings import Settings

_LISTENING: Final = {
    errno.EADDRINUSE: "is taken: end the program that has it, or choose another with --listen",
    errno.EACCES: "may not be used by this user: choose one above 1023 with --listen",
    errno.EPERM: "may not be used by this user: choose one above 1023 with --listen",
    errno.EADDRNOTAVAIL: "is no address of this machine: choose another with --listen",
}


@contextmanager
def usable_data() -> Iterator[None]:
    """Turn a data directory that can't be used into a sentence (exit code 1)."""
    try:
        yield
    except OSError as error:
        if error.filename is None:
            raise
        raise Failure(f"{os.fsdecode(error.filename)} can't be used: {error.strerror}.", UNEXPECTED) from None


@contextmanager
def listening(settings: Settings) -> Iterator[None]:
    """Turn a port that can't be had, or a data directory that can't be used, into a sentence (exit code 1)."""
    host, port = settings.host_and_port
    try:
        with usable_data():
            yield
    except socket.gaierror:
        raise Failure(f"The host of {host}:{port} is not known here: choose another with --listen.") from None
    except OSError as error:
        if error.errno not in _LISTENING:
            raise
        raise Failure(f"{host}:{port} {_LISTENING[error.errno]}.", UNEXPECTED) from None


@command("serve")
@click.option("--data", type=click.Path(path_type=Path), metavar="DIR", help="Data directory; made if absent.")
@click.option("--listen", metavar="HOST:PORT", help="Where to listen (127.0.0.1:8800; port 0 picks a free one).")
@click.option("--check", is_flag=True, help="Only say whether it could start: no port is opened, nothing is changed.")
def serve(data: Path | None, listen: str | None, check: bool) -> int | None:
    """Options win over the settings KEYTURN_DATA and KEYTURN_LISTEN. It needs no `init` before it.

    SIGTERM or Ctrl-C end it, within 40 s: calls under way get 20 s, and what was sent to a provider is stored. The log
    goes to standard error.
    """
    from keyturn.bootstrap.settings import read_settings

    settings = read_settings(data=data, listen=listen)
    if check:
        return _check(settings)
    with listening(settings):
        # Loaded after the settings are known to be good: it takes a while.
        from keyturn.bootstrap.runtimes import prepare_process, run
        from keyturn.bootstrap.runtimes import serve as serve_until_a_signal

        known = prepare_process(settings)
        run(serve_until_a_signal(settings, known))
    return None


def _check(settings: Settings) -> int:
    """Say what stands in the way of a start; the exit code is 1 if anything does."""
    from keyturn.bootstrap.examination import examine

    _ = settings.host_and_port, settings.brand  # read as a start would
    problems = [each for each in examine(settings) if each.grade == "problem"]
    for each in problems:
        tell(f"{each.name}: {each.found} {each.fix}".rstrip())
    if not problems:
        tell("It can start.")
    return UNEXPECTED if problems else OK
