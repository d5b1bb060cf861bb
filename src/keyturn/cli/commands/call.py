"""`keyturn call`: one request to the API through a connection, without ever holding its token."""

from __future__ import annotations

import codecs
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final
from urllib.parse import quote

import click

from keyturn.cli.api_client import Streamed, connect, path_of, problem_in
from keyturn.cli.command import command
from keyturn.cli.failures import API_REFUSED, OK
from keyturn.cli.options import json_problem_option
from keyturn.cli.output import clean, one_line, tell

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
# The connector puts the credentials on; framing is the client's own business.
_NOT_YOURS: Final = frozenset(
    {"authorization", "connection", "content-length", "cookie", "host", "proxy-authorization", "transfer-encoding"}
)
_PATH_SAFE: Final = "/?&=%:@!$'()*+,;~"


@command("call")
@click.argument("connection", metavar="CONNECTION")
@click.argument("method", metavar="METHOD")
@click.argument("path", metavar="PATH")
@click.option("-H", "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="Send this header as well.")
@click.option("-d", "--data", metavar="@FILE|-|TEXT", help="Body: a file, standard input, or the text itself.")
@click.option("--base-url", metavar="URL", help="Another of the connector's allowed bases.")
@click.option("-i", "--include", is_flag=True, help="Write status and whose answer it is to standard error.")
@json_problem_option
def call(
    connection: str,
    method: str,
    path: str,
    headers: tuple[str, ...],
    data: str | None,
    base_url: str | None,
    include: bool,
    as_json: bool,
) -> int:
    """Streams the API's answer to standard output, byte for byte (on a terminal without control characters).

    A body is sent as application/json where no Content-Type is given. The exit code is 0 below status 400, and 22 where
    the API itself answers 400 or above; where keyturn refuses the call, it is the problem's.
    """
    verb = method.upper()
    if not _TOKEN.fullmatch(verb):
        raise click.UsageError("The method is a word such as GET.")
    sent = _headers_of(headers)
    if base_url:
        sent["Keyturn-Base-Url"] = base_url
    target = f"{path_of('proxy', connection)}/{quote(path.removeprefix('/'), safe=_PATH_SAFE)}"
    with _body_of(data) as body:
        if body is not None and "content-type" not in {name.lower() for name in sent}:
            sent["Content-Type"] = "application/json"
        with connect().stream(verb, target, sent, body) as answer:
            return _pass_on(answer, include=include)


def _pass_on(answer: Streamed, *, include: bool) -> int:
    ours = answer.header("Keyturn-Source") != "upstream"
    if include:
        tell(f"HTTP {answer.status}")
        for name in ("Keyturn-Source", "Keyturn-Request-Id", "Content-Type", "Location"):
            if answer.header(name):
                tell(f"{name}: {one_line(answer.header(name))}")
    if ours and answer.status >= 400:
        raise problem_in(answer, answer.all())
    if sys.stdout.isatty():
        _show(answer.pieces())
    else:
        for piece in answer.pieces():
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
    if answer.status < 400:
        return OK
    tell(f"The API answered {answer.status}.")
    return API_REFUSED


def _show(pieces: Iterator[bytes]) -> None:
    """Write a body to a terminal."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    last = "\n"
    for piece in pieces:
        if text := decoder.decode(piece).replace("\r", ""):
            sys.stdout.write(clean(text))
            sys.stdout.flush()
            last = text[-1]
    if last != "\n":
        sys.stdout.write("\n")


def _headers_of(given: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in given:
        name, colon, value = each.partition(":")
        lower = name.strip().lower()
        if not colon or not _TOKEN.fullmatch(name.strip()) or not _VALUE.fullmatch(value.strip()):
            raise click.UsageError("A header is written 'NAME: VALUE', in one line.")
        if lower in _NOT_YOURS or lower.startswith("keyturn-"):
            raise click.UsageError(f"{name.strip()} is put on by keyturn or by the connector.")
        if lower in {each.lower() for each in found}:
            raise click.UsageError(f"{name.strip()} is given twice.")
        found[name.strip()] = value.strip()
    return found


@contextmanager
def _body_of(data: str | None) -> Iterator[bytes | IO[bytes] | None]:
    if data is None:
        yield None
    elif data == "-":
        yield sys.stdin.buffer
    elif data.startswith("@"):
        try:
            source = Path(data[1:]).open("rb")  # noqa: SIM115  (closed below; only the opening is judged)
        except OSError:
            raise click.UsageError("The file of the body can't be read.") from None
        with source:
            yield source
    else:
        yield data.encode("utf-8", "surrogateescape")
