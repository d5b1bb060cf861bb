"""`keyturn webhook …`, against a server that answers as it is told."""

from __future__ import annotations

import pytest
from click import UsageError

from keyturn.cli.local_post import check_local


@pytest.mark.parametrize(
    "url",
    ["https://localhost/", "http://example.com/", "http://127.0.0.1.example/", "http://u:p@localhost/",
     "localhost:3000", "http://localhost:0/", "http://localhost:x/", "http://10.0.0.1/", "http://localhost/#x"],
)  # fmt: skip
def test_events_are_posted_to_this_machine_alone(url: str) -> None:
    """They name owners."""
    with pytest.raises(UsageError, match="an address of this machine"):
        check_local(url)


@pytest.mark.parametrize("url", ["http://localhost:3000/hook", "http://127.0.0.1:3000", "http://[::1]:3000/?a=b"])
def test_addresses_of_this_machine(url: str) -> None:
    """With or without a port, a path, a query."""
    assert check_local(url).geturl() == url
