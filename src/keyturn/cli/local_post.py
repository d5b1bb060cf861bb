"""Posting to a program on this machine, for `keyturn webhook listen`; to no other machine.

Rule 1: what it is told is an event, which names an owner: it leaves the machine by the server's webhooks only.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterable
from typing import Final
from urllib.parse import SplitResult, urlsplit

import click

TIMEOUT_S: Final = 20.0
_HERE: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def check_local(url: str) -> SplitResult:
    """Take a URL apart; UsageError where it is none of this machine's."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme == "http" and parts.hostname in _HERE and parts.port != 0
    except ValueError:
        usable = False
    if not usable or "@" in parts.netloc or parts.fragment:
        raise click.UsageError("--forward-to is an address of this machine, such as http://localhost:3000/hook.")
    return parts


def post_here(url: str, headers: Iterable[tuple[str, str]], body: bytes) -> str:
    """Post it; returns the status, or a word for why there is none."""
    parts = check_local(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
    try:
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection.request("POST", target, body, dict(headers))
        return str(connection.getresponse().status)
    except ConnectionRefusedError:
        return "nobody listens there"
    except (OSError, http.client.HTTPException):
        return "no answer"
    finally:
        connection.close()
