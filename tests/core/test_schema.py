"""Tests of the JSON Schema, held against the reader."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given

from keyturn.adapters.catalogue.yaml_reader import read_document
from keyturn.core.format.writing import dump_connector
from keyturn.core.schema import connector_schema
from tests.core.connector_files import FILES, SMALLEST, changed, faults, read
from tests.core.reading_strategies import CONNECTOR_FILES

VALIDATOR = jsonschema_rs.Draft202012Validator(connector_schema(), validate_formats=False)


def test_it_is_a_schema() -> None:
    """It is plain JSON, and valid under the schema of schemas."""
    jsonschema_rs.meta.validate(json.loads(json.dumps(connector_schema())))

    assert "https://json-schema.org/draft/2020-12/schema" == connector_schema()["$schema"]


@pytest.mark.parametrize("name", ["acme-crm", "smallest"])
def test_it_takes_the_examples(name: str) -> None:
    """An editor underlines nothing in a file that is right."""
    value = read_document((FILES / f"{name}.yaml").read_text()).value

    assert [] == [each.message for each in VALIDATOR.iter_errors(value)]


@given(CONNECTOR_FILES)
def test_it_takes_what_the_reader_takes(value: dict[str, Any]) -> None:
    """A connector that reads is right for the schema, as its author wrote it and in its canonical form."""
    assert VALIDATOR.is_valid(value)
    assert VALIDATOR.is_valid(dump_connector(read(value)))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        pytest.param("colour", "red", id="an unknown key"),
        pytest.param("session", {"limit": 0}, id="no session at all"),
        pytest.param("derive", {"a": {"filters": ["hex"]}}, id="made of nothing"),
        pytest.param("unique_id", None, id="a missing key"),
        pytest.param("token.url", None, id="a missing key inside"),
        pytest.param("keyturn", 2, id="another version"),
        pytest.param("connector", "Acme", id="an id in capitals"),
        pytest.param("title", 7, id="a number for a text"),
        pytest.param("title", "", id="an empty text"),
        pytest.param("trust.reason", "lazy", id="no choice"),
        pytest.param("token.encoding", "yaml", id="no encoding"),
        pytest.param("token.method", "TRACE", id="no method"),
        pytest.param("token.headers", {"a b": "c"}, id="no header's name"),
        pytest.param("token.success_when", {}, id="an empty condition"),
        pytest.param("token.success_when", {"status": [99]}, id="no status"),
        pytest.param("token.default_ttl", "1 h", id="no duration"),
        pytest.param("token.default_ttl", 0, id="a duration below the least"),
        pytest.param("fields", [{"key": "1", "label": "x"}], id="no name"),
        pytest.param("fields", [{"key": "a"}], id="a field without a label"),
        pytest.param("username.type", "host", id="a type that a username has not"),
        pytest.param("refresh", "nothing", id="a word that is not none"),
        pytest.param("revoke", [], id="an empty list"),
        pytest.param("allowed_urls", [], id="no allowed URL"),
        pytest.param("allowed_urls", [{"url": "https://a.example", "methods": ["TRACE"]}], id="a method of no call"),
        pytest.param("request", {"only": [{"headers": {"X-A": "b"}}]}, id="a value for some calls that are all"),
        pytest.param("limits", {"logins": 0}, id="a number below the least"),
        pytest.param("private_network", "yes", id="a text for a boolean"),
        pytest.param("test.expect", [], id="a list for an object"),
    ],
)
def test_it_refuses_what_the_tables_refuse(place: str, value: object) -> None:
    """What an author gets wrong about keys, types, choices and bounds is underlined before it is saved."""
    wrong = changed((place, value))

    assert not VALIDATOR.is_valid(wrong)
    assert [] != faults(wrong)
    assert VALIDATOR.is_valid(SMALLEST)


def test_null_is_as_good_as_absent() -> None:
    """The reader takes null for an optional key as not given, and so does the schema."""
    value = {**SMALLEST, "docs_url": None, "revoke": None, "refresh": None, "on_duplicate": None, "fields": None}

    assert VALIDATOR.is_valid(value)
    assert read(SMALLEST) == read(value)
    assert not VALIDATOR.is_valid({**SMALLEST, "title": None})


def test_each_key_says_what_it_is_for() -> None:
    """Editors show the sentence beside the key."""
    waiting: list[Any] = [connector_schema()]
    silent = []
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            silent += [name for name, each in one.get("properties", {}).items() if not each.get("description")]
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one

    assert [] == silent
