"""`keyturn`: the command line's entrance.

Rule 1: to show help, nothing is loaded but click and the table of verbs.
Rule 2: every command returns its exit code, or raises one of the few ways to fail that are told apart here.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, NoReturn

import click

from keyturn.cli.command import VerbGroup
from keyturn.cli.failures import (
    INTERRUPTED,
    OK,
    PIPE_CLOSED,
    UNEXPECTED,
    USAGE,
    Failure,
    ProblemAnswered,
    exit_code_of,
    sentences_of,
    show_problem,
)
from keyturn.cli.output import say, tell
from keyturn.core.errors import KeyturnError, SettingsInvalid

ALONE: Final = """\
keyturn: safe connections from a username and a password
         (OAuth 2.0 password grant), self-hosted.

  keyturn dev                           try it, with an example provider
  keyturn connector new acme            describe how an API logs in
  keyturn serve --data DIR              run it

Talking to a server: set KEYTURN_URL and KEYTURN_API_KEY, then

  keyturn connection list

Help: keyturn --help, keyturn NOUN --help, keyturn NOUN VERB --help"""


@dataclass(slots=True)
class Invocation:
    """What one run of the program has to remember. `as_json`: how its failure is to be written."""

    as_json: bool = False


class Program(VerbGroup):
    """All commands, and one way for each kind of failure."""

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        """Run and exit."""
        invocation = Invocation()
        code = self._run(sys.argv[1:] if args is None else list(args), invocation)
        with contextlib.suppress(BrokenPipeError):
            sys.stdout.flush()
            sys.stderr.flush()
        sys.exit(code)

    def _run(self, args: list[str], invocation: Invocation) -> int:
        if not args:
            say(ALONE)
            return OK
        try:
            with self.make_context("keyturn", args, obj=invocation) as ctx:
                result = self.invoke(ctx)
                return result if isinstance(result, int) else OK
        except click.exceptions.Exit as end:
            return end.exit_code
        except click.UsageError as error:
            return _usage(error)
        except (click.Abort, KeyboardInterrupt):
            tell("\ninterrupted")
            return INTERRUPTED
        except Failure as failure:
            tell(str(failure))
            return failure.exit_code
        except ProblemAnswered as answered:
            show_problem(answered.document, as_json=invocation.as_json)
            return answered.exit_code
        except KeyturnError as error:
            return _own_error(error, invocation)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the interpreter's own last flush would fail again
            return PIPE_CLOSED


def _usage(error: click.UsageError) -> int:
    where = error.ctx.command_path if error.ctx is not None else "keyturn"
    tell(f"{error.format_message()}\nHelp: {where} --help")
    return USAGE


def _own_error(error: KeyturnError, invocation: Invocation) -> int:
    if isinstance(error, SettingsInvalid):
        for sentence in sentences_of(error):
            tell(sentence)
        return USAGE
    from keyturn.web.kit.problems import problem_document

    show_problem(problem_document(error, request_id=""), as_json=invocation.as_json)
    return exit_code_of(error.code)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Say where it happened, and no more: an exception's text may hold anything."""
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" in {os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}" if trace else ""
    tell(f"Something went wrong here: {kind.__name__}{place}. Please report it.")


program = Program("")
program.params.append(
    click.Option(
        ["--version"], is_flag=True, is_eager=True, expose_value=False, help="Show the version and exit.",
        callback=lambda ctx, _param, value: _version(ctx) if value else None,
    )
)  # fmt: skip


def _version(ctx: click.Context) -> None:
    from importlib.metadata import version

    say(f"keyturn {version('keyturn')}")
    ctx.exit(OK)


def main() -> NoReturn:
    """Be the program."""
    sys.excepthook = _uncaught
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    program.main()


assert UNEXPECTED == 1  # what the interpreter exits with after `_uncaught`
