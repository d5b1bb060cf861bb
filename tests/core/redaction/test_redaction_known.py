"""Secrets that are known by value are found in every encoding."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.core.redaction.known import LINGERING, find_known
from keyturn.core.redaction.redactor import MASK, KnownSecrets, Redactor
from keyturn.core.redaction.traces import traces_of
from keyturn.core.secret import Secret
from tests.corpus.redaction_forms import leaks

_SECRETS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn", "Co", "Zs", "Zl", "Zp", "Cf", "Mn", "Mc", "Me")),
    min_size=8,
    max_size=40,
).filter(lambda value: len(re.findall(r"[^\W_]", value)) >= 7)

_ENCODINGS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "percent": lambda s: quote(s, safe=""),
    "percent in lower case": lambda s: re.sub("%..", lambda m: m.group().lower(), quote(s, safe="")),
    "percent twice": lambda s: quote(quote(s, safe=""), safe=""),
    "each octet percent": lambda s: "".join(f"%{octet:02x}" for octet in s.encode()),
    "form": quote_plus,
    "base64, alignment 0": lambda s: base64.b64encode(s.encode()).decode(),
    "base64, alignment 1": lambda s: base64.b64encode(b"x" + s.encode() + b"y").decode(),
    "base64, alignment 2": lambda s: base64.b64encode(b"xx" + s.encode() + b"y").decode(),
    "base64url": lambda s: base64.urlsafe_b64encode(b"x" + s.encode() + b"yy").decode().rstrip("="),
    "base64 in a query": lambda s: quote(base64.b64encode(s.encode()).decode(), safe=""),
    "base64 in lines": lambda s: re.sub("(.{7})", "\\1\n", base64.b64encode(s.encode()).decode()),
    "hex": lambda s: s.encode().hex(),
    "hex in capitals": lambda s: s.encode().hex().upper(),
    "hex with blanks": lambda s: s.encode().hex(" "),
    "JSON": json.dumps,
    "JSON in JSON": lambda s: json.dumps({"body": json.dumps({"x": s})}),
    "HTML": lambda s: html.escape(s),
    "HTML by number": lambda s: "".join(f"&#{ord(letter)};" for letter in s),
    "repr": repr,
    "ascii": ascii,
    "repr of octets": lambda s: repr(s.encode()),
    "blanks between": lambda s: " ".join(s),
    "lines": lambda s: "\r\n  ".join(re.findall("(?s).{1,5}", s)),
}


@pytest.mark.parametrize("encode", [pytest.param(function, id=name) for name, function in _ENCODINGS.items()])
@given(secret=_SECRETS)
def test_no_encoding_hides_a_known_secret(encode: Callable[[str], str], secret: str) -> None:
    """Whatever form it takes, neither the secret nor half of it comes through."""
    shown = Redactor().redact_text(f"zq [{encode(secret)}] zq", [secret])

    assert [] == leaks(shown, secret)
    assert MASK in shown


@given(secret=_SECRETS, start=st.integers(0, 20), lead=st.integers(0, 20))
def test_half_of_a_secret_counts_as_the_whole(secret: str, start: int, lead: int) -> None:
    """Half of it, at least six letters, is removed wherever it was cut."""
    half = max(6, len(secret) // 2)
    start = min(start, len(secret) - half)

    shown = Redactor().redact_text(f"{'z' * lead} [{secret[start : start + half]}] zq", [secret])

    assert secret[start : start + half] not in shown
    assert MASK in shown


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        pytest.param("Gr4ni", "Gr4nit3ly&8Otter", id="less than six letters of it"),
        pytest.param("Gr4nit3", "Gr4nit3ly&8Otter", id="less than half of it"),
        pytest.param("banana anabel ana-2", "ana", id="a short one inside words"),
        pytest.param("R3I0bml0", "Gr4nit3ly&8Otter", id="base64 of less than half"),
        pytest.param("nothing", "", id="an empty secret"),
        pytest.param("no thing", " ", id="a blank secret"),
    ],
)
def test_what_is_not_the_secret_stays(text: str, secret: str) -> None:
    """The neighbours just outside the rule are shown."""
    assert text == Redactor().redact_text(text, [secret])


def test_a_short_secret_is_found_as_a_word() -> None:
    """Four letters that stand alone are removed, encoded too."""
    assert "pin is ***, a=***&b=1" == Redactor().redact_text("pin is Zx9!, a=Zx9%21&b=1", ["Zx9!"])


def test_values_are_known_while_in_flight() -> None:
    """The redactor hides them inside the block and knows nothing of them behind it."""
    known = KnownSecrets()
    redactor = Redactor(known)
    with known.in_flight(Secret("violet harbor 7"), Secret("Gr4nit3ly&8Otter")):
        inside = redactor.redact_text("violet harbor 7, Gr4nit3ly&8Otter")

    assert "***, ***" == inside
    assert "violet harbor 7" == redactor.redact_text("violet harbor 7")


def test_a_secret_added_twice_is_discarded_twice() -> None:
    """Two logins with the same password do not forget it too early; one discard too many does no harm."""
    known = KnownSecrets()
    redactor = Redactor(known)
    for _ in range(2):
        known.add(Secret("violet-harbor-7"))
    known.discard(Secret("violet-harbor-7"))
    still = redactor.redact_text("violet-harbor-7")
    for _ in range(2):
        known.discard(Secret("violet-harbor-7"))

    assert MASK == still
    assert "violet-harbor-7" == redactor.redact_text("violet-harbor-7")


def test_the_secrets_of_a_failed_block_linger() -> None:
    """An error is logged after it has left the block; the secrets go once enough others have failed."""
    known = KnownSecrets()
    redactor = Redactor(known)

    def fail(value: str) -> None:
        with pytest.raises(RuntimeError), known.in_flight(Secret(value)):
            raise RuntimeError(value)

    fail("violet-harbor-7")
    just_failed = redactor.redact_text("violet-harbor-7")
    for number in range(LINGERING):
        fail(f"other-value-{number:04}-x")

    assert MASK == just_failed
    assert "violet-harbor-7" == redactor.redact_text("violet-harbor-7")


def test_too_many_near_misses_cover_the_text() -> None:
    """A text made to cost time is hidden as a whole instead of being searched for ever."""
    secret = "abcdefghijklmnopqrstuvwxyz"
    traces = traces_of(secret)
    assert traces is not None

    spans = find_known("abcdefg." * 30_000, [traces])

    assert [(0, 240_000)] == [span for span in spans if span[1] - span[0] > 100]
