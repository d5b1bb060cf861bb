"""Two changes of one file: what each alone would give, and what only an author can decide."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.adapters.catalogue.yaml_catalogue import YamlCatalogue
from keyturn.engine.builder.new_texts import edited_text
from keyturn.engine.builder.put_together import edits_between, put_together
from keyturn.ports.catalogue import ABSENT

_SCALARS = st.one_of(st.booleans(), st.integers(0, 2), st.sampled_from(["a", "b"]))
_LISTS = st.lists(_SCALARS | st.fixed_dictionaries({"key": st.sampled_from("xyz")}), max_size=3)
_FILES: st.SearchStrategy[Any] = st.dictionaries(
    st.sampled_from(["fields", "token", "revoke"]),
    _SCALARS | _LISTS | st.dictionaries(st.sampled_from(["url", "params"]), _SCALARS | _LISTS, max_size=2),
    max_size=3,
)


def pointers(base: Any, mine: Any, theirs: Any) -> list[str]:
    """Where they are asked."""
    return [each.pointer for each in put_together(base, mine, theirs, {}).conflicts]


@given(_FILES, _FILES)
def test_one_change_alone_is_taken_as_it_is(base: Any, changed: Any) -> None:
    """Mine where they changed nothing, theirs where I changed nothing, and what both changed alike."""
    for mine, theirs in ((changed, base), (base, changed), (changed, changed)):
        found = put_together(base, mine, theirs, {})
        assert (changed, ()) == (found.value, found.conflicts)


@given(_FILES, _FILES, _FILES)
def test_once_all_is_chosen_nothing_is_asked(base: Any, mine: Any, theirs: Any) -> None:
    """And until then every value that is asked is as they have it; both sides agree on what is asked."""
    asked = put_together(base, mine, theirs, {})
    for side in ("mine", "theirs"):
        chosen = {each.pointer: side for each in asked.conflicts}
        assert () == put_together(base, mine, theirs, chosen).conflicts  # type: ignore[arg-type]
    assert asked.value == put_together(base, mine, theirs, dict.fromkeys(pointers(base, mine, theirs), "theirs")).value
    assert len(asked.conflicts) == len(set(pointers(base, mine, theirs)))
    assert len(asked.conflicts) == len(pointers(base, theirs, mine))


@given(_FILES, _FILES)
def test_the_edits_between_two_files_make_one_the_other(before: Any, after: Any) -> None:
    """By the splice that forms use; what holds nothing goes with its last value."""
    catalogue, old, new = YamlCatalogue(), {"keyturn": 1, **before}, {"keyturn": 1, **after}
    edited = edited_text(catalogue, json.dumps(old), dict(edits_between(old, new)))

    assert _full(new) == _full(catalogue.read(edited).value)


def _full(document: Any) -> Any:
    return {key: each for key, each in document.items() if each not in ({}, None)}


FIELDS = [{"key": "a", "label": "A"}, {"key": "b", "label": "B"}]


@pytest.mark.parametrize(
    ("mine", "theirs", "expected"),
    [
        pytest.param([*FIELDS, {"key": "c"}], [*FIELDS, {"key": "d"}], "abdc", id="each adds one"),
        pytest.param(FIELDS[:1], [*FIELDS, {"key": "d"}], "ad", id="one goes, one comes"),
        pytest.param(FIELDS[::-1], FIELDS, "ba", id="another order"),
        pytest.param(FIELDS, FIELDS[::-1], "ba", id="another order of theirs"),
    ],
)
def test_fields_go_by_their_keys(mine: Any, theirs: Any, expected: str) -> None:
    """Their places say nothing."""
    found = put_together({"fields": FIELDS}, {"fields": mine}, {"fields": theirs}, {})

    assert () == found.conflicts
    assert list(expected) == [each["key"] for each in found.value["fields"]]


def test_what_is_asked_is_named_by_its_key() -> None:
    """One label of one field, or the field as a whole where one of them took it out."""
    base = {"fields": FIELDS}
    relabelled = {"fields": [{"key": "a", "label": "My A"}, FIELDS[1]]}
    theirs = {"fields": [{"key": "a", "label": "Their A", "help": "new"}, FIELDS[1]]}
    gone = {"fields": FIELDS[1:]}

    assert ["/fields/a/label"] == pointers(base, relabelled, theirs)
    assert ["/fields/a"] == pointers(base, gone, theirs)
    (conflict,) = put_together(base, gone, theirs, {}).conflicts
    assert conflict.mine is ABSENT
    assert FIELDS[1:] == put_together(base, gone, theirs, {"/fields/a": "mine"}).value["fields"]


WHEN = [{"when": {"body": "a"}, "capture": {"x": "1"}}, {"when": {"body": "b"}}]


def test_a_challenge_goes_by_what_it_recognises() -> None:
    """Put elsewhere in the list it is the same one; where both changed the order, the list is asked as a whole."""
    base = {"challenges": WHEN}
    swapped = {"challenges": WHEN[::-1]}
    mine = {"challenges": [{**WHEN[0], "capture": {"x": "1", "y": "2"}}, WHEN[1]]}
    longer = {"challenges": [{"when": {"body": "c"}}, *WHEN]}
    found = put_together(base, mine, swapped, {})

    assert () == found.conflicts
    assert [WHEN[1], mine["challenges"][0]] == found.value["challenges"]
    assert ["/challenges"] == pointers(base, longer, swapped)


def test_a_list_of_plain_values_is_one_value() -> None:
    """As is one whose members nothing tells apart."""
    one, other = {"token": {"status": [200, 201]}}, {"token": {"status": [200, 202]}}
    base = {"token": {"status": [200]}}
    doubled = {"fields": [FIELDS[0], FIELDS[0]]}

    assert ["/token/status"] == pointers(base, one, other)
    assert ["/fields"] == pointers({"fields": FIELDS}, doubled, {"fields": FIELDS[:1]})


def test_kinds_of_values_count() -> None:
    """True is not 1."""
    assert ["/token"] == pointers({"token": 0}, {"token": 1}, {"token": True})
