"""Percent-encoded names and values."""

from __future__ import annotations

import pytest

from keyturn.core.redaction.redactor import Redactor


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("/x?pass%77ord=Zebra-7&n=5", "/x?pass%77ord=***&n=5", id="letter-of-a-name"),
        pytest.param("/x?%70%77%64=Zebra-7&n=5", "/x?%70%77%64=***&n=5", id="whole-name"),
        pytest.param("/x?%6Eame=Zebra-7", "/x?%6Eame=Zebra-7", id="harmless-name"),
        pytest.param("/x?to=%2Fcb%3Fpwd%3DZebra-7%26n%3D5", "/x?to=%2Fcb%3Fpwd%3D***%26n%3D5", id="query-in-a-query"),
        pytest.param("v=%7B%22pwd%22%3A%22Zebra-7%22%7D&n=5", "v=%7B%22pwd%22:%22***%22%7D&n=5", id="json-in-a-form"),
        pytest.param("v=%7B%22n%22%3A+%22Zebra-7%22%7D", "v=%7B%22n%22%3A+%22Zebra-7%22%7D", id="harmless-json"),
        pytest.param(
            "v=%257B%2522pwd%2522%253A%2522Zebra-7%2522%257D",
            "v=%257B%2522pwd%2522:%2522***%2522%257D",
            id="json-encoded-twice",
        ),
    ],
)
def test_what_is_percent_encoded_is_read_as_it_says(text: str, shown: str) -> None:
    """Encoded names and encoded JSON hide what plain ones would, and what is harmless stays as written."""
    assert shown == Redactor().redact_text(text)
