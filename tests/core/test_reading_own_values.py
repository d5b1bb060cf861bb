"""Reading what a connection brings to its logins: values made once, and values remembered."""

from __future__ import annotations

from typing import Any

import pytest

from keyturn.core.connector import Generator
from keyturn.core.format.writing import dump_connector
from tests.core.connector_files import SMALLEST, changed, faults, read

MADE = ("generate", {"device_id": "uuid"})
KEPT = ("remember", {"device_token": "device.token"})


def test_both_read_and_write_back() -> None:
    """A renewal takes over a header with the one, and drops one with the other."""
    headers = {"X-Device": "{{ device_id }}", "X-Trust": "{{ device_token }}"}
    connector = read(changed(MADE, KEPT, ("token.headers", headers)))

    assert ({"device_id": Generator.UUID}, {"device_token": "device.token"}) == (
        dict(connector.generate),
        dict(connector.remember),
    )
    assert ["X-Device"] == list(connector.refresh.request.headers)
    assert connector == read(dump_connector(connector))


def test_none_leaves_the_canonical_form_as_it_was() -> None:
    """So that the digest of every older connector stays."""
    assert not {"generate", "remember"} & dump_connector(read(SMALLEST)).keys()


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        pytest.param([("generate", {"a": "ulid"})], "/generate/a", "wrong_value", id="no such generator"),
        pytest.param([("generate", {"username": "uuid"})], "/generate/username", "reserved_name", id="reserved"),
        pytest.param(
            [MADE, ("fields", [{"key": "device_id", "label": "D"}])],
            "/generate/device_id",
            "duplicate",
            id="a field too",
        ),
        pytest.param([MADE, ("remember", {"device_id": "a"})], "/remember/device_id", "duplicate", id="made and kept"),
        pytest.param(
            [MADE, ("challenges", [{"when": {"status": [401]}, "capture": {"device_id": "d"}, "then": {}}])],
            "/challenges/0/capture/device_id",
            "reserved_name",
            id="captured under its name",
        ),
        pytest.param(
            [MADE, ("unique_id", "{{ device_id }}")], "/unique_id", "secret_not_allowed_here", id="made, in an id"
        ),
        pytest.param(
            [KEPT, ("request.headers", {"X-Trust": "{{ device_token }}"})],
            "/request/headers/X-Trust",
            "secret_not_allowed_here",
            id="remembered, in calls",
        ),
        pytest.param(
            [KEPT, ("token.url", "https://login.example.com/{{ device_token }}")],
            "/token/url",
            "secret_in_url",
            id="remembered, in a URL",
        ),
    ],
)
def test_what_can_not_work_is_said_where_it_stands(changes: list[tuple[str, Any]], pointer: str, code: str) -> None:
    """Each at its place, when the connector is saved."""
    assert (pointer, code) in faults(changed(*changes))
