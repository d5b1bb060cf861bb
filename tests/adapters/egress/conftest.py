"""What speaks to sockets below asyncio's streams is tested on both event loops: the server's and Python's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest
import uvloop

LoopFactory = Callable[[], asyncio.AbstractEventLoop]
ON_BOTH = (
    "test_contracts",
    "test_dialling",
    "test_tls_identity",
    "test_tunnel",
    "test_upstream_answers",
    "test_upstream_calls",
    "test_upstream_pool",
)


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Mapping[str, LoopFactory]:
    """The loops on which a test runs."""
    loops: dict[str, LoopFactory] = {"asyncio": asyncio.new_event_loop}
    if item.path.stem in ON_BOTH:
        loops["uvloop"] = uvloop.new_event_loop
    return loops
