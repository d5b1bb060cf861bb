"""What the tests of the data plane begin with."""

from __future__ import annotations

import pytest

from tests.web.dataplane.story import Story, begin


@pytest.fixture
async def story() -> Story:
    """A connected account whose token lives for an hour and can be refreshed."""
    return await begin()
