"""Install strace, which `make test-faults` needs to strike single system calls of a server.

Where there is none and this runs as root on a machine with apt-get, Debian's is installed; on other machines a sentence
says what to do.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from scripts.set_up import fail, only_one_at_a_time


def main() -> int:
    """Install it if it is missing; print its path."""
    with only_one_at_a_time():
        print(shutil.which("strace") or install())
    return 0


def install() -> str:
    """Install Debian's strace; return its path."""
    apt = shutil.which("apt-get")
    if os.geteuid() == 0 and apt:
        subprocess.run([apt, "update", "-qq"], check=False)
        command = [apt, "install", "-y", "-qq", "--no-install-recommends", "strace"]
        subprocess.run(command, check=False, stdout=sys.stderr)
        if found := shutil.which("strace"):
            return found
    fail("the fault tests need strace: install it (Debian: apt-get install strace) and try again")


if __name__ == "__main__":
    raise SystemExit(main())
