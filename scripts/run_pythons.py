"""Run all tests on each Python of this machine that keyturn supports, one after another: `make test-pythons`.

Each Python has a clone of the checkout in `.cache/pythons/`, with the changes that are not committed yet, and an
environment of its own there: `.venv` is left alone. The last lines are a table; the exit code is 1 if any failed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CLONES = ROOT / ".cache" / "pythons"
SUPPORTED = ("3.11", "3.12", "3.13", "3.14")

Row = tuple[str, str, str, float]  # the version, the interpreter, how it ended, seconds


def main() -> int:
    """Run the tests on each Python, or on those named on the command line (3.12 3.13), and print the table."""
    found = pythons()
    wanted = sys.argv[1:] or sorted({*SUPPORTED, *found}, key=lambda version: int(version.split(".")[1]))
    rows = [one(version, found[version]) if version in found else (version, "", "not found", 0.0) for version in wanted]
    print("── Pythons")
    for version, python, end, seconds in rows:
        print(f"{version:<6}{end:<34}{seconds:7.1f} s  {python}".rstrip(), flush=True)
    ran = [end for _, python, end, _ in rows if python]
    failed = [end for end in ran if not end.startswith("ok")] or (sys.argv[1:] and len(ran) < len(rows))
    return 1 if failed or not ran else 0


def pythons() -> dict[str, str]:
    """Map each minor version on this machine to its interpreter."""
    listed = subprocess.run(
        ["sh", "scripts/find_python.sh", "all"],  # noqa: S607
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return dict(line.split(" ", 1) for line in listed.stdout.splitlines())


def one(version: str, python: str) -> Row:
    """Run `make test` on this Python in its clone, and pass on what it says."""
    begun = time.monotonic()
    print(f"── Python {version}: {python}", flush=True)
    where = CLONES / f"{version}-suite"
    clone(where)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "KEYTURN_"))}
    command = ["make", "test", f"PYTHON={python}"]
    counts, process = "", subprocess.Popen(
        command, cwd=where, env=kept, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )  # fmt: skip
    assert process.stdout is not None
    for line in process.stdout:
        sys.stdout.write(line)
        sys.stdout.flush()
        counted = re.search(r"(?:\d+ failed, )?\d+ passed(?:, \d+ \w+)*", line)
        counts = counted.group() if counted else counts
    code = process.wait()
    end = f"{'ok' if code == 0 else 'FAILED'}: {counts or f'exit code {code}'}"
    return version, python, end, time.monotonic() - begun


def clone(where: Path) -> None:
    """Bring the clone to the state of the checkout: the last commit, then each file that differs from it.

    What git ignores stays in the clone, so that its environment is made once.
    """
    if not (where / ".git").is_dir():
        shutil.rmtree(where, ignore_errors=True)
        where.parent.mkdir(parents=True, exist_ok=True)
        git("clone", "--quiet", "--no-checkout", str(ROOT), str(where))
    git("fetch", "--quiet", str(ROOT), "HEAD", at=where)
    git("checkout", "--quiet", "--force", "--detach", "FETCH_HEAD", at=where)
    git("clean", "--quiet", "--force", "-d", at=where)
    changed = git("diff", "--name-only", "--no-renames", "-z", "HEAD") + git(
        "ls-files", "--others", "--exclude-standard", "-z"
    )
    for name in filter(None, changed.split("\0")):
        source, target = ROOT / name, where / name
        if source.exists() or source.is_symlink():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
        else:
            target.unlink(missing_ok=True)


def git(*words: str, at: Path = ROOT) -> str:
    """Run git, or end with a sentence; return what it printed."""
    ended = subprocess.run(["git", *words], cwd=at, capture_output=True, text=True, check=False)  # noqa: S607
    if ended.returncode:
        print(f"test-pythons: `git {words[0]}` failed: {ended.stderr.strip()}", file=sys.stderr)
        raise SystemExit(1)
    return ended.stdout


if __name__ == "__main__":
    raise SystemExit(main())
