"""Tests of a connector's canonical form and digest."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given

from keyturn.core.format.writing import digest, dump_connector
from tests.core.connector_files import SMALLEST, changed, read
from tests.core.reading_strategies import CONNECTOR_FILES


@given(CONNECTOR_FILES)
def test_what_is_written_reads_back_equal(value: dict[str, Any]) -> None:
    """The canonical form means the same, and is its own canonical form."""
    connector = read(value)
    written = dump_connector(connector)
    again = read(json.loads(json.dumps(written)))

    assert connector == again
    assert written == dump_connector(again)
    assert digest(connector) == digest(again)


def test_every_default_is_written_out() -> None:
    """The smallest connector's canonical form holds what the author left to the standard."""
    written = dump_connector(read(SMALLEST))

    assert {"grant_type": "password", "username": "{{ username }}", "password": "{{ password }}"} == written["token"][
        "params"
    ]
    assert "basic" == written["token"]["authentication"]
    assert "refresh_only" == written["refresh"]["strategy"]
    assert {"status": [401]} == written["stale_when"]
    assert {"logins": 5, "per": 900} == written["limits"]
    assert ["authorization"] == written["request"]["locked"]
    assert "revoke" not in written


def test_the_digest_is_of_the_meaning() -> None:
    """Spelling, order of keys and written-out defaults don't change the digest; a meaning does."""
    reordered = dict(reversed(SMALLEST.items()))

    assert digest(read(SMALLEST)) == digest(read(reordered))
    assert digest(read(SMALLEST)) == digest(read(changed(("limits", {"per": "900s"}))))
    assert digest(read(SMALLEST)) != digest(read(changed(("limits", {"per": "901s"}))))
    assert 64 == len(digest(read(SMALLEST)))
