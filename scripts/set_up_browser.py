"""Bring in what `make test-browser` needs on top of `.venv`: the driver and axe by their lock, and a browser.

The browser is the machine's own: Chromium as Debian has it, or Google Chrome. Where there is none and this runs as root
on a machine with apt-get, Debian's is installed; anywhere else a sentence says what to do.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.set_up import ROOT, VENV_PYTHON, fail, find_or_bring_uv, only_one_at_a_time, run_uv

LOCK = ROOT / "requirements" / "browser.txt"
NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


def main() -> int:
    """Do what is missing; print where the browser is."""
    with only_one_at_a_time():
        ask = "import axe_playwright_python, playwright"
        if subprocess.run([VENV_PYTHON, "-c", ask], check=False, stderr=subprocess.DEVNULL).returncode:
            into = ("--python", str(VENV_PYTHON), "--require-hashes", "-r", str(LOCK))
            run_uv(find_or_bring_uv(), "pip", "install", *into)
    print(find_browser() or install_browser())
    return 0


def find_browser() -> str | None:
    """Where a browser is, if the machine has one."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


def install_browser() -> str:
    """Install Debian's Chromium."""
    apt = shutil.which("apt-get")
    if os.geteuid() == 0 and apt:
        subprocess.run([apt, "update", "-qq"], check=False)
        command = [apt, "install", "-y", "-qq", "--no-install-recommends", "chromium"]
        subprocess.run(command, check=False, stdout=sys.stderr)
        if found := find_browser():
            return found
    fail("the browser tests need Chromium: install it (Debian: apt-get install chromium) and try again")


if __name__ == "__main__":
    raise SystemExit(main())
