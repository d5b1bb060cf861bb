"""What a form has to be before anything is done with it: from our own page, small, in the one form that is read.

Rule 1: the evidence of the browser comes first (Host, Origin, Sec-Fetch-Site), the body afterwards.
Rule 2: an error says nothing of what was sent.
Rule 3: secret inputs become `Secret` before anything else sees them.

`Origin: null` is what browsers send from a page with `Referrer-Policy: no-referrer`, our own and others'; it counts
only beside `Sec-Fetch-Site: same-origin`. A client that sends neither header is no browser that was led here by
another site. Sources: the Fetch standard, "append a request Origin header"; Fetch Metadata Request Headers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request

from keyturn.core.errors import BadRequest, PayloadTooLarge, UnsupportedMediaType
from keyturn.core.secret import Secret

MAX_FORM_BYTES: Final = 64 * 1024
MAX_FORM_FIELDS: Final = 200
BYTES_A_FIELD: Final = 64  # of a form that may be larger: it may have that many more fields
FORM_TYPE: Final = "application/x-www-form-urlencoded"
_LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")


class ForeignForm(Exception):
    """A form that another site sent, or that says too little of where it comes from."""


@dataclass(frozen=True, slots=True)
class OwnPlace:
    """Where this instance is reached: a scheme, and `Host` values (several only on loopback)."""

    scheme: str
    hosts: frozenset[str]

    @classmethod
    def of(cls, public_url: str) -> OwnPlace:
        """Read it off the public URL."""
        parts = urlsplit(public_url)
        netloc = parts.netloc.lower()
        name, port = (netloc, "") if parts.port is None else (netloc.rpartition(":")[0], f":{parts.port}")
        hosts = {f"{each}{port}" for each in _LOOPBACK} if name in _LOOPBACK else {netloc}
        return cls(parts.scheme, frozenset(hosts))

    def check(self, request: Request) -> None:
        """Raise ForeignForm unless the request was made by a page of ours."""
        headers = request.headers
        if headers.get("host", "").lower() not in self.hosts:
            raise ForeignForm
        fetch_site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if fetch_site is not None and fetch_site != "same-origin":
            raise ForeignForm
        if origin == "null" and fetch_site is None:
            raise ForeignForm
        if origin not in (None, "null") and origin.lower() not in {f"{self.scheme}://{host}" for host in self.hosts}:
            raise ForeignForm


@dataclass(frozen=True, slots=True)
class Form:
    """The inputs of a form, by name."""

    texts: Mapping[str, str] = field(repr=False)
    secrets: Mapping[str, Secret] = field(repr=False)

    def text(self, name: str) -> str:
        """A plain input; empty where there is none."""
        return self.texts.get(name, "")


async def read_form(request: Request, *, secret: Collection[str] = (), most_bytes: int = MAX_FORM_BYTES) -> Form:
    """Read the body of a POST.

    Args:
        request: its body not read yet.
        secret: names of inputs whose values are kept as Secret.
        most_bytes: how large the body may be.

    Raises:
        UnsupportedMediaType: another kind than URL-encoded, or a compressed one.
        PayloadTooLarge: larger; not read to its end.
        BadRequest: not well-formed, or an input that is there twice.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FORM_TYPE or request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType
    announced = request.headers.get("content-length", "0")
    if not announced.isascii() or not announced.isdigit():
        raise BadRequest
    if int(announced[:12]) > most_bytes:
        raise PayloadTooLarge
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > most_bytes:
            raise PayloadTooLarge
    fields = MAX_FORM_FIELDS if most_bytes <= MAX_FORM_BYTES else most_bytes // BYTES_A_FIELD
    return _parse(bytes(body), secret, fields)


def _parse(body: bytes, secret: Collection[str], most_fields: int) -> Form:
    try:
        pairs = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            encoding="utf-8",
            errors="strict",
            max_num_fields=most_fields,
        )
    except ValueError:  # its message quotes the body
        raise BadRequest from None
    if len({name for name, _ in pairs}) != len(pairs):
        raise BadRequest
    return Form(
        {name: value for name, value in pairs if name not in secret},
        {name: Secret(value) for name, value in pairs if name in secret},
    )
