"""A gate that knows no host yet, and a clock that a test moves."""

from __future__ import annotations

import pytest

from keyturn.engine.provider_gate import ProviderGate
from tests.fakes.clock import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    """A clock that a test moves."""
    return FakeClock()


@pytest.fixture
def gate(clock: FakeClock) -> ProviderGate:
    """A gate of the only process."""
    return ProviderGate(clock)
