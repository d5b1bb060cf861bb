"""What the browser tests share: one server with the example provider, and a Chromium that is the machine's own.

`make test-browser` brings in the driver; where it is not there, nothing in this folder is collected.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import pytest

if importlib.util.find_spec("playwright") is None:
    collect_ignore_glob = ["test_*.py"]
else:
    from tests.browser.browsing import House, chromium, running_house

    @pytest.fixture(name="house", scope="session")
    def _house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
        with running_house(tmp_path_factory.mktemp("house")) as house:
            yield house

    @pytest.fixture(name="browser", scope="session")
    def _browser() -> Iterator[object]:
        with chromium() as browser:
            yield browser
