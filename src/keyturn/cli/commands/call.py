"""`keyturn call`: one request to the API through a connection, without ever holding its token."""

from __future__ import annotations

import codecs
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import quote

import click

from keyturn.cli.api_client import Streamed, connect, path_of, problem_in
from keyturn.cli.command import command
from keyturn.cli.failures import API_REFUSED, OK
from keyturn.cli.options import json_problem_option
from keyturn.cli.output import clean, one_line, say_json, show_request, tell

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 section 5.6.2
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
# The connector puts the credentials on; framing is the client's own business.
_NOT_YOURS: Final = frozenset(
    {"authorization", "connection", "content-length", "cookie", "host", "proxy-authorization", "transfer-encoding"}
)
_MOST_SHOWN: Final = 1_048_576
_PATH_SAFE: Final = "/?&=%:@!$'()*+,;~"


@command("call")
@click.argument("connection", metavar="CONNECTION")
@click.argument("method", metavar="METHOD")
@click.argument("path", metavar="PATH")
@click.option("-H", "--header", "headers", multiple=True, metavar="'NAME: VALUE'", help="Send this header as well.")
@click.option("-d", "--data", metavar="@FILE|-|TEXT", help="Body: a file, standard input, or the text itself.")
@click.option("--base-url", metavar="URL", help="Another of the connector's allowed bases.")
@click.option("--dry-run", is_flag=True, help="Send nothing; show the request with its secrets masked.")
@click.option("-i", "--include", is_flag=True, help="Write status and whose answer it is to standard error.")
@json_problem_option
def call(
    connection: str,
    method: str,
    path: str,
    headers: tuple[str, ...],
    data: str | None,
    base_url: str | None,
    dry_run: bool,
    include: bool,
    as_json: bool,
) -> int:
    """Streams the API's answer to standard output, byte for byte (on a terminal without control characters).

    A body is sent as application/json where no Content-Type is given. The exit code is 0 below status 400, and 22 where
    the API itself answers 400 or above; where keyturn refuses the call, it is the problem's. With --dry-run, --json
    writes the request as a document.
    """
    verb = method.upper()
    if not _TOKEN.fullmatch(verb):
        raise click.UsageError("The method is a word such as GET.")
    sent, quoted = _headers_of(headers), f"/{quote(path.removeprefix('/'), safe=_PATH_SAFE)}"
    if dry_run:
        asked = {"method": verb, "path": quoted, "headers": sent, **({"base_url": base_url} if base_url else {})}
        return _show_only(connection, asked, data, as_json=as_json)
    if base_url:
        sent["Keyturn-Base-Url"] = base_url
    with _body_of(data) as body:
        if body is not None:
            sent = _with_type(sent)
        with connect().stream(verb, path_of("proxy", connection) + quoted, sent, body) as answer:
            return _pass_on(answer, include=include)


def _show_only(connection: str, asked: dict[str, Any], data: str | None, *, as_json: bool) -> int:
    """Have the server make the request, and show it."""
    with _body_of(data) as body:
        text = body if isinstance(body, bytes | None) else body.read(_MOST_SHOWN + 1)
    if text is not None and len(text) > _MOST_SHOWN:
        raise click.UsageError("A body that is shown has at most 1 MiB.")
    try:
        written = (text or b"").decode("utf-8")
    except UnicodeDecodeError:
        raise click.UsageError("A body that is shown is a text in UTF-8.") from None
    if text is not None:
        asked = {**asked, "body": written, "headers": _with_type(asked["headers"])}
    shown = connect().send("POST", path_of("connections", connection, "preview"), asked)
    if as_json:
        say_json(shown.document)
        return OK
    show_request(shown.members)
    left_out = shown.members.get("left_out")
    if isinstance(left_out, list) and left_out:
        tell(f"Not sent on: {', '.join(map(one_line, left_out))}")
    return OK


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


def _with_type(headers: dict[str, str]) -> dict[str, str]:
    """The headers of a request with a body: JSON where nobody says what it is."""
    if "content-type" in {name.lower() for name in headers}:
        return headers
    return {**headers, "Content-Type": "application/json"}


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
