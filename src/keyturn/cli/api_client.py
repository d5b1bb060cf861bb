"""The way from the command line to a keyturn server, and to nothing else.

Rule 1: redirects are not followed: the API key goes to the host that KEYTURN_URL names and to no other.
Rule 2: certificates are verified; plain HTTP beyond this machine is said aloud.
Rule 3: the API key and what a person typed leave their `Secret` here, in the request, and nowhere else.
Rule 4: whatever is wrong ends as a `Failure` or a `ProblemAnswered`; no text of the other side is passed on.

Sources: RFC 9110 section 15.4 (redirects), RFC 9457 (problem documents).
"""

from __future__ import annotations

import http.client
import io
import ipaddress
import json
import socket
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, Any, Final
from urllib.parse import SplitResult, quote, urlencode, urlsplit

from keyturn.bootstrap.client_settings import ClientSettings, read_client_settings
from keyturn.bootstrap.client_tls import certificate_fault, client_context
from keyturn.cli.failures import UNEXPECTED, UNREACHABLE, Failure, ProblemAnswered, exit_code_of
from keyturn.cli.output import tell
from keyturn.core.errors import SettingsInvalid, Unauthenticated
from keyturn.core.secret import Secret

CONNECT_TIMEOUT_S: Final = 10.0
ANSWER_TIMEOUT_S: Final = 120.0  # a login may take a token request and a test call, 30 s each, and wait for others
MAX_DOCUMENT_BYTES: Final = 16 * 1024 * 1024
PIECE_BYTES: Final = 65_536
Body = bytes | IO[bytes] | io.BufferedIOBase | None


@dataclass(frozen=True, slots=True)
class Answer:
    """A document and the status that it came with; None where there was no body."""

    status: int
    document: Any

    @property
    def members(self) -> Mapping[str, Any]:
        """The document as an object; empty where it is none."""
        return self.document if isinstance(self.document, Mapping) else {}

    def rows(self) -> list[Mapping[str, Any]]:
        """The members of a list's `data`."""
        found = self.members.get("data")
        return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


class Streamed:
    """An answer whose body is read in pieces. Header names are looked up in any case."""

    def __init__(self, response: http.client.HTTPResponse, where: str) -> None:
        self._response = response
        self._where = where
        self.status = response.status

    def header(self, name: str) -> str:
        """A header's value, or an empty text."""
        return self._response.getheader(name) or ""

    def headers(self) -> list[tuple[str, str]]:
        """All headers, in their order."""
        return self._response.getheaders()

    def pieces(self) -> Iterator[bytes]:
        """The body as it arrives; Failure (exit 8) where it ends too early."""
        length = self._response.length
        left = length if isinstance(length, int) else None
        while left is None or left > 0:
            with _said(self._where):
                piece = self._response.read1(PIECE_BYTES)
            if not piece:
                if left:
                    raise Failure("The answer broke off.", UNREACHABLE)
                return
            left = None if left is None else left - len(piece)
            yield piece

    def all(self) -> bytes:
        """The whole body, of a document."""
        found = bytearray()
        for piece in self.pieces():
            found += piece
            if len(found) > MAX_DOCUMENT_BYTES:
                raise Failure("The server's answer is too large.", UNEXPECTED)
        return bytes(found)


def connect() -> ApiClient:
    """A client for the server that the environment names."""
    return ApiClient(read_client_settings())


class ApiClient:
    """Speaks REST to one server, with one API key."""

    def __init__(self, settings: ClientSettings) -> None:
        self._base = _checked(settings.url)
        self._key = settings.api_key

    def get(self, path: str, query: Mapping[str, object] | None = None) -> Answer:
        """Read something."""
        return self.send("GET", path, query=query)

    def send(
        self,
        method: str,
        path: str,
        document: object = None,
        *,
        raw: bytes | None = None,
        media_type: str = "application/json",
        query: Mapping[str, object] | None = None,
        keyless: bool = False,
    ) -> Answer:
        """Send a request with a JSON document, raw bytes or nothing, and read the document that is answered.

        Args:
            document: plain JSON; a `Secret` in it is written as its text.
            path: below the server's address, quoted by `path_of`.
            query: None as a value leaves the name out.
            keyless: send no API key; for what needs none.

        Raises:
            ProblemAnswered: the server says what is wrong.
            Failure: the server can't be reached, or is no keyturn.
        """
        headers = {"Accept": "application/json, application/problem+json"}
        body = _encoded(document) if document is not None else raw
        if body is not None:
            headers["Content-Type"] = media_type
        elif method in ("POST", "PUT"):
            body = b""
        with self.stream(method, path + _query_of(query), headers, body, keyless=keyless) as answer:
            if 300 <= answer.status < 400:
                raise Failure("The server answers with a redirect; set KEYTURN_URL to where it leads.", UNEXPECTED)
            found = answer.all()
            if answer.status >= 400:
                raise problem_in(answer, found)
            return Answer(answer.status, _document_of(found) if found else None)

    @contextmanager
    def stream(
        self, method: str, target: str, headers: Mapping[str, str], body: Body, *, keyless: bool = False
    ) -> Iterator[Streamed]:
        """Send a request and hand out its answer while it comes.

        A body that is no bytes goes out in chunks, unless `headers` have its Content-Length.
        """
        sent = {"User-Agent": "keyturn-cli", **headers}
        if not keyless:
            if self._key is None:
                raise Unauthenticated("Set KEYTURN_API_KEY, or KEYTURN_API_KEY_FILE to a file that holds the key.")
            sent["Authorization"] = f"Bearer {self._key.reveal()}"
        chunked = body is not None and not isinstance(body, bytes) and "Content-Length" not in sent
        if chunked:
            sent["Transfer-Encoding"] = "chunked"
        connection = self._connection()
        where = f"{self._base.scheme}://{self._base.netloc}"
        try:
            with _said(where):
                connection.connect()
                connection.sock.settimeout(ANSWER_TIMEOUT_S)
                pieces: bytes | Iterable[bytes] | None = (
                    body if body is None or isinstance(body, bytes) else _read(body)
                )
                with suppress(BrokenPipeError, ConnectionResetError):  # it may have answered before it read everything
                    connection.request(
                        method, self._base.path + target, body=pieces, headers=sent, encode_chunked=chunked
                    )
                response = connection.getresponse()
            yield Streamed(response, where)
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        host, port = self._base.hostname or "", self._base.port
        if self._base.scheme == "https":
            context = client_context()
            return http.client.HTTPSConnection(host, port, timeout=CONNECT_TIMEOUT_S, context=context)
        if not _is_this_machine(host):
            tell("Warning: KEYTURN_URL is plain HTTP to another machine; the API key can be read on the way.")
        return http.client.HTTPConnection(host, port, timeout=CONNECT_TIMEOUT_S)


@contextmanager
def _said(where: str) -> Iterator[None]:
    """Say in a sentence why the server can't be talked to."""
    try:
        yield
    except ssl.SSLCertVerificationError as error:
        raise Failure(f"The certificate of {where} is refused: {certificate_fault(error)}.", UNREACHABLE) from None
    except ssl.SSLError:
        raise Failure(f"No safe connection to {where}: does it speak TLS?", UNREACHABLE) from None
    except ConnectionRefusedError:
        sentence = f"No server answers at {where}: start one with “keyturn serve”, or set KEYTURN_URL."
        raise Failure(sentence, UNREACHABLE) from None
    except socket.gaierror:
        raise Failure(f"The host of {where} is not known: set KEYTURN_URL.", UNREACHABLE) from None
    except TimeoutError:
        raise Failure(f"{where} did not answer in time.", UNREACHABLE) from None
    except (http.client.IncompleteRead, ConnectionError):
        raise Failure(f"The answer of {where} broke off.", UNREACHABLE) from None
    except (http.client.HTTPException, OSError):
        raise Failure(f"{where} can't be reached, or does not speak HTTP.", UNREACHABLE) from None


def path_of(*parts: str) -> str:
    """A path below `/v1`, each part quoted: an id can't reach another path."""
    if any(part in ("", ".", "..") for part in parts):
        raise Failure("An id is missing.", 2)
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)


def problem_in(answer: Streamed, body: bytes) -> Exception:
    """The error in an answer of 400 or above."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, Mapping) and isinstance(document.get("code"), str):
        return ProblemAnswered(document, answer.status)
    sentence = f"The server answered {answer.status} in a way that keyturn does not: is KEYTURN_URL right?"
    return Failure(sentence, exit_code_of("", answer.status))


def _document_of(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Failure("The server's answer is no JSON: is KEYTURN_URL right?", UNEXPECTED) from None


def _checked(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable or "@" in parts.netloc or parts.query or parts.fragment or not url.isascii() or not url.isprintable():
        raise SettingsInvalid("KEYTURN_URL is an http or https URL without credentials, such as http://127.0.0.1:8800.")
    return parts


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _query_of(query: Mapping[str, object] | None) -> str:
    given = {name: value for name, value in (query or {}).items() if value is not None}
    return f"?{urlencode(given)}" if given else ""


def _encoded(document: object) -> bytes:
    return json.dumps(document, default=_text_of, ensure_ascii=False).encode("utf-8")


def _text_of(value: object) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    raise TypeError(f"{type(value).__name__} is no JSON")


def _read(source: IO[bytes] | io.BufferedIOBase) -> Iterator[bytes]:
    read = getattr(source, "read1", source.read)
    while piece := read(PIECE_BYTES):
        yield piece
