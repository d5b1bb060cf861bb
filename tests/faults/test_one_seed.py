"""One seed for all workers: the target runs as `make help` prints it."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.end_to_end.running import CHECKOUT

# Everything is gathered, in each worker, and nothing is played.
GATHERED = "--fault-runs 3 --setup-plan -k test_run"


def gathered(faults: str) -> subprocess.CompletedProcess[str]:
    """`make test-faults` with these options."""
    return subprocess.run(
        ["make", "test-faults", f"FAULTS={faults}"],
        cwd=CHECKOUT, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param("", r"seeds (\d+) to (\d+) ", id="drawn"),
        pytest.param(" --fault-base 120", r"seeds (120) to (122) ", id="given"),
        pytest.param(" --fault-seed 123", r"seed (123) ()", id="one again"),
    ],
)
def test_every_worker_gathers_the_same_runs(options: str, said: str) -> None:
    """The seed is drawn once, handed to every worker, and printed before anything runs."""
    done = gathered(GATHERED + options)
    head = re.search(f"^random fault runs: {said}", done.stdout, re.MULTILINE)

    assert "Different tests were collected" not in done.stdout
    assert done.returncode in (0, 5), done.stdout[-2000:] + done.stderr[-500:]  # 5: nothing was to be played
    assert head is not None, done.stdout[:500]
