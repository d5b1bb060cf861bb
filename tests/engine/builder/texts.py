"""The test connector's text with another identifier."""

from __future__ import annotations

from keyturn.adapters.catalogue.yaml_reader import read_document
from keyturn.adapters.suffix_list import load_public_suffixes
from keyturn.core.connector import Connector
from keyturn.core.reading import read_connector
from tests.engine.story import CONNECTOR


def text(identifier: str = "{{ test.id }}", **parts: str) -> str:
    """The file's text, with parts of it replaced."""
    filled = {"refresh": "", "revoke": "", "keep": "never", "on_duplicate": "update", "more": ""}
    filled |= {"token": "", "url": "https://auth.acme.example", **parts}
    return (CONNECTOR % filled).replace('unique_id: "{{ test.id }}"', f'unique_id: "{identifier}"')


def parsed(**parts: str) -> Connector:
    """The connector; `id`: the template of its unique id, `expects`: what the test has to answer."""
    identifier, expects = parts.pop("id", "{{ test.id }}"), parts.pop("expects", "id")
    source = text(identifier, **parts).replace("body: id", f'body: "{expects}"')
    return read_connector(read_document(source), suffixes=load_public_suffixes())
