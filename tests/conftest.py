"""What every test may count on.

Rule 1: the examples that Hypothesis draws are the same in every run, so that red means changed code;
HYPOTHESIS_PROFILE=thorough looks for new ones.
Rule 2: settings of the machine do not reach the tests.
Rule 3: files that start processes come first, in random order like all others: whatever is left at the end is short,
so that no worker waits long for the other.
Rule 4: a file of tests leaves the process as it found it (tests/house/left_behind.py).
"""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Generator
from types import FrameType

import pytest
from hypothesis import HealthCheck, settings

from tests.house.left_behind import left_behind, state

# A machine that is busy with the other worker is slow, not wrong: no time limit per example.
settings.register_profile("steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "thorough", deadline=None, max_examples=2_000, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


# Thousands of tests are gathered that stay to the end: looking through them for garbage, time and again, is a third of
# what that costs, and a good part of the looking later on.
gc.disable()

STARTS_PROCESSES = ("tests/end_to_end", "tests/faults", "tests/peers", "tests/docs", "tests/ops", "tests/security")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Move what starts processes to the front; the order within stays as it was drawn."""
    items.sort(key=lambda item: not item.nodeid.startswith(STARTS_PROCESSES))


def pytest_collection_finish() -> None:
    """From here on garbage is collected as everywhere, but for what has been loaded and gathered."""
    gc.collect()
    gc.freeze()
    gc.enable()


TOLD = "told"  # the name of a property by which a test that passes says something at the end of the run


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests that passed have to say."""
    for report in terminalreporter.getreports("passed"):
        for name, text in getattr(report, "user_properties", ()):
            if name == TOLD:
                terminalreporter.write_line(text)


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
def _settings_of_the_machine_do_not_matter() -> None:
    """Take away every KEYTURN_ setting and proxy that the person running the tests has set; the process is ours."""
    for name in list(os.environ):
        if name.upper().startswith("KEYTURN_") or name.upper() in {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}:
            del os.environ[name]


_FOUND = pytest.StashKey[dict[str, object]]()


@pytest.fixture(scope="session", autouse=True)
def _as_it_is_found(
    request: pytest.FixtureRequest, _an_interrupt_interrupts: None, _settings_of_the_machine_do_not_matter: None
) -> None:
    request.config.stash[_FOUND] = state()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None]:
    """Fail the last test of a file that leaves something behind."""
    yield
    found = item.config.stash.get(_FOUND, None)
    if found is not None and (nextitem is None or nextitem.path != item.path):
        item.config.stash[_FOUND] = now = state()
        if differences := left_behind(found, now):
            pytest.fail(f"{item.path.name} leaves behind: {'; '.join(differences)}", pytrace=False)
