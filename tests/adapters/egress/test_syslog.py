"""Audit records as syslog messages, sent to sockets of this test."""

from __future__ import annotations

import asyncio
import re
import socket
from pathlib import Path

import pytest

from keyturn.adapters.egress.syslog import SyslogAddress, SyslogSink, message_of, syslog_address
from keyturn.core.audit.chain import START, Entry
from keyturn.core.audit_record import AuditRecord
from keyturn.core.errors import AuditUnavailable

RECORD = AuditRecord(1_700_000_000.125, "connection.renewed", "key:1", owner="owner-1")
ENTRY = Entry(7, RECORD, "sub_1", "{}", START, bytes(32))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("udp://127.0.0.1", SyslogAddress("udp", "127.0.0.1", 514)),
        ("tcp://logs.example:6514", SyslogAddress("tcp", "logs.example", 6514)),
        ("tcp://[::1]", SyslogAddress("tcp", "::1", 601)),
        ("unix:/dev/log", SyslogAddress("unix", "/dev/log")),
        ("unix:///dev/log", SyslogAddress("unix", "/dev/log")),
    ],
)
def test_addresses(text: str, expected: SyslogAddress) -> None:
    """As the setting is written."""
    assert expected == syslog_address(text)


@pytest.mark.parametrize("text", ["", "logs", "http://x", "udp://", "udp://x:0", "udp://x:y", "tcp://u@x", "tcp://x/y"])
def test_what_is_no_address(text: str) -> None:
    """Is refused when the settings are read."""
    with pytest.raises(ValueError, match=r"udp://HOST:PORT|Port"):
        syslog_address(text)


def test_a_message() -> None:
    """RFC 5424: priority and version, time, host, name, process, kind, structured data, text; nobody is named."""
    message = message_of(ENTRY, "host")

    assert re.match(
        rb"<109>1 2023-11-14T22:13:20\.125000Z host keyturn \d+ connection\.renewed "
        rb"\[keyturn@32473 seq=\"7\" mac=\"0{64}\"\] \{",
        message,
    )
    assert b"owner-1" not in message


async def test_over_tcp_with_its_length() -> None:
    """Octet counting; after the other side went, the connection is made again."""
    got: asyncio.Queue[bytes] = asyncio.Queue()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = await reader.readuntil(b"}")
        writer.close()
        await writer.wait_closed()
        got.put_nowait(line)

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    sink = SyslogSink(SyslogAddress("tcp", "127.0.0.1", server.sockets[0].getsockname()[1]))
    lengths = []
    for _ in range(2):
        await sink.send([ENTRY])
        lengths.append(int((await got.get()).partition(b" ")[0]))
        await asyncio.sleep(0.05)  # until the end of the connection is here
    await sink.close()
    server.close()

    assert [len(message_of(ENTRY, socket.gethostname()))] * 2 == lengths


async def test_over_a_local_socket(tmp_path: Path) -> None:
    """A datagram for each record; where nobody listens, it says so."""
    path = tmp_path / "log"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(path))
        sink = SyslogSink(SyslogAddress("unix", str(path)))
        await sink.send([ENTRY, ENTRY])
        first, second = listener.recv(9000), listener.recv(9000)
    with pytest.raises(AuditUnavailable, match="syslog"):
        await sink.send([ENTRY])

    assert first == second
    assert first.startswith(b"<109>1 ")
