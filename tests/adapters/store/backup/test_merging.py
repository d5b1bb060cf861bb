"""Each connection's fate, as a table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keyturn.adapters.store.backup.merging import (
    UNREADABLE,
    Fate,
    Ground,
    Lineage,
    Row,
    There,
    Unreadable,
    fate_alone,
    fate_of,
    fate_of_new,
)

HERE = Row(generation=3, revision=7, created_at=100.0, seal=b"set 3")
LATER = replace(HERE, revision=8)
RENEWED = replace(HERE, generation=4, revision=8, seal=b"set 4")
OLDER = replace(HERE, generation=2, revision=5, seal=b"set 2")
CONTINUES, FORKED, OLD = Ground(Lineage.CONTINUES), Ground(Lineage.FORKED, 200.0), Ground(Lineage.OLDER, 200.0)


@pytest.mark.parametrize(
    ("there", "fate"),
    [
        pytest.param(HERE, Fate.KEPT, id="the same"),
        pytest.param(replace(HERE, sound=False), Fate.KEPT, id="the same, but its data key is spoilt"),
        pytest.param(replace(HERE, sound=False, seal=b"x"), Fate.KEPT, id="the same generation, its seal is spoilt"),
        pytest.param(LATER, Fate.TAKEN_OVER, id="paused since, or another setting"),
        pytest.param(replace(LATER, active=False), Fate.TAKEN_OVER, id="refused since"),
        pytest.param(replace(LATER, active=False, sound=False), Fate.UNKNOWN, id="refused since, and spoilt"),
        pytest.param(replace(HERE, seal=b"another"), Fate.TAKEN_OVER, id="another set of the same generation"),
        pytest.param(RENEWED, Fate.TAKEN_OVER, id="renewed since"),
        pytest.param(replace(RENEWED, sound=False), Fate.UNKNOWN, id="renewed since, and spoilt"),
        pytest.param(replace(LATER, open=True), Fate.OPEN_THERE, id="sent, without an outcome"),
        pytest.param(replace(RENEWED, open=True), Fate.OPEN_THERE, id="renewed and sent once more"),
        pytest.param(replace(LATER, open=True, sound=False), Fate.UNKNOWN, id="sent, and spoilt"),
        pytest.param(UNREADABLE, Fate.UNKNOWN, id="unreadable"),
        pytest.param(replace(LATER, ended=True), Fate.ENDED, id="disconnected since"),
        pytest.param(replace(OLDER, ended=True, sound=False), Fate.ENDED, id="disconnected, whatever else"),
        pytest.param(None, Fate.GONE, id="erased since"),
        pytest.param(OLDER, Fate.UNKNOWN, id="a lower generation"),
    ],
)
@pytest.mark.parametrize("ground", [CONTINUES, FORKED], ids=["continues", "forked"])
def test_a_connection_that_lives_in_the_back_up(there: There, fate: Fate, ground: Ground) -> None:
    """What the replaced database says of it decides."""
    assert fate == fate_of(HERE, there, ground)


@pytest.mark.parametrize("there", [HERE, LATER, RENEWED, OLDER, UNREADABLE, None, replace(HERE, ended=True)])
def test_what_ended_in_the_back_up_stays_so(there: There) -> None:
    """Whatever a fork of it says."""
    for ground in (CONTINUES, FORKED, OLD):
        assert Fate.KEPT == fate_of(replace(HERE, ended=True), there, ground)


@pytest.mark.parametrize("there", [HERE, OLDER, UNREADABLE, None, replace(OLDER, open=True)])
def test_an_older_database_says_nothing_new(there: There) -> None:
    """The back-up's row stays; one with a send of its own has that."""
    assert Fate.KEPT == fate_of(HERE, there, OLD)
    assert Fate.UNKNOWN == fate_of(replace(HERE, open=True), there, OLD)


def test_what_is_not_found_ended_only_where_that_is_sure() -> None:
    """Not in a damaged database, and not where it was created after the two went different ways."""
    late = replace(HERE, created_at=201.0)

    assert Fate.UNKNOWN == fate_of(HERE, None, replace(CONTINUES, whole=False))
    assert Fate.UNKNOWN == fate_of(late, None, FORKED)
    assert Fate.GONE == fate_of(late, None, CONTINUES)


@pytest.mark.parametrize(
    ("there", "fate"),
    [
        (RENEWED, Fate.TAKEN_OVER), (replace(RENEWED, sound=False), Fate.KEPT), (UNREADABLE, Fate.KEPT),
        (None, Fate.GONE), (replace(RENEWED, ended=True), Fate.ENDED),
    ],
    ids=["readable", "spoilt", "unreadable too", "erased", "ended"],
)  # fmt: skip
def test_one_that_the_back_up_can_not_read(there: There, fate: Fate) -> None:
    """It is healed where the replaced database can."""
    assert fate == fate_of(UNREADABLE, there, CONTINUES)


def test_a_vouch_covers_the_unknown_alone() -> None:
    """What is shown to have moved is taken over, and what was sent before the back-up stays without an outcome."""
    vouched = replace(CONTINUES, vouched=True)

    assert Fate.KEPT == fate_of(HERE, UNREADABLE, vouched)
    assert Fate.TAKEN_OVER == fate_of(HERE, RENEWED, vouched)
    assert Fate.OPEN_THERE == fate_of(HERE, replace(LATER, open=True), vouched)
    assert Fate.UNKNOWN == fate_of(replace(HERE, open=True), UNREADABLE, vouched)


@pytest.mark.parametrize(
    ("here", "vouched", "fate"),
    [
        (HERE, False, Fate.UNKNOWN),
        (HERE, True, Fate.KEPT),
        (replace(HERE, refreshable=False), False, Fate.KEPT),
        (replace(HERE, refreshable=False, open=True), True, Fate.UNKNOWN),
        (replace(HERE, ended=True), False, Fate.KEPT),
        (UNREADABLE, False, Fate.KEPT),
    ],
)
def test_with_nothing_to_compare_it_with(here: Row | Unreadable, vouched: bool, fate: Fate) -> None:
    """Each refresh token may have been used, unless the operator knows better."""
    assert fate == fate_alone(here, vouched=vouched)


@pytest.mark.parametrize(
    ("there", "ground", "fate"),
    [
        (HERE, CONTINUES, Fate.CREATED),
        (replace(HERE, sound=False), CONTINUES, Fate.CREATED),
        (replace(HERE, ended=True), CONTINUES, Fate.ENDED),
        (UNREADABLE, CONTINUES, Fate.LEFT_OUT),
        (HERE, OLD, None),
        (HERE, FORKED, None),
        (replace(HERE, created_at=201.0), FORKED, Fate.CREATED),
    ],
)
def test_one_that_only_the_replaced_database_has(there: Row | Unreadable, ground: Ground, fate: Fate | None) -> None:
    """Created since; or removed before the back-up was made, which stays so."""
    assert fate == fate_of_new(there, ground)
