"""`keyturn proxy`: a port on this machine that signs: what is sent to it goes through a connection.

Rule 1: it listens on loopback alone and never elsewhere.
Rule 2: it answers programs of this machine. A web page that a browser shows is none of them: a foreign Host (a name
that was pointed here), a foreign Origin and a request that began on another site are refused before anything is sent.
Rule 3: both bodies stream; an answer that breaks off breaks off here too.

Sources: RFC 9112 section 6 (framing), the Fetch metadata draft (`Sec-Fetch-Site`).
"""

from __future__ import annotations

import io
import re
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Final
from urllib.parse import quote

import click

from keyturn.cli.api_client import ApiClient, Streamed, connect, path_of
from keyturn.cli.command import command
from keyturn.cli.failures import OK, Failure
from keyturn.cli.output import say, tell
from keyturn.core.errors import KeyturnError

HELD_AT_MOST: Final = 65_536  # a call with such a body can be sent once more after a renewal
IDLE_S: Final = 75.0
ADDRESS: Final = "127.0.0.1"
_NAMES: Final = (ADDRESS, "localhost")
_HOP_BY_HOP: Final = frozenset(
    {
        "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
        "transfer-encoding", "upgrade",
    }
)  # fmt: skip
# Made anew on the way on; `expect` is answered here.
_NOT_SENT: Final = _HOP_BY_HOP | {"authorization", "content-length", "cookie", "expect", "host", "keyturn-key"}
_PATH_SAFE: Final = "".join(chr(code) for code in range(0x21, 0x7F))
_FOLD: Final = re.compile(r"\s*\r?\n\s+")  # RFC 9112 section 5.2
_WITHOUT_BODY: Final = frozenset({204, 304})


@command("proxy")
@click.argument("connection", metavar="CONNECTION")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=0,
    metavar="PORT",
    help="The port; a free one where none is given.",
)
def proxy(connection: str, port: int) -> int:
    """Writes the address to standard output, then serves until Ctrl-C.

    The path that is asked for here is the path behind `/v1/proxy/CONNECTION` there. Whoever may open a port of this
    machine may call through the connection as long as this runs.
    """
    server = _listening(port, connect(), path_of("proxy", connection))
    say(f"http://{ADDRESS}:{server.server_address[1]}")
    sys.stdout.flush()  # whoever started this waits for the address
    tell("Ctrl-C ends it.")
    with server, suppress(KeyboardInterrupt):
        server.serve_forever()
    return OK


def _listening(port: int, client: ApiClient, prefix: str) -> SigningServer:
    try:
        return SigningServer(port, client, prefix)
    except OSError:
        raise Failure(f"{ADDRESS}:{port} can't be had: it is taken, or not this user's to use.") from None


class SigningServer(ThreadingHTTPServer):
    """The port. `prefix`: the connection's path at the server."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int, client: ApiClient, prefix: str) -> None:
        super().__init__((ADDRESS, port), _Handler)
        self.client = client
        self.prefix = prefix
        bound = self.server_address[1]
        self.hosts = {f"{name}:{bound}" for name in _NAMES} | (set(_NAMES) if bound == 80 else set())
        self.origins = {f"http://{host}" for host in self.hosts}

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A program that hung up is no fault of ours."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = IDLE_S
    server: SigningServer
    disable_nagle_algorithm: ClassVar[bool] = True

    def __getattr__(self, name: str) -> Any:
        if name.startswith("do_"):  # every method goes the same way
            return self._pass_on
        raise AttributeError(name)

    def handle_expect_100(self) -> bool:
        """Say 100 (Continue) only to whom is let in."""
        return self._foreign() is not None or super().handle_expect_100()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a path may hold what is nobody's business."""

    def version_string(self) -> str:
        """The name in `Server`."""
        return "keyturn-proxy"

    def _pass_on(self) -> None:
        if (why := self._foreign() or self._unclear()) is not None:
            self._refuse(403 if self._foreign() else 400, why)
            return
        target = self.server.prefix + quote(self.path.encode("latin-1"), safe=_PATH_SAFE)
        headers, body = self._headers(), self._body()
        if isinstance(body, _Sized):
            headers["Content-Length"] = str(body.length)
        begun = False
        try:
            with self.server.client.stream(self.command, target, headers, body) as answer:
                begun = True
                self._hand_back(answer)
        except (Failure, KeyturnError) as failure:
            if begun:
                self.close_connection = True
                with suppress(OSError):
                    self.connection.shutdown(socket.SHUT_RDWR)  # the only way to say that the rest is missing
            else:
                self._refuse(502, str(failure) if isinstance(failure, Failure) else failure.detail or failure.code)
        except ValueError:  # the client that sends it on takes no such header
            self._refuse(400, "A header holds what no header may.")

    def _foreign(self) -> str | None:
        """Why this is no program of this machine's owner, as far as that can be told."""
        hosts = self.headers.get_all("Host") or []
        if len(hosts) != 1 or hosts[0].strip().lower() not in self.server.hosts:
            return "This port is called by its own address alone."
        origin = self.headers.get("Origin")
        if origin is not None and origin.lower() not in self.server.origins:
            return "Pages of other origins may not call here."
        if (self.headers.get("Sec-Fetch-Site") or "none").strip().lower() not in ("none", "same-origin"):
            return "Pages of other sites may not call here."
        return None

    def _unclear(self) -> str | None:
        lengths, codings = self.headers.get_all("Content-Length") or [], self.headers.get_all("Transfer-Encoding") or []
        sound = [each for each in lengths if each.isascii() and each.isdigit() and len(each) < 19]
        if (
            len(lengths) + len(codings) > 1
            or sound != lengths
            or [each.strip().lower() for each in codings]
            not in (
                [],
                ["chunked"],
            )
        ):
            return "The body's length is not clear."
        if self.command == "CONNECT" or not self.path.startswith("/"):
            return "This is no forward proxy: the path begins with a slash."
        return None

    def _headers(self) -> dict[str, str]:
        named = {
            each.strip().lower() for value in self.headers.get_all("Connection") or [] for each in value.split(",")
        }
        found: dict[str, str] = {}
        for name in self.headers:
            # One spelling for each name: what is put on after this has to meet it.
            spelled = "-".join(part.capitalize() for part in name.split("-"))
            if (lower := name.lower()) not in _NOT_SENT and lower not in named and spelled not in found:
                found[spelled] = ", ".join(_FOLD.sub(" ", each) for each in self.headers.get_all(name) or [])
        return found

    def _body(self) -> bytes | _Chunks | _Sized | None:
        if self.headers.get("Transfer-Encoding"):
            return _Chunks(self.rfile)
        length = int(self.headers.get("Content-Length") or -1)
        if length < 0:
            return None
        if length <= HELD_AT_MOST:
            return self.rfile.read(length)
        return _Sized(self.rfile, length)

    def _hand_back(self, answer: Streamed) -> None:
        bodiless = self.command == "HEAD" or answer.status in _WITHOUT_BODY
        known = answer.header("Content-Length") != "" or bodiless
        self.send_response_only(answer.status)
        for name, value in answer.headers():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        chunked = not known and self.request_version == "HTTP/1.1"
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        if not self._body_was_read() or not (known or chunked):
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        if bodiless:
            return
        for piece in answer.pieces():
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            self.wfile.flush()
        if chunked:
            self.wfile.write(b"0\r\n\r\n")

    def _body_was_read(self) -> bool:
        """Whether the next request can begin where this one's body was left; a long one may have been left half."""
        length = int(self.headers.get("Content-Length") or 0)
        return not self.headers.get("Transfer-Encoding") and length <= HELD_AT_MOST

    def _refuse(self, status: int, sentence: str) -> None:
        body = f"{sentence}\n".encode()
        self.close_connection = True
        self.send_response_only(status)
        for name, value in (
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
            ("Keyturn-Source", "broker"),
            ("Connection", "close"),
        ):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


class _Sized(io.BufferedIOBase):
    """A body of known length, from a connection that goes on after it."""

    def __init__(self, source: io.BufferedIOBase, length: int) -> None:
        self._source = source
        self._left = self.length = length

    def read1(self, size: int = -1) -> bytes:
        """What is there, as soon as something is."""
        piece = self._source.read1(min(size, self._left)) if self._left else b""
        self._left -= len(piece)
        if not piece and self._left:
            raise Failure("The request's body broke off.")
        return piece


class _Chunks(io.BufferedIOBase):
    """A chunked body, taken out of its chunks (RFC 9112 section 7.1)."""

    def __init__(self, source: io.BufferedIOBase) -> None:
        self._pieces = _pieces_of(source)

    def read1(self, size: int = -1) -> bytes:
        """The next piece, whatever its size."""
        return next(self._pieces, b"")


def _pieces_of(source: io.BufferedIOBase) -> Iterator[bytes]:
    while True:
        digits = source.readline(1024).split(b";")[0].strip()
        if not digits or len(digits) > 15 or digits.strip(b"0123456789abcdefABCDEF"):
            raise Failure("The request's body broke off.")
        left = int(digits, 16)
        if left == 0:
            while source.readline(8192).strip():
                pass
            return
        while left:
            piece = source.read1(min(left, HELD_AT_MOST))
            if not piece:
                raise Failure("The request's body broke off.")
            left -= len(piece)
            yield piece
        source.readline(8)
