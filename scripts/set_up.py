"""Make `.venv` in the checkout, with every package as the lock names it and `.venv/bin/keyturn`.

Rules of the file:

- It runs on a bare Python 3.11 or newer: standard library only, and neither pip nor uv is taken for granted.
- KEYTURN_VENV names another folder of the checkout than `.venv`: an environment of another Python, beside it.
- Nothing outside the checkout is written but the package cache of uv.
- Doing it twice is cheap: a stamp in `.venv` holds a digest of all that went in.
- Being interrupted does no harm: a mark stands in `.venv` while packages are being put in, and whoever finds the mark
  without its owner starts afresh. The owner is known by a lock that the system drops when its process ends.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"
VENV = ROOT / os.environ.get("KEYTURN_VENV", ".venv")
VENV_PYTHON = VENV / "bin" / "python"
STAMP = VENV / ".set-up"
UNFINISHED = VENV / ".set-up-unfinished"
UV_LOCK = ROOT / "requirements" / "uv.txt"
DEV_LOCK = ROOT / "requirements" / "dev.txt"
INPUTS = (Path(__file__), ROOT / "pyproject.toml", DEV_LOCK)
OLDEST_PYTHON = (3, 11)
OLDEST_UV = (0, 5, 0)  # the first whose `pip sync` reads markers of a universal lock as this one writes them


def main() -> int:
    """Set the checkout up, or print where uv is (`--print-uv`); errors are one sentence and exit code 1."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument(
        "--print-uv", action="store_true", help="print the path of the locked uv, brought in if need be"
    )
    parser.add_argument("--quiet", action="store_true", help="say nothing where there is nothing to do")
    arguments = parser.parse_args()
    if sys.version_info < OLDEST_PYTHON:
        fail(f"keyturn needs Python 3.11 or newer, this is {sys.version.split()[0]}")
    with only_one_at_a_time():
        if arguments.print_uv:
            print(find_or_bring_uv(exactly_locked=True))
            return 0
        if is_set_up():
            if not arguments.quiet:
                print(f"set up already: {VENV.relative_to(ROOT)} is as the lock says")
            return 0
        begun = time.monotonic()
        set_up(find_or_bring_uv())
        print(f"set up in {time.monotonic() - begun:.1f} s: {VENV.relative_to(ROOT)}/bin/keyturn", flush=True)
    return 0


@contextmanager
def only_one_at_a_time() -> Iterator[None]:
    """Wait until no other set-up of this checkout runs; the lock ends with the process, however it ends."""
    TOOLS.mkdir(exist_ok=True)
    with (TOOLS / "set-up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("waiting for another set-up of this checkout", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def stamp_of_today() -> list[str]:
    """Name the state that `.venv` should have: a digest of what goes in, and where the checkout lies."""
    digest = hashlib.sha256()
    for path in INPUTS:
        digest.update(path.read_bytes())
    return [digest.hexdigest(), str(ROOT)]


def stamp_found() -> list[str]:
    """Read the stamp of the last complete set-up; empty where there was none."""
    return STAMP.read_text().splitlines() if STAMP.is_file() else []


def is_set_up() -> bool:
    """Tell whether `.venv` is complete, made of today's inputs, and its Python still runs."""
    complete = not UNFINISHED.exists() and (VENV / "bin" / "keyturn").is_file()
    return complete and stamp_found() == stamp_of_today() and not venv_must_be_made()


def venv_must_be_made() -> bool:
    """Tell whether `.venv` is absent, half made, moved, too old, or not of the Python that `PYTHON=` asks for."""
    if UNFINISHED.exists() or not VENV_PYTHON.exists():
        return True
    if stamp_found()[1:] not in ([], [str(ROOT)]):  # the scripts of a venv hold absolute paths: moved is broken
        return True
    ask = "import sys; print(*sys.version_info[:2], sys.prefix, sys._base_executable, sep='\\n')"
    try:
        found = subprocess.run([VENV_PYTHON, "-c", ask], capture_output=True, text=True, check=True, timeout=60)
        major, minor, prefix, base = found.stdout.split("\n")[:4]
    except (OSError, subprocess.SubprocessError, ValueError):
        return True
    if (int(major), int(minor)) < OLDEST_PYTHON or Path(prefix).resolve() != VENV:
        return True
    # Another Python that happens to come first on the PATH is no reason to make everything anew; an explicit one is.
    return bool(os.environ.get("PYTHON")) and Path(base).resolve() != base_python().resolve()


def base_python() -> Path:
    """Name the interpreter behind this one, so that a venv is never made from a venv."""
    return Path(getattr(sys, "_base_executable", None) or sys.executable)


def set_up(uv: Path) -> None:
    """Make `.venv` where needed, put in what the lock names and nothing else, then keyturn itself, editable."""
    if venv_must_be_made():
        if VENV.is_symlink():
            VENV.unlink()
        shutil.rmtree(VENV, ignore_errors=True)
        run_uv(uv, "venv", "--no-python-downloads", "--python", str(base_python()), str(VENV))
    STAMP.unlink(missing_ok=True)
    UNFINISHED.touch()
    into_venv = ["--python", str(VENV_PYTHON)]
    sync = ["pip", "sync", *into_venv, "--require-hashes", str(DEV_LOCK)]
    if not uv_runs(uv, "--offline", *sync, said=subprocess.DEVNULL):  # what is in the cache needs no network
        run_uv(uv, *sync)
    run_uv(uv, "pip", "install", *into_venv, "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    STAMP.write_text("\n".join(stamp_of_today()) + "\n")
    UNFINISHED.unlink()


def run_uv(uv: Path, *arguments: str) -> None:
    """Run uv in the checkout, or end with a sentence; what it says goes to the terminal."""
    if not uv_runs(uv, *arguments):
        fail(f"`uv {arguments[0]}` failed, for the reason above; when that is mended, run `make setup` again")


def uv_runs(uv: Path, *arguments: str, said: int | None = None) -> bool:
    """Run uv in the checkout and tell whether it ended well; `said`: where its errors go, to the terminal if None."""
    environment = {name: value for name, value in os.environ.items() if name not in {"VIRTUAL_ENV", "CONDA_PREFIX"}}
    home = environment.get("HOME", "")
    if "UV_CACHE_DIR" not in environment and "XDG_CACHE_HOME" not in environment and not os.access(home, os.W_OK):
        environment["UV_CACHE_DIR"] = str(ROOT / ".cache" / "uv")
    environment.setdefault("UV_LINK_MODE", "copy")  # a file that someone edits in .venv must not change uv's cache
    environment.setdefault("UV_COMPILE_BYTECODE", "1")
    ended = subprocess.run([uv, "--quiet", *arguments], cwd=ROOT, env=environment, stderr=said, check=False)
    return ended.returncode == 0


def find_or_bring_uv(*, exactly_locked: bool = False) -> Path:
    """Return a uv that runs: the one on the PATH where it is new enough, else the locked one in `.tools`.

    `exactly_locked` is for writing locks, which should come out the same on every machine.
    """
    pinned = re.search(r"^uv==([0-9.]+)", UV_LOCK.read_text(), re.MULTILINE)
    if not pinned:
        fail(f"{UV_LOCK.relative_to(ROOT)} names no version of uv")
    version = pinned.group(1)
    wanted = tuple(int(part) for part in version.split("."))
    on_path = shutil.which("uv")
    if on_path and (found := uv_version(Path(on_path))) >= OLDEST_UV and (found == wanted or not exactly_locked):
        return Path(on_path)
    ours = TOOLS / f"uv-{version}" / "bin" / "uv"
    if uv_version(ours) == wanted:
        return ours
    bring_uv(ours.parent.parent)
    if not uv_version(ours):
        fail(f"uv {version} was brought in but does not run on this machine")
    return ours


def uv_version(uv: Path) -> tuple[int, ...]:
    """Return the version as numbers, empty where the file is absent or does not run (a launcher without a target)."""
    try:
        said = subprocess.run([uv, "--version"], capture_output=True, text=True, check=True, timeout=60).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    numbers = re.search(r"(\d+)\.(\d+)\.(\d+)", said)
    return tuple(int(part) for part in numbers.groups()) if numbers else ()


def bring_uv(target: Path) -> None:
    """Install the locked uv into `target`, first beside it, so that an interrupted download leaves no half of it."""
    half = target.with_name(target.name + ".partial")
    shutil.rmtree(half, ignore_errors=True)
    shutil.rmtree(target, ignore_errors=True)
    print("bringing uv in", flush=True)
    # --target is what a Python marked as externally managed (PEP 668) allows. A user's own pip settings must not get in
    # the way: --user and --target exclude each other, and a required venv is beside the point here.
    environment = {name: value for name, value in os.environ.items() if name not in {"PIP_TARGET", "PIP_PREFIX"}}
    environment |= {"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0", "PIP_ROOT_USER_ACTION": "ignore"}
    command: list[str | Path] = [
        find_or_bring_pip(),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--require-hashes",
        "--only-binary=:all:",
    ]
    command += ["--no-deps", "--target", half, "--requirement", UV_LOCK]
    if subprocess.run(command, env=environment, check=False).returncode:
        fail("pip could not bring uv in, for the reason above; with uv on the PATH, `make setup` does without")
    half.rename(target)


def find_or_bring_pip() -> Path:
    """Return a Python that has pip: this one, else a venv in `.tools` made with the pip that Python carries along."""
    if has_pip(Path(sys.executable)):
        return Path(sys.executable)
    home = TOOLS / "pip"
    python = home / "bin" / "python"
    if has_pip(python):
        return python
    shutil.rmtree(home, ignore_errors=True)
    made = subprocess.run([base_python(), "-m", "venv", home], capture_output=True, check=False)
    if made.returncode or not has_pip(python):
        shutil.rmtree(home, ignore_errors=True)
        fail(
            "this Python has neither pip nor ensurepip, and uv is not on the PATH: install one of them "
            "(Debian, Ubuntu: apt-get install python3-venv or python3-pip), then run `make setup` again"
        )
    return python


def has_pip(python: Path) -> bool:
    """Tell whether `python` exists and can run pip."""
    try:
        return subprocess.run([python, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def fail(sentence: str) -> NoReturn:
    """Print one sentence where errors go, and end."""
    print(f"set-up: {sentence}", file=sys.stderr, flush=True)
    raise SystemExit(1)


if __name__ == "__main__":
    raise SystemExit(main())
