"""Audit records to the operator's own syslog.

Rule 1: the address is the operator's setting, not a connector's: it is not judged as a provider's is, and nothing but
audit records goes there.
Rule 2: a record is one message of RFC 5424, facility 13 (log audit), with the record's number as structured data; over
TCP with its length before it (RFC 6587, octet counting). UDP and /dev/log lose what nobody takes, as they always do.
Rule 3: no person is named, only subjects: what was sent can't be erased.
"""

from __future__ import annotations

import asyncio
import json
import os
import select
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from keyturn.core.audit.chain import Entry
from keyturn.core.audit.checkpoint import precise_time
from keyturn.core.audit.exported import entry_json
from keyturn.core.errors import AuditUnavailable

TIMEOUT_S: Final = 5.0
DEFAULT_PORTS: Final = {"udp": 514, "tcp": 601}
_PRIORITY: Final = 13 * 8 + 5  # log audit, notice
_ENTERPRISE: Final = "keyturn@32473"  # the number that RFC 5612 sets aside for examples; ours is none


@dataclass(frozen=True, slots=True)
class SyslogAddress:
    """`kind`: `udp`, `tcp` or `unix`; of `unix` the path is the host."""

    kind: str
    host: str
    port: int = 0


def syslog_address(text: str) -> SyslogAddress:
    """Read `udp://host[:514]`, `tcp://host[:601]` or `unix:/path`; ValueError says what would be right."""
    if text.startswith("unix:/"):
        return SyslogAddress("unix", "/" + text.removeprefix("unix:").lstrip("/"))
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    extra = parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or extra or port == 0:
        raise ValueError("udp://HOST:PORT, tcp://HOST:PORT or unix:/dev/log")
    return SyslogAddress(parts.scheme, parts.hostname, port or DEFAULT_PORTS[parts.scheme])


def message_of(entry: Entry, host: str) -> bytes:
    """One record as a message of RFC 5424."""
    name = "".join(each for each in entry.record.action if "!" <= each <= "~")[:32] or "-"
    head = f"<{_PRIORITY}>1 {precise_time(entry.record.at)} {host} keyturn {os.getpid()} {name}"
    body = json.dumps(entry_json(entry), separators=(",", ":"))
    return f'{head} [{_ENTERPRISE} seq="{entry.seq}" mac="{entry.mac.hex()}"] {body}'.encode("ascii")


class SyslogSink:
    """Promises: the port's `RecordSink`. The socket is opened when it is first needed, and again after a failure."""

    def __init__(self, address: SyslogAddress) -> None:
        self._address = address
        self._socket: socket.socket | None = None
        self._host = "".join(each for each in socket.gethostname() if "!" <= each <= "~")[:255] or "-"

    async def send(self, entries: Sequence[Entry]) -> None:
        """Send some, in order."""
        messages = [message_of(each, self._host) for each in entries]
        try:
            await asyncio.to_thread(self._send, messages)
        except OSError as error:
            await self.close()
            reason = error.strerror or type(error).__name__
            raise AuditUnavailable(f"syslog can't be reached: {reason}") from None

    async def close(self) -> None:
        """Let go of the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, messages: Sequence[bytes]) -> None:
        if self._socket is not None and self._hung_up(self._socket):
            self._socket.close()
            self._socket = None
        if self._socket is None:
            self._socket = _opened(self._address)
        if self._address.kind == "tcp":
            self._socket.sendall(b"".join(b"%d %b" % (len(each), each) for each in messages))
            return
        for each in messages:
            self._socket.send(each)

    def _hung_up(self, opened: socket.socket) -> bool:
        """Whether the other side of a TCP connection ended it; what it may have said is thrown away."""
        if self._address.kind != "tcp":
            return False
        readable, _, _ = select.select([opened], [], [], 0)
        return bool(readable) and opened.recv(4096) == b""


def _opened(address: SyslogAddress) -> socket.socket:
    if address.kind == "tcp":
        return socket.create_connection((address.host, address.port), timeout=TIMEOUT_S)
    if address.kind == "unix":
        made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        target: str | tuple[Any, ...] = address.host
    else:
        family, kind, protocol, _, target = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_DGRAM)[0]
        made = socket.socket(family, kind, protocol)
    try:
        made.settimeout(TIMEOUT_S)
        made.connect(target)
    except OSError:
        made.close()
        raise
    return made
