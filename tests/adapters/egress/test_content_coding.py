"""What is compressed small stays small."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.adapters.egress.content_coding import Undecodable, decoded

TEXT = b'{"access_token": "abc"}' * 10
LIMIT = 1_048_576


def bare(content: bytes) -> bytes:
    """`deflate` as some servers send it: without the zlib head."""
    squeezer = zlib.compressobj(wbits=-15)
    return squeezer.compress(content) + squeezer.flush()


@pytest.mark.parametrize(
    ("content", "codings"),
    [
        pytest.param(TEXT, "", id="none"),
        pytest.param(TEXT, "identity", id="identity"),
        pytest.param(gzip.compress(TEXT), "gzip", id="gzip"),
        pytest.param(gzip.compress(TEXT), " X-GZIP ", id="its old name"),
        pytest.param(gzip.compress(TEXT[:50]) + gzip.compress(TEXT[50:]), "gzip", id="two members"),
        pytest.param(zlib.compress(TEXT), "deflate", id="deflate"),
        pytest.param(bare(TEXT), "deflate", id="bare deflate"),
        pytest.param(gzip.compress(zlib.compress(TEXT)), "deflate, gzip", id="two codings"),
    ],
)
def test_codings_are_undone(content: bytes, codings: str) -> None:
    """In the reverse order of the header."""
    assert TEXT == decoded(content, codings, LIMIT)


@pytest.mark.parametrize(
    ("content", "codings"),
    [
        pytest.param(gzip.compress(TEXT)[:-1], "gzip", id="cut"),
        pytest.param(gzip.compress(TEXT) + b"x", "gzip", id="something behind it"),
        pytest.param(zlib.compress(TEXT) + b"x", "deflate", id="something behind deflate"),
        pytest.param(TEXT, "gzip", id="not compressed at all"),
        pytest.param(TEXT, "br", id="another coding"),
        pytest.param(TEXT, "gzip, gzip, gzip", id="too many codings"),
        pytest.param(gzip.compress(b"") * 65, "gzip", id="too many members"),
    ],
)
def test_what_cannot_be_undone_is_said(content: bytes, codings: str) -> None:
    """Damage and unknown codings never give half a body."""
    with pytest.raises(Undecodable):
        decoded(content, codings, LIMIT)


@pytest.mark.parametrize("coding", ["gzip", "deflate", ""])
def test_the_limit_is_exact(coding: str) -> None:
    """A body of the limit passes, one byte more does not."""
    squeezes: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress, "": bytes}
    squeeze = squeezes[coding]

    with pytest.raises(Undecodable):
        decoded(squeeze(bytes(LIMIT + 1)), coding, LIMIT)

    assert bytes(LIMIT) == decoded(squeeze(bytes(LIMIT)), coding, LIMIT)


@pytest.mark.parametrize("codings", ["gzip", "gzip, gzip"])
def test_a_bomb_costs_little_memory(codings: str) -> None:
    """A few hundred kilobytes that stand for 200 MB are given up early."""
    bomb = gzip.compress(bytes(200_000_000))
    if codings == "gzip, gzip":
        bomb = gzip.compress(bomb)
    tracemalloc.start()

    with pytest.raises(Undecodable):
        decoded(bomb, codings, LIMIT)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 8 * LIMIT


@given(st.binary(max_size=300), st.sampled_from(["gzip", "deflate", "deflate, gzip"]))
def test_any_bytes_are_decoded_or_refused(content: bytes, codings: str) -> None:
    """Nothing else is raised, and nothing is longer than the limit."""
    try:
        result = decoded(content, codings, 100)
    except Undecodable:
        result = b""

    assert len(result) <= 100
