"""The reference page of the command line, made from the table of verbs and the commands themselves."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from keyturn.cli.command import load
from keyturn.cli.failures import EXIT_CODES
from keyturn.cli.verb_rows.row import Verb
from keyturn.cli.verbs import VERBS

_HEAD = """\
# The command line

<!-- Made from the program's own table of verbs by keyturn.cli.reference; a test holds it equal. -->

`keyturn NOUN VERB`. `--help` behind any of it shows examples first. An unknown word is answered with the nearest one.

## Which server, which key

`dev`, `init`, `serve`, `doctor`, `backup`, `restore`, `key declare-lost`, `person link`, `problem` and
`connector new|catalogue|lint|schema` need no server, nor do `connector preview` and `audit verify` with a file; the
rest talks to one. Certificates are verified; redirects are not followed.

| variable | |
|---|---|
| `KEYTURN_URL` | the server's address; `http://127.0.0.1:8800` where it is not set |
| `KEYTURN_API_KEY` | the API key |
| `KEYTURN_API_KEY_FILE` | a file that holds the API key |
| `KEYTURN_NO_PROMPT` | `1`: never ask anything |
| `NO_COLOR` | set to anything: no colour |

What a server itself reads stands in the settings' reference; `serve`, `init` and `doctor` read those.

## Output

Data goes to standard output, all else to standard error. `--json` gives one document, the server's own; readers have to
ignore members that they don't know. With `--json` a problem goes to standard error as the document that REST answers; a
usage error, or a server that can't be reached, stays a sentence. On a terminal, control characters in what comes from
elsewhere are replaced.

## Secrets

There is no option that takes a password, a client secret or an API key: command lines are seen by every program of a
machine and kept in the shell's history. They come in by a prompt that does not show them, by `--password-stdin`,
`--password-fd N` (`--secret-stdin`, `--secret-fd N` for a client's secret), or by `--secrets-file FILE`: a JSON object
of texts in a file of mode 0600, with `password` and the keys of secret fields. Without a terminal nothing is asked.

## Exit codes

| code | meaning | whose move |
|---|---|---|
"""


def cli_reference() -> str:
    """Write `docs/reference/cli.md`."""
    lines = [_HEAD + "\n".join(f"| {code} | {meaning} | {who} |" for code, meaning, who in EXIT_CODES)]
    for verb in VERBS.values():
        lines += ["", *_section(verb)]
    return "\n".join(lines) + "\n"


def _section(verb: Verb) -> Iterator[str]:
    command = load(verb)
    context = click.Context(command, info_name=f"keyturn {verb.words}")
    yield f"## keyturn {verb.words}"
    yield ""
    yield verb.summary
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        yield ""
        yield paragraph
    yield ""
    yield f"    {command.get_usage(context).removeprefix('Usage: ')}"
    yield ""
    yield from (f"    {example}" for example in verb.examples)
    rows = [
        record
        for param in command.get_params(context)
        if isinstance(param, click.Option)
        and param is not command.get_help_option(context)
        and (record := param.get_help_record(context)) is not None
    ]
    if rows:
        yield from ("", "| option | |", "|---|---|")
    yield from (
        f"| `{name.replace('|', chr(92) + '|')}` | {words.replace('|', chr(92) + '|')} |" for name, words in rows
    )
