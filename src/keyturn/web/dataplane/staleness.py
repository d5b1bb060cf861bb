"""Does an API's answer say that the token is no longer good? By the connector's `stale_when`.

Rule 1: status and headers are judged at once; nothing of a body is read for them.
Rule 2: for a rule on the body, JSON of known length up to 64 KiB is read; everything else is not stale, and unread.

Source: the product, "Renew".
"""

from __future__ import annotations

import zlib
from typing import Final

from keyturn.core.answers.answer_body import UNREADABLE, decode_body
from keyturn.core.answers.answer_values import matches
from keyturn.core.connector import When
from keyturn.core.messages import Answer
from keyturn.ports.egress import UpstreamAnswer

READ_AT_MOST: Final = 65_536
INFLATED_AT_MOST: Final = 1_048_576
_GZIP: Final = 31  # window bits: with a gzip header


async def judge_stale(when: When, answer: UpstreamAnswer) -> tuple[bool, bytes | None]:
    """Say whether the answer is stale, with the body where it had to be read for that.

    Raises:
        ProviderTimeout, ProviderBadResponse: the body broke off while it was read.
    """
    if when.status and answer.status not in when.status:
        return False, None
    if when.body is None and not when.header:
        return True, None
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in answer.headers)
    seen = Answer(answer.status, headers)
    if when.body is None:
        return matches(when, seen, UNREADABLE), None
    if not _worth_reading(seen, answer.whole):
        return False, None
    whole = answer.whole
    if whole is None:
        whole = b"".join([piece async for piece in answer.body()])
    body = _inflated(whole, seen.value("content-encoding"))
    if body is None:
        return False, whole
    read = Answer(answer.status, headers, body)
    return matches(when, read, decode_body(read)), whole


def _worth_reading(answer: Answer, whole: bytes | None) -> bool:
    kind = (answer.value("content-type") or "").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        return False
    if whole is not None:
        return len(whole) <= READ_AT_MOST
    length = answer.value("content-length") or ""
    return length.isascii() and length.isdigit() and int(length) <= READ_AT_MOST


def _inflated(body: bytes, coding: str | None) -> bytes | None:
    """The body as it is meant; None where it is coded in another way than by gzip."""
    if coding is None or coding.strip().lower() in ("", "identity"):
        return body
    if coding.strip().lower() not in ("gzip", "x-gzip"):
        return None
    inflater = zlib.decompressobj(_GZIP)
    try:
        inflated = inflater.decompress(body, INFLATED_AT_MOST)
    except zlib.error:
        return None
    return inflated if inflater.eof else None
