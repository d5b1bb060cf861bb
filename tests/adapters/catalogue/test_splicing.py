"""Edits of a connector file: the value is changed, and nothing else is."""

from __future__ import annotations

import copy
import re
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyturn.adapters.catalogue.splicing import splice as splicing
from keyturn.adapters.catalogue.splicing.splice import at, intended, same, splice
from keyturn.adapters.catalogue.starter import starter
from keyturn.adapters.catalogue.yaml_catalogue import YamlCatalogue
from keyturn.adapters.catalogue.yaml_reader import read_document
from keyturn.core.errors import ConnectorInvalid
from keyturn.core.reading.document import Document, child_pointer, pointer_steps
from keyturn.ports.catalogue import ABSENT

ODD = """\
# A file with what people write.
title:   "Acme"   # with blanks before and a comment after


fields:
# a comment at the list's own column
- key: region   # where
  # between two keys
  label: 'Region'
  choices: {eu: Europe,   us: "United States"}  # two
-   key: site

    label: Site
trust:
  reason: legacy
  note: >-
    A folded text
    of two lines.

  # after the folded text
  alternative:
token:
  params:
    scope: |
      one
      two
    nested: [1, [2, {a: b}], "three"]   # in brackets
  url: https://login.acme.example/oauth/token
empty: {}
none: []
last: ~
# the end"""

# Each example reads whole files, some of them several times.
EXAMPLES = settings().max_examples
CORPUS = {
    "starter": starter("acme"),
    "odd": ODD,
    "odd, with the line ends of another system": ODD.replace("\n", "\r\n"),
    **YamlCatalogue().ready(),
}
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-1000, 10**6),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.sampled_from(
        [
            "{{ username }}",
            "https://a.example/b?c=d#e",
            "true",
            "null",
            "1",
            "- a",
            "a: b",
            "a #b",
            "",
            " x ",
            "'",
            '"\\',
        ]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text(st.characters(codec="utf-8"), min_size=1, max_size=6), inner, max_size=3),
    ),
    max_leaves=6,
)


_read_once = lru_cache(maxsize=64)(read_document)


def read(text: str) -> Document:
    """A text's document, one's own; the text is read once, which takes most of an example's time."""
    return copy.deepcopy(_read_once(text))


@pytest.fixture(scope="module", autouse=True)
def _reading_once() -> Iterator[None]:
    """Edits read the same texts as the tests do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(splicing, "read_document", read)
        yield


def pointers(value: Any, pointer: str = "") -> Iterator[str]:
    """Every place of a document."""
    if pointer:
        yield pointer
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, each in members:
        yield from pointers(each, child_pointer(pointer, step))


def comments(text: str) -> list[str]:
    """The comments of a text, as far as no value holds a number sign."""
    return re.findall(r"(?:^|(?<=\s))#[^\r\n]*", text, re.MULTILINE)


@pytest.mark.parametrize("name", [pytest.param(name, id=name) for name in CORPUS])
@given(data=st.data())
@settings(max_examples=EXAMPLES // 5)
def test_a_scalar_that_is_changed_changes_nothing_else(name: str, data: st.DataObject) -> None:
    """The document is as intended, each comment is kept, and each line that the value does not stand on is the same."""
    text = CORPUS[name]
    value = read(text).value
    leaves = [each for each in pointers(value) if not isinstance(at(value, pointer_steps(each)), dict | list)]
    pointer = data.draw(st.sampled_from(leaves))
    new = data.draw(SCALARS)
    changed = splice(text, pointer, new)

    assert same(read(changed).value, intended(value, pointer_steps(pointer), new))
    assert [] == [each for each in comments(text) if each not in changed]
    document = read(text)
    line = min(document.positions[pointer], document.keys.get(pointer, document.positions[pointer]))[0]
    old_lines, new_lines = text.splitlines(keepends=True), changed.splitlines(keepends=True)
    assert old_lines[: line - 1] == new_lines[: line - 1]
    length = len(old_lines) - line
    block = re.search(r"[|>][-+0-9]*\s*(#.*)?$", old_lines[line - 1].rstrip())
    if not block and len(new_lines) == len(old_lines):
        assert old_lines[line:] == new_lines[len(new_lines) - length :]


@pytest.mark.parametrize("name", [pytest.param(name, id=name) for name in CORPUS])
@given(data=st.data())
@settings(max_examples=EXAMPLES // 5)
def test_random_edits_give_what_was_meant(name: str, data: st.DataObject) -> None:
    """Several edits one after the other, of any kind and at any place; comments go only with what is taken out."""
    text = CORPUS[name]
    for _ in range(data.draw(st.integers(1, 4))):
        value = read(text).value
        places = [*pointers(value), "/brand_new", "/token/params/brand_new", "/derive/one"]
        pointer = data.draw(st.sampled_from(places))
        steps = pointer_steps(pointer)
        adds = data.draw(st.booleans())
        new = ABSENT if not adds and data.draw(st.booleans()) else data.draw(VALUES)
        try:
            wanted = intended(copy.deepcopy(value), steps, new)
        except ConnectorInvalid:
            continue  # a way through a scalar
        if wanted in ({}, None):
            continue
        changed = splice(text, pointer, new)
        assert same(read(changed).value, wanted)
        text = changed


@pytest.mark.parametrize("name", [pytest.param(name, id=name) for name in CORPUS])
@given(data=st.data())
@settings(max_examples=EXAMPLES // 8)
def test_a_new_key_keeps_every_line(name: str, data: st.DataObject) -> None:
    """What is put in stands between lines that are all still there, in their order."""
    text = CORPUS[name]
    value = read(text).value
    objects = ["", *(each for each in pointers(value) if isinstance(at(value, pointer_steps(each)), dict))]
    pointer = data.draw(st.sampled_from(objects)) + "/brand_new"
    changed = splice(text, pointer, data.draw(VALUES))
    lost = Counter(text.splitlines()) - Counter(changed.splitlines())

    assert lost.total() <= 1  # that of the object in brackets, where it is one
    assert [] == [each for each in comments(text) if each not in changed]


@pytest.mark.parametrize(
    ("pointer", "value", "line"),
    [
        pytest.param(
            "/title", "Beta", 'title:   "Beta"   # with blanks before and a comment after', id="double quotes"
        ),
        pytest.param("/fields/0/label", "It's", "  label: 'It''s'", id="single quotes"),
        pytest.param("/trust/reason", "first_party", "  reason: first_party", id="none"),
        pytest.param("/trust/reason", "a: b", '  reason: "a: b"', id="none, where quotes are needed"),
        pytest.param("/trust/alternative", "other", "  alternative: other", id="nothing there"),
        pytest.param(
            "/fields/0/choices/us", "States", '  choices: {eu: Europe,   us: "States"}  # two', id="in brackets"
        ),
        pytest.param(
            "/fields/0/choices/ca",
            "Canada",
            '  choices: {eu: Europe,   us: "United States", ca: Canada}  # two',
            id="added",
        ),
        pytest.param("/fields/0/choices/eu", ABSENT, '  choices: {us: "United States"}  # two', id="taken out"),
        pytest.param("/empty/a", 1, "empty: {a: 1}", id="into an empty object"),
        pytest.param("/none", ["x", "why"], "none: [x, why]", id="into an empty list"),
    ],
)
def test_quotes_and_blanks_stay(pointer: str, value: object, line: str) -> None:
    """One line differs, and it is written as the one before was."""
    before, after = ODD.splitlines(), splice(ODD, pointer, value).splitlines()

    assert [line] == [new for old, new in zip(before, after, strict=True) if old != new]


def test_a_step_is_put_in_its_order() -> None:
    """A key that was not there stands where the steps have it, with its block."""
    text = "keyturn: 1\n# step 2\ntoken: {url: a}\n# step 8\nunique_id: b # id\n"
    found = splice(text, "/allowed_urls", [{"url": "https://api.acme.example/a", "methods": ["GET"]}])

    expected = (
        "keyturn: 1\n# step 2\ntoken: {url: a}\nallowed_urls:\n  - url: https://api.acme.example/a\n    methods: [GET]\n"  # noqa: E501
        "# step 8\nunique_id: b # id\n"
    )
    assert expected == found


def test_an_equal_value_gives_the_same_text() -> None:
    """Saving a form that nobody changed changes nothing."""
    assert ODD == splice(
        ODD, "/trust", {"note": "A folded text of two lines.", "reason": "legacy", "alternative": None}
    )


def test_a_list_is_edited_item_by_item() -> None:
    """Comments within the items that stay are kept."""
    fields = read(ODD).value["fields"]  # type: ignore[index]
    found = splice(ODD, "/fields", [fields[0], {"key": "new", "label": "New"}, fields[1]])

    assert [*fields[:1], {"key": "new", "label": "New"}, *fields[1:]] == read(found).value["fields"]  # type: ignore[index]
    assert comments(ODD) == comments(found)


def test_a_way_through_a_scalar_is_refused() -> None:
    """Nothing is written over by the way."""
    with pytest.raises(ConnectorInvalid):
        splice(ODD, "/title/a", 1)
