"""Sealed values open only whole, under their key and in their place."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from keyturn.adapters.sealing.sealed_value import (
    Place,
    joined,
    key_name_in,
    name_of,
    seal,
    seal_with_salt,
    unseal,
)
from keyturn.core.errors import SealBroken

VECTORS = json.loads((Path(__file__).parent / "vectors" / "sealed_value_1.json").read_text("utf-8"))["vectors"]
KEY = bytes(range(32))
PLACE = Place("default", "connection:cxn_1", "token_set", 7)
SEALED = seal(KEY, b"plaintext", PLACE.aad())

texts = st.text(max_size=12)
places = st.builds(Place, texts, texts, texts, st.integers(min_value=0, max_value=2**70))


@pytest.mark.parametrize("vector", VECTORS, ids=[each["name"] for each in VECTORS])
def test_vectors(vector: dict[str, Any]) -> None:
    """What the format is today, it is tomorrow: values that are stored have to open."""
    key, salt, plaintext = (bytes.fromhex(vector[part]) for part in ("key", "salt", "plaintext"))
    place = Place(**vector["place"])

    assert vector["aad"] == place.aad().hex()
    assert vector["sealed"] == seal_with_salt(key, plaintext, place.aad(), salt=salt).hex()
    assert plaintext == unseal(key, bytes.fromhex(vector["sealed"]), place.aad())


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=300), places)
def test_what_was_sealed_opens(key: bytes, plaintext: bytes, place: Place) -> None:
    """Any plaintext under any key in any place comes back."""
    assert plaintext == unseal(key, seal(key, plaintext, place.aad()), place.aad())


@given(st.integers(min_value=0, max_value=len(SEALED) * 8 - 1))
def test_any_flipped_bit_is_refused(bit: int) -> None:
    """Version, key name, salt, commitment, ciphertext, tag: no bit may differ."""
    altered = bytearray(SEALED)
    altered[bit // 8] ^= 1 << bit % 8

    with pytest.raises(SealBroken):
        unseal(KEY, bytes(altered), PLACE.aad())


@pytest.mark.parametrize("part", range(len(SEALED)))
def test_any_cut_is_refused(part: int) -> None:
    """A value that lost bytes at its end or start, down to none, does not open."""
    for cut in (SEALED[:part], SEALED[part + 1 :], SEALED + b"\x00"):
        with pytest.raises(SealBroken):
            unseal(KEY, cut, PLACE.aad())


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"project": "defaul"}, id="project"),
        pytest.param({"object": "connection:cxn_2"}, id="another object"),
        pytest.param({"object": "revocation:cxn_1"}, id="another kind of object"),
        pytest.param({"field": "password"}, id="field"),
        pytest.param({"generation": 6}, id="an older generation"),
        pytest.param({"generation": 8}, id="a newer generation"),
    ],
)
def test_another_place_is_refused(change: dict[str, Any]) -> None:
    """A value that is moved or put back does not open."""
    with pytest.raises(SealBroken):
        unseal(KEY, SEALED, replace(PLACE, **change).aad())


@given(places, places)
def test_any_two_places_differ(one: Place, other: Place) -> None:
    """A value opens in another place only if it is the same place."""
    sealed = seal(KEY, b"x", one.aad())
    if one == other:
        assert b"x" == unseal(KEY, sealed, other.aad())
        return
    with pytest.raises(SealBroken):
        unseal(KEY, sealed, other.aad())


@given(st.permutations(["default", "connection:cxn_1", "token_set"]))
def test_swapped_parts_are_refused(parts: list[str]) -> None:
    """Parts that change places are another place."""
    place = Place(parts[0], parts[1], parts[2], 7)
    if place == PLACE:
        return
    with pytest.raises(SealBroken):
        unseal(KEY, SEALED, place.aad())


@given(st.lists(st.binary(max_size=9), max_size=5), st.lists(st.binary(max_size=9), max_size=5))
def test_joined_tells_lists_apart(one: list[bytes], other: list[bytes]) -> None:
    """What moves from one part to the next changes the bytes."""
    assert (one == other) == (joined(*one) == joined(*other))


def test_joined_has_no_ambiguous_neighbour() -> None:
    """A part that looks like the end of another with its length does not pass for it."""
    inner = joined(b"b")

    assert joined(b"a", b"b") != joined(b"a" + inner)
    assert joined(b"", b"") != joined(b"")


@given(st.binary(min_size=32, max_size=32))
def test_another_key_is_refused(key: bytes) -> None:
    """Only the key that sealed it opens a value."""
    if key == KEY:
        return
    with pytest.raises(SealBroken):
        unseal(key, SEALED, PLACE.aad())


def test_the_commitment_is_checked_before_anything_is_decrypted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A value whose commitment does not fit never reaches the cipher; one whose tag does not fit does."""
    decrypted: list[bytes] = []

    class Watched:
        def __init__(self, key: bytes) -> None:
            self._cipher = AESGCM(key)

        def decrypt(self, nonce: bytes, data: bytes, aad: bytes) -> bytes:
            decrypted.append(data)
            return self._cipher.decrypt(nonce, data, aad)

    monkeypatch.setattr("keyturn.adapters.sealing.sealed_value.AESGCM", Watched)
    for at in (45, len(SEALED) - 1):
        altered = bytearray(SEALED)
        altered[at] ^= 1
        with pytest.raises(SealBroken):
            unseal(KEY, bytes(altered), PLACE.aad())

    assert 1 == len(decrypted)


def test_no_two_seals_are_alike() -> None:
    """Each write has a salt of its own, and shows neither key nor plaintext."""
    again = seal(KEY, b"plaintext", PLACE.aad())

    assert SEALED[9:] != again[9:]
    assert SEALED[9:41] != again[9:41]
    assert b"plaintext" not in SEALED
    assert KEY[:16] not in SEALED


def test_a_sealed_value_names_its_key() -> None:
    """The name is there to be read before the key is at hand; what is too short names none."""
    assert name_of(KEY) == key_name_in(SEALED)
    assert b"" == key_name_in(SEALED[:88])


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_keys_and_salts_have_32_bytes(length: int) -> None:
    """Shorter ones are our bug."""
    with pytest.raises(ValueError, match="32"):
        seal(bytes(length), b"", b"")
    with pytest.raises(ValueError, match="32"):
        seal_with_salt(KEY, b"", b"", salt=bytes(length))
