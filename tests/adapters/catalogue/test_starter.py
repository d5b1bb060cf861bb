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
    """The first file of an author has no errors; the linter sees what only its author can say, and nothing else."""
    connector = read_connector(read_document(starter(connector_id)), suffixes=SUFFIXES)

    assert connector_id == connector.id
    assert {"K001", "K011"} == {each.code for each in lint(connector) if each.severity != "info"}


def test_nothing_is_said_in_the_authors_name() -> None:
    """Why a password is acceptable, and where the provider says so, is left to who begins the file."""
    connector = read_connector(read_document(starter("acme")), suffixes=SUFFIXES)

    assert (None, None) == (connector.trust, connector.docs_url)


def test_every_placeholder_is_seen() -> None:
    """The linter finds each address of the file that is nobody's, so that none of them is published."""
    connector = read_connector(read_document(starter("acme")), suffixes=SUFFIXES)
    found = {each.pointer for each in lint(connector) if each.code == "K011"}

    assert {"/token/url", "/revoke/url", "/test/url", "/allowed_urls/0"} == found
    filled = starter("acme").replace(".provider.example", ".acme.example")
    connector = read_connector(read_document(filled), suffixes=SUFFIXES)
    assert "K011" not in {each.code for each in lint(connector)}


def test_an_editor_finds_the_schema() -> None:
    """The first line names the JSON Schema, as editors look for it."""
    assert starter("acme").startswith("# yaml-language-server: $schema=./connector.schema.json\n")
