"""What the command line's tests share: a fake server that the environment names."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cli.fake_server import KEY, FakeServer, running


@pytest.fixture(scope="module", autouse=True)
def _this_process_stays_as_it_is() -> Iterator[None]:
    """Commands that handle secrets harden the process for good, and `run` runs them in that of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("key_files", "initialise", "upkeep.back_up", "runtimes"):
            patch.setattr(f"keyturn.bootstrap.{module}.harden_process", lambda: None)
        yield


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    """A fake server, named by KEYTURN_URL and with a key in KEYTURN_API_KEY."""
    with running() as fake:
        monkeypatch.setenv("KEYTURN_URL", fake.url)
        monkeypatch.setenv("KEYTURN_API_KEY", KEY)
        yield fake
