"""Tests of the text that a new connector file begins with."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from keyturn.adapters.catalogue.starter import starter
from keyturn.adapters.catalogue.yaml_reader import read_document
from keyturn.core.lint import lint
from keyturn.core.reading import read_connector
from keyturn.core.urls.public_suffixes import PublicSuffixes

SUFFIXES = PublicSuffixes.from_text("example\n")


@given(st.from_regex(r"[a-z][a-z0-9-]{1,62}", fullmatch=True))
@example("null")
@example("true")
def test_it_reads_for_every_id(connector_id: str) -> None:
    """The first file of an author has no errors, and nothing that the linter warns of."""
    connector = read_connector(read_document(starter(connector_id)), suffixes=SUFFIXES)

    assert connector_id == connector.id
    assert [] == [each.code for each in lint(connector) if each.severity != "info"]


def test_an_editor_finds_the_schema() -> None:
    """The first line names the JSON Schema, as editors look for it."""
    assert starter("acme").startswith("# yaml-language-server: $schema=./connector.schema.json\n")
