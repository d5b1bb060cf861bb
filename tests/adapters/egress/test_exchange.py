"""An answer is read alike however it is cut into pieces, and nothing that comes is kept without a bound."""

from __future__ import annotations

import asyncio
import gzip
import itertools
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.adapters.egress.exchange import MAX_BESIDE_BODY, MAX_HEAD, Exchange
from keyturn.core.messages import Answer
from keyturn.ports.egress import MAX_ANSWER_BYTES
from tests.adapters.egress.raw_server import whole
from tests.fakes.clock import FakeClock

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
RAW = {
    "whole": whole(b'{"a": 1}', b"200 OK", b"Set-Cookie: a=1", b"Set-Cookie: b=2"),
    "interim answers first": b"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + whole(b"{}"),
    "chunks and trailers": CHUNKED + b"2;x=y\r\n{}\r\n0\r\nX: secret\r\n\r\n",
    "until the end": b"HTTP/1.1 400 Bad\r\n\r\n{}",
    "compressed": whole(gzip.compress(b"{}"), b"200 OK", b"Content-Encoding: gzip"),
    "body cut": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}",
    "head cut": b"HTTP/1.1 503 No\r\nX",
    "folded": b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 2\r\n\r\n{}",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "length beside chunks": CHUNKED[:-2] + b"Content-Length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "another protocol": b"HTTP/1.1 101 Switch\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhello",
    "no HTTP": b"220 mail.example ready\r\n",
    "only interim": b"HTTP/1.1 100 Continue\r\n\r\n",
    "status out of range": b"HTTP/1.1 999 What\r\nContent-Length: 0\r\n\r\n",
    "more behind it": whole(b"{}") + whole(b"another"),
}  # fmt: skip


class _Wire:
    """As much of a transport as an exchange needs."""

    def abort(self) -> None:
        """Nothing is there to close."""


def answered(pieces: list[bytes], *, is_head: bool = False) -> tuple[Answer | None, Exchange]:
    """What an exchange makes of these pieces and the end of the connection."""
    found: list[Any] = []

    async def exchange() -> None:
        made = Exchange(FakeClock(1_000.0), is_head=is_head)
        made.connection_made(cast(asyncio.Transport, _Wire()))
        for piece in pieces:
            made.data_received(piece)
        made.connection_lost(None)
        await made.over
        found.append(made)

    asyncio.run(exchange())
    return found[0].answer(), found[0]


@pytest.mark.parametrize("raw", [pytest.param(raw, id=name) for name, raw in RAW.items()])
@given(cuts=st.lists(st.integers(0, 200), max_size=8))
def test_any_cut_gives_the_same_answer(raw: bytes, cuts: list[int]) -> None:
    """Where the network cuts a message says nothing."""
    at = [0, *sorted({cut for cut in cuts if cut < len(raw)}), len(raw)]
    pieces = [raw[begin:end] for begin, end in itertools.pairwise(at) if begin < end]

    assert answered([raw])[0] == answered(pieces)[0]


@pytest.mark.parametrize("raw", [pytest.param(raw, id=name) for name, raw in RAW.items()])
def test_byte_by_byte(raw: bytes) -> None:
    """The finest cut of all."""
    assert answered([raw])[0] == answered([raw[n : n + 1] for n in range(len(raw))])[0]


def test_an_answer_to_head_has_no_body() -> None:
    """It ends with its head, and says the length that a GET would have."""
    answer, _ = answered([b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"], is_head=True)

    assert answer is not None
    assert (200, True, b"") == (answer.status, answer.complete, answer.body)


@pytest.mark.parametrize(
    ("begin", "piece", "most"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n" * 100, MAX_HEAD, id="headers"),
        pytest.param(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100, MAX_HEAD, id="interim answers"),
        pytest.param(
            CHUNKED + b"0\r\n",
            b"X: y\r\n" * 100,
            MAX_HEAD + MAX_BESIDE_BODY,
            id="trailers",
        ),
        pytest.param(
            CHUNKED,
            b"1;" + b"x" * 1000 + b"\r\ny\r\n",
            MAX_HEAD + MAX_BESIDE_BODY,
            id="chunk sizes",
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n", bytes(65_536), MAX_ANSWER_BYTES + 65_536, id="body"),
    ],
)
async def test_what_has_no_end_is_ended(begin: bytes, piece: bytes, most: int) -> None:
    """Soon after its bound, and nothing of it counts as whole."""
    made = Exchange(FakeClock(), is_head=False)
    made.connection_made(cast(asyncio.Transport, _Wire()))
    made.data_received(begin or piece)
    fed = len(begin)
    while not made.over.done() and fed <= 2 * most:
        made.data_received(piece)
        fed += len(piece)
    answer = made.answer()

    assert fed <= most + len(piece)
    assert answer is None or not answer.complete
