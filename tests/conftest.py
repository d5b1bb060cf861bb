"""What every test may count on.

Rule 1: the examples that Hypothesis draws are the same in every run, so that red means changed code;
HYPOTHESIS_PROFILE=thorough looks for new ones.
Rule 2: settings of the machine do not reach the tests.
Rule 3: files that start processes come first, in random order like all others: whatever is left at the end is short,
so that no worker waits long for the other.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from types import FrameType

import pytest
from hypothesis import HealthCheck, settings

# A machine that is busy with the other worker is slow, not wrong: no time limit per example.
settings.register_profile("steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "thorough", deadline=None, max_examples=2_000, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


STARTS_PROCESSES = ("tests/end_to_end", "tests/faults", "tests/peers", "tests/docs", "tests/ops", "tests/security")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Move what starts processes to the front; the order within stays as it was drawn."""
    items.sort(key=lambda item: not item.nodeid.startswith(STARTS_PROCESSES))


@pytest.fixture(scope="session", autouse=True)
def _an_interrupt_interrupts() -> None:
    """A shell's background hands down that Ctrl-C is ignored; programs under test have to end by it.

    A handler of our own besides keeps asyncio from putting in its own for every test, which has the standard library
    write out all that the test's fixtures are.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, _interrupt)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@pytest.fixture(scope="session", autouse=True)
def _settings_of_the_machine_do_not_matter() -> Iterator[None]:
    """Take away every KEYTURN_ setting and proxy that the person running the tests has set."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.upper().startswith("KEYTURN_") or name.upper() in {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}:
                patch.delenv(name)
        yield
