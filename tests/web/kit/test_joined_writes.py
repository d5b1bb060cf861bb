"""A server's answer in one write."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from keyturn.web.kit.joined_writes import JoinedTransport

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


class Recorder(asyncio.Transport):
    """Remembers what is written, and when it is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Remember it."""
        self.seen.append(bytes(data))

    def get_write_buffer_size(self) -> int:
        """Nothing is ever buffered."""
        return 0

    def close(self) -> None:
        """Remember it."""
        self.seen.append("closed")

    def abort(self) -> None:
        """Remember it."""
        self.seen.append("aborted")


@pytest.mark.parametrize(
    ("writes", "expected"),
    [
        pytest.param([HEAD, b"body"], [HEAD + b"body"], id="head and body"),
        pytest.param([HEAD, b"a", b"b"], [HEAD + b"a", b"b"], id="what follows goes as it comes"),
        pytest.param([b"body"], [b"body"], id="a body alone"),
        pytest.param([b"HTTP/1.1 100 Continue\r\n\r\n"], [b"HTTP/1.1 100 Continue\r\n\r\n"], id="an interim answer"),
        pytest.param([HEAD, b"x" * 65_536], [HEAD + b"x" * 65_536], id="as large as is joined"),
        pytest.param([HEAD, b"x" * 65_537], [HEAD, b"x" * 65_537], id="too large to be copied"),
        pytest.param([HEAD, HEAD], [HEAD + HEAD], id="a body that looks like a head"),
    ],
)
async def test_writes(writes: list[bytes], expected: list[bytes]) -> None:
    """A head goes out with what follows it at once; order and bytes stay."""
    below = Recorder()
    transport = JoinedTransport(below, asyncio.get_running_loop())
    for each in writes:
        transport.write(each)

    assert expected == below.seen


async def test_a_head_alone_waits_no_longer_than_this_round() -> None:
    """A stream's head must not wait for its first event."""
    below = Recorder()
    transport = JoinedTransport(below, asyncio.get_running_loop())
    transport.write(HEAD)
    held, size = list(below.seen), transport.get_write_buffer_size()
    await asyncio.sleep(0)

    assert ([], len(HEAD)) == (held, size)
    assert [HEAD] == below.seen


@pytest.mark.parametrize(("end", "expected"), [("close", [HEAD, "closed"]), ("abort", ["aborted"])])
async def test_the_end(end: str, expected: list[Any]) -> None:
    """A close sends what was written, an abort does not; nothing comes afterwards."""
    below = Recorder()
    transport = JoinedTransport(below, asyncio.get_running_loop())
    transport.write(HEAD)
    getattr(transport, end)()
    await asyncio.sleep(0)

    assert expected == below.seen
