"""JSON that knows secrets gives back what it was given."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.adapters.sealing.secret_json import decoded, encoded
from keyturn.core.secret import Secret

any_text = st.text(st.characters(), max_size=9)  # lone surrogates too
leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | any_text | st.builds(Secret, any_text)
keys = any_text | st.sampled_from(["$secret", "$mapping", "$"])
values = st.recursive(leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4))


@given(values)
def test_what_went_in_comes_out(value: Any) -> None:
    """Also where a provider's keys look like our tags."""
    assert value == decoded(encoded(value))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param((1, ("a",)), [1, ["a"]], id="tuples are lists"),
        pytest.param(MappingProxyType({"a": MappingProxyType({})}), {"a": {}}, id="any mapping is a dict"),
        pytest.param({"$secret": "x"}, {"$secret": "x"}, id="a text under our tag is no secret"),
        pytest.param({"$mapping": {"$secret": "x"}}, {"$mapping": {"$secret": "x"}}, id="tags within tags"),
    ],
)
def test_what_changes_its_type(value: Any, expected: Any) -> None:
    """What JSON can't tell apart comes back in its plainest form, and never as a secret."""
    found = decoded(encoded(value))

    assert expected == found
    assert type(expected) is type(found)


def test_what_is_no_json_is_refused() -> None:
    """An object that is none of these is our bug."""
    with pytest.raises(TypeError):
        encoded({"a": object()})
