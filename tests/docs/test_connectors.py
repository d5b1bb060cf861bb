"""Connectors in the documents are connectors: the product's own reader takes them."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest

from scripts.reference_sources import ConnectorInvalid, YamlCatalogue, read_connector_text, starter
from tests.docs.pages import Block, blocks

WHOLE = blocks("yaml")
FRAGMENTS = blocks("yaml fragment")


@pytest.mark.parametrize("block", WHOLE, ids=lambda block: block.name)
def test_whole_connectors_read_without_errors(block: Block) -> None:
    """A block that is marked `yaml` can be saved as it stands."""
    assert [] == errors_of(block.text)


@pytest.mark.parametrize("block", FRAGMENTS, ids=lambda block: block.name)
def test_fragments_fit_into_the_starter(block: Block) -> None:
    """A block that is marked `yaml fragment` reads without errors once its keys replace those of the starter."""
    whole, part = parsed(starter("acme")), parsed(block.text)

    assert [] == errors_of(json.dumps({**whole, **part}))


def test_the_connectors_are_read_at_all() -> None:
    """A slip in a block is seen: unknown keys are no longer fine because they stand in a document."""
    assert WHOLE
    assert FRAGMENTS
    assert ["unknown_key"] == errors_of(json.dumps({**parsed(starter("acme")), "titel": "Acme"}))


def parsed(text: str) -> Mapping[str, object]:
    """The keys of a YAML text."""
    value = YamlCatalogue().read(text.encode()).value
    assert isinstance(value, Mapping)
    return value


def errors_of(text: str) -> list[str]:
    """The codes of what is wrong with a connector."""
    try:
        read_connector_text(text)
    except ConnectorInvalid as invalid:
        return [error.code for error in invalid.errors]
    return []
