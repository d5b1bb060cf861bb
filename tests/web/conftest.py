"""What every test of the doors has."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fakes.compiled_templates import templates_compiled_once


@pytest.fixture(scope="package", autouse=True)
def _templates_compiled_once() -> Iterator[None]:
    with templates_compiled_once():
        yield
