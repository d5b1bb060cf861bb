"""The connector format as JSON Schema, for editors: made from the tables that the reader reads by.

Rule 1: there is no second list of keys, bounds or choices; what a shape reads, its schema says.
Rule 2: the schema says less than the reader where JSON Schema can't say it: which names a template may use, where
secrets stand, who writes a host. What the reader takes, the schema takes as well.

Source: JSON Schema 2020-12.
"""

from __future__ import annotations

from typing import Any, Final

from keyturn.core.connector import FORMAT_VERSION
from keyturn.core.reading.top import CONNECTOR

SCHEMA_ID: Final = f"urn:keyturn:connector:{FORMAT_VERSION}"


def connector_schema() -> dict[str, Any]:
    """Write the schema of version 1 of the format, as plain JSON."""
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        "title": f"keyturn connector, version {FORMAT_VERSION}",
        "description": "How one API logs in, in nine steps.",
    }
    return head | CONNECTOR.schema()
