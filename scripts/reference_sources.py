"""What the documents are made from and held against: the one place that knows where the product keeps it.

The generators (`write_pages.py`) and the tests of the documents (`tests/docs`) import from here and nowhere else.
"""

from __future__ import annotations

from keyturn.adapters.catalogue.starter import starter
from keyturn.adapters.catalogue.yaml_catalogue import YamlCatalogue
from keyturn.bootstrap.offline import read_connector_text
from keyturn.bootstrap.settings import CLIENT_NAMES, PREFIX, Settings
from keyturn.cli.command import VerbCommand, load
from keyturn.cli.verbs import NOUNS, VERBS
from keyturn.core.connection import TRANSITIONS, Event, State
from keyturn.core.errors import ConnectorInvalid, Finding
from keyturn.core.problems import PROBLEMS, Cause, Who
from keyturn.core.reading.codes import MEANINGS, Fault
from keyturn.core.reading.fields import FIELD_TABLE, PASSWORD, USERNAME
from keyturn.core.reading.requests import FAILURES, REFRESH, RESEND, RESPONSE, REVOKE, TEST, THEN, TOKEN, When
from keyturn.core.reading.secret_placement import RULES, Place
from keyturn.core.reading.shapes import Key, Table
from keyturn.core.reading.top import CHALLENGE, CLIENT, CONNECTOR, LINKS, NOTES, REQUEST, TRUST
from keyturn.core.schema import connector_schema
from keyturn.core.templates import FILTERS

__all__ = [
    "CHALLENGE",
    "CLIENT",
    "CLIENT_NAMES",
    "CONNECTOR",
    "FAILURES",
    "FIELD_TABLE",
    "FILTERS",
    "LINKS",
    "MEANINGS",
    "NOTES",
    "NOUNS",
    "PASSWORD",
    "PREFIX",
    "PROBLEMS",
    "REFRESH",
    "REQUEST",
    "RESEND",
    "RESPONSE",
    "REVOKE",
    "RULES",
    "TEST",
    "THEN",
    "TOKEN",
    "TRANSITIONS",
    "TRUST",
    "USERNAME",
    "VERBS",
    "Cause",
    "ConnectorInvalid",
    "Event",
    "Fault",
    "Finding",
    "Key",
    "Place",
    "Settings",
    "State",
    "Table",
    "VerbCommand",
    "When",
    "Who",
    "YamlCatalogue",
    "connector_schema",
    "load",
    "read_connector_text",
    "starter",
]
