"""Codes of a TOTP seed: the vectors of RFC 6238, and the forms in which seeds are shown."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.core.challenges.totp import SeedInvalid, code_at, read_seed, starts_at, step_at
from keyturn.core.secret import Secret

RFC_SEED = Secret(base64.b32encode(b"12345678901234567890").decode())
SEED = "JBSWY3DPEHPK3PXP"


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param(59, "287082", id="1970"),
        pytest.param(1_111_111_109, "081804", id="2005, a zero at the front"),
        pytest.param(1_111_111_111, "050471", id="two seconds later, the next step"),
        pytest.param(1_234_567_890, "005924", id="2009"),
        pytest.param(2_000_000_000, "279037", id="2033"),
        pytest.param(20_000_000_000, "353130", id="2603, beyond 32 bits"),
    ],
)
def test_the_vectors_of_rfc_6238(now: float, expected: str) -> None:
    """Appendix B for SHA-1; the last six of its eight digits."""
    assert Secret(expected) == code_at(RFC_SEED, step_at(now))


@given(st.integers(0, 2**40))
def test_a_step_lasts_thirty_seconds(step: int) -> None:
    """From its beginning to just before the next one's."""
    assert step == step_at(starts_at(step)) == step_at(starts_at(step) + 29.9)
    assert step + 1 == step_at(starts_at(step) + 30)


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param(SEED, id="plain"),
        pytest.param("jbsw y3dp ehpk 3pxp", id="in groups, small letters"),
        pytest.param("JBSW-Y3DP-EHPK-3PXP", id="with dashes"),
        pytest.param(f"  {SEED}\n", id="pasted with blanks"),
        pytest.param(f"otpauth://totp/Acme:jo?secret={SEED}&issuer=Acme", id="what the QR code says"),
        pytest.param(
            f"OTPAUTH://TOTP/x?secret={SEED.lower()}&algorithm=sha1&digits=6&period=30", id="the usual, written out"
        ),
    ],
)
def test_a_seed_as_it_is_shown(shown: str) -> None:
    """All ways of writing a seed down mean the same seed."""
    assert Secret(SEED) == read_seed(Secret(shown))
    assert code_at(Secret(SEED), 7) == code_at(Secret(shown), 7)


def test_padding_is_no_part_of_a_seed() -> None:
    """RFC 4648 pads to groups of eight; apps show it without."""
    assert Secret("JBSWY3DPEHPK3PXPAE") == read_seed(Secret("JBSWY3DPEHPK3PXPAE======"))


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param("", id="nothing"),
        pytest.param("JBSWY3DPEHPK3PX", id="one character short"),
        pytest.param("JBSWY3DPEHPK3PXPA", id="a length that makes no bytes"),
        pytest.param("JBSWY3DPEHPK3PX1", id="a digit that base32 has not"),
        pytest.param("ÄBSWY3DPEHPK3PXP", id="another letter"),
        pytest.param("A" * 264, id="too long"),
        pytest.param(f"otpauth://hotp/x?secret={SEED}", id="counted codes"),
        pytest.param(f"otpauth://totp/x?secret={SEED}&digits=8", id="eight digits"),
        pytest.param(f"otpauth://totp/x?secret={SEED}&period=60", id="a minute"),
        pytest.param(f"otpauth://totp/x?secret={SEED}&algorithm=SHA256", id="another digest"),
        pytest.param("otpauth://totp/x?issuer=Acme", id="no seed in it"),
        pytest.param("otpauth://totp/x?" + "a=1&" * 30 + f"secret={SEED}", id="too many members"),
    ],
)
def test_what_is_no_seed(shown: str) -> None:
    """Refused before anything is kept, by words that don't hold it."""
    with pytest.raises(SeedInvalid) as caught:
        read_seed(Secret(shown))

    assert not shown or shown not in str(caught.value)
    assert SEED not in str(caught.value)


@given(st.text(max_size=40))
def test_any_text_is_a_seed_or_refused(text: str) -> None:
    """Nothing else is raised, and what is taken makes codes of six digits."""
    try:
        seed = read_seed(Secret(text))
    except SeedInvalid:
        return
    assert 6 == len(code_at(seed, 1).reveal())
