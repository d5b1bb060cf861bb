"""What the command line's tests share: a fake server that the environment names."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.fake_server import KEY, FakeServer, running


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    """A fake server, named by KEYTURN_URL and with a key in KEYTURN_API_KEY."""
    with running() as fake:
        monkeypatch.setenv("KEYTURN_URL", fake.url)
        monkeypatch.setenv("KEYTURN_API_KEY", KEY)
        yield fake
