"""`keyturn audit verify | export | anchor`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlencode

import click

from keyturn.cli.api_client import connect, path_of, problem_in
from keyturn.cli.command import command
from keyturn.cli.failures import NOT_VERIFIED, OK, UNEXPECTED, Failure
from keyturn.cli.options import json_option
from keyturn.cli.output import details, one_line, say, say_json
from keyturn.cli.times import instant


@command("audit verify")
@click.option("--first", type=click.IntRange(min=1), metavar="SEQ", help="Begin at this record.")
@click.option("--last", type=click.IntRange(min=1), metavar="SEQ", help="End at this record.")
@click.option("--anchor", type=click.Path(path_type=Path), metavar="FILE", help="Heads that were kept elsewhere.")
@click.option(
    "--file", "exported", type=click.Path(path_type=Path), metavar="FILE", help="An export; no server needed."
)
@click.option(
    "--key-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="With --file: the public key, as 64 hexadecimal digits or in a line of “audit anchor”.",
)
@json_option
def verify(
    first: int | None,
    last: int | None,
    anchor: Path | None,
    exported: Path | None,
    key_file: Path | None,
    as_json: bool,
) -> int:
    """Say whether the log is what was written. One that is not ends with exit code 11.

    With --first, --last or both, only these records, and the heads within them, are looked at.
    With --file it is an export that is held against its signed end, on this machine alone.
    """
    if (exported is None) != (key_file is None):
        raise click.UsageError("--file and --key-file belong together.")
    if exported is not None and (first, last, anchor) != (None, None, None):
        raise click.UsageError("--file is looked at as a whole: without --first, --last and --anchor.")
    if exported is not None and key_file is not None:
        return _verify_export(exported, key_file, as_json=as_json)
    found = connect().get(path_of("audit", "verify"), {**_newest_head(anchor), "first": first, "last": last})
    if as_json:
        say_json(found.document)
    else:
        _tell_verdict(found.members)
    return OK if found.members.get("ok") is True else NOT_VERIFIED


def _newest_head(anchor: Path | None) -> dict[str, object]:
    if anchor is None:
        return {}
    from keyturn.bootstrap.offline import heads_in

    heads = heads_in(anchor)
    if not heads:
        raise Failure("The file holds no head.", UNEXPECTED)
    return {"seq": heads[-1].seq, "mac": heads[-1].mac.hex()}


def _tell_verdict(verdict: Mapping[str, Any]) -> None:
    head, anchor, generations, routine = (
        verdict.get(name) or {} for name in ("head", "anchor", "generations", "routine")
    )
    details(
        [
            (
                "records",
                f"{one_line(verdict.get('entries'))} are right, from number {one_line(verdict.get('since'))} on",
            ),
            ("routine records", f"{one_line(routine.get('entries'))} are right"),
            ("head", f"{one_line(head.get('seq'))}  {one_line(head.get('mac'))}"),
            ("anchors", f"{one_line(anchor.get('checked'))}, the newest of record {one_line(anchor.get('newest'))}"),
            ("connections", "not compared: only a stretch was looked at")
            if verdict.get("whole") is False
            else ("connections", f"{one_line(generations.get('checked'))} compared"),
            ("public key", verdict.get("public_key")),
        ]
    )
    for of, fault in (
        ("", verdict.get("first_bad")),
        ("routine ", routine.get("first_bad")),
        ("", anchor.get("fault")),
    ):
        if isinstance(fault, Mapping):
            say(f"✗ {of}record {one_line(fault.get('seq'))}: {one_line(fault.get('text'))}")
            if fault.get("found"):
                say(f"  its MAC should be {one_line(fault.get('expected'))}, it is {one_line(fault['found'])}")
    for row in generations.get("older") or ():
        of, is_, was = (one_line(row.get(name)) for name in ("connection", "generation", "recorded"))
        say(f"✗ {of}: its row has generation {is_}, the log has {was}: an older row was put back.")
    for name in generations.get("missing") or ():
        say(f"✗ {one_line(name)}: its row is gone, and nothing says why.")
    for name in verdict.get("strangers") or ():
        say(f"✗ {one_line(name)}: this subject was tied to another owner.")
    what = "The log" if verdict.get("whole") is not False else "This stretch of the log"
    say(f"✓ {what} is what was written." if verdict.get("ok") is True else f"{what} was changed.")


def _verify_export(exported: Path, key_file: Path, *, as_json: bool) -> int:
    from keyturn.bootstrap.offline import check_exported

    found = check_exported(exported, key_file)
    if as_json:
        say_json(found)
    elif found["ok"]:
        say(f"✓ {found['entries']} records, as they were exported.")
    else:
        say(f"✗ record or line {found['first_bad']['seq']}: {found['first_bad']['what'].replace('_', ' ')}.")
    return OK if found["ok"] else NOT_VERIFIED


@command("audit export")
@click.option("--since", metavar="TIME", help="From then on: 2030-01-31T12:00:00Z, or 30d, 12h, 15m ago.")
@click.option("--until", metavar="TIME", help="Before then.")
@click.option("--out", "-o", type=click.Path(path_type=Path), metavar="FILE", help="Standard output where left out.")
def export(since: str | None, until: str | None, out: Path | None) -> None:
    """One JSON object a line, oldest first; the last line is a signed checkpoint. Persons are subject ids in it."""
    query = {name: value for name, value in (("since", instant(since)), ("until", instant(until))) if value}
    target = path_of("audit", "export") + (f"?{urlencode(query)}" if query else "")
    last = b""
    with connect().stream("GET", target, {"Accept": "application/x-ndjson"}, None) as answer:
        if answer.status != 200:
            raise problem_in(answer, answer.all())
        with _opened(out) as file:
            for piece in answer.pieces():
                file.write(piece)
                last = (last + piece)[-1024:]
    if b'"keyturn_audit"' not in last.splitlines()[-1] if last else True:
        raise Failure("The export broke off: its last line is no checkpoint.", UNEXPECTED)


@contextmanager
def _opened(out: Path | None) -> Iterator[IO[bytes]]:
    """Standard output, or a file of mode 0600."""
    if out is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Failure(f"{out} can't be written: {error.strerror}.", UNEXPECTED) from None
    with os.fdopen(handle, "wb") as file:
        yield file


@command("audit anchor")
@click.option("--file", "to", type=click.Path(path_type=Path), metavar="FILE", help="Add it to this file.")
def anchor(to: Path | None) -> None:
    """Print the signed head, one line. Keep it where the server can't write: it shows later what was cut off."""
    found = connect().get(path_of("audit", "anchor")).members
    line = json.dumps(found, separators=(",", ":")) + "\n"
    if to is None:
        say(line.rstrip("\n"))
        return
    try:
        handle = os.open(to, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "a", encoding="ascii") as file:
            file.write(line)
    except OSError as error:
        raise Failure(f"{to} can't be written: {error.strerror}.", UNEXPECTED) from None
