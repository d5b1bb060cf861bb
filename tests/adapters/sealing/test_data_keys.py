"""Data keys are bound to their owners, and remembered."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keyturn.adapters.sealing.data_keys import OPENS_FOR_S, SEALS_FOR_S, DataKeys, KeyClass, KeyOwner
from keyturn.adapters.sealing.sealed_value import Place
from keyturn.core.errors import KeyUnavailable, SealBroken
from tests.fakes.keys import FakeKeyProvider

OWNER = KeyOwner("default", "connection:cxn_1")
PLACE = Place("default", "connection:cxn_1", "token_set", 1)


async def test_a_stored_key_opens_what_it_sealed() -> None:
    """Another process, which has only the wrapped key, opens the value."""
    provider = FakeKeyProvider()
    made = await DataKeys(provider).make(OWNER)
    found = await DataKeys(provider).obtain(OWNER, made.wrapped)

    assert b"secret" == found.unseal(PLACE, made.seal(PLACE, b"secret"))


@pytest.mark.parametrize(
    "other",
    [
        replace(OWNER, project="other"),
        replace(OWNER, object="connection:cxn_2"),
        replace(OWNER, key_class=KeyClass.PASSWORD),
    ],
    ids=["project", "object", "class"],
)
async def test_a_key_is_its_owner_s(other: KeyOwner) -> None:
    """A wrapped key that is moved to another owner or class does not unwrap."""
    provider = FakeKeyProvider()
    made = await DataKeys(provider).make(OWNER)

    with pytest.raises(SealBroken):
        await DataKeys(provider).obtain(other, made.wrapped)


async def test_a_known_key_needs_no_provider() -> None:
    """What was unwrapped once is at hand when the provider is gone; what was forgotten is not."""
    provider = FakeKeyProvider()
    keys = DataKeys(provider)
    made = await keys.make(OWNER)
    provider.gone = True

    assert made == await keys.obtain(OWNER, made.wrapped)
    keys.forget(OWNER)
    with pytest.raises(KeyUnavailable):
        await keys.obtain(OWNER, made.wrapped)


async def test_a_known_key_is_not_taken_for_another() -> None:
    """A stored key that differs from the one in memory is unwrapped."""
    provider = FakeKeyProvider()
    keys, elsewhere = DataKeys(provider), DataKeys(provider)
    await keys.make(OWNER)
    newer = await elsewhere.make(OWNER)
    sealed = newer.seal(PLACE, b"secret")

    assert b"secret" == (await keys.obtain(OWNER, newer.wrapped)).unseal(PLACE, sealed)


async def test_the_latest_keys_are_remembered() -> None:
    """Memory is bounded; what was used last stays."""
    keys = DataKeys(FakeKeyProvider(), remembered=2)
    owners = [replace(OWNER, object=f"connection:cxn_{n}") for n in range(3)]
    await keys.make(owners[0])
    await keys.make(owners[1])
    keys.known(owners[0])
    await keys.make(owners[2])

    assert [True, False, True] == [keys.known(each) is not None for each in owners]


async def test_a_data_key_does_not_show_itself() -> None:
    """Its repr has the wrapped form only; keys of two owners are not alike."""
    keys = DataKeys(FakeKeyProvider())
    one, two = await keys.make(OWNER), await keys.make(replace(OWNER, object="x"))

    assert "_key" not in repr(one)
    assert one.derive(b"a") != two.derive(b"a")
    assert one.derive(b"a") != one.derive(b"b")


async def test_what_is_remembered_opens_for_an_hour() -> None:
    """Then the provider is asked again, once; for sealing it serves another hour, so that no answer is lost."""
    provider, now = FakeKeyProvider(), [0.0]
    keys = DataKeys(provider, monotonic=lambda: now[0])
    made = await keys.make(OWNER)
    now[0] = OPENS_FOR_S - 1
    await keys.obtain(OWNER, made.wrapped)
    within = provider.calls
    now[0] = OPENS_FOR_S
    provider.gone = True
    with pytest.raises(KeyUnavailable):
        await keys.obtain(OWNER, made.wrapped)
    seals = keys.known(OWNER)
    now[0] = SEALS_FOR_S
    forgotten = keys.known(OWNER)
    provider.gone = False
    asked = provider.calls
    for _ in range(9):
        await keys.obtain(OWNER, made.wrapped)

    assert (1, made, None) == (within, seals, forgotten)
    assert asked + 1 == provider.calls


async def test_keys_of_a_class_are_forgotten_together() -> None:
    """Those of passwords, and no other."""
    keys = DataKeys(FakeKeyProvider())
    password = replace(OWNER, key_class=KeyClass.PASSWORD)
    await keys.make(OWNER)
    await keys.make(password)
    keys.forget_class(KeyClass.PASSWORD)

    assert (True, False) == (keys.known(OWNER) is not None, keys.known(password) is not None)
