"""Make a release in dist/: wheel and source archive, bill of materials, sums.

python -m scripts.write_release              ask the advisory service about the lock first
python -m scripts.write_release --no-audit   don't ask

Rule 1: what is built is the last commit, taken out of git into an empty folder; what lies about is in no release.
Rule 2: it is built twice in two folders; two results that differ are no release (exit code 4).
Rule 3: an advisory about a locked package ends it with 1, a service that can't be asked with 3; dist/ stays empty then.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from scripts.bill_of_materials import bill_of, read_lock

ROOT: Final = Path(__file__).resolve().parent.parent
LOCK: Final = "requirements/runtime.txt"
ADVISED, USAGE, UNREACHED, DIFFERENT = 1, 2, 3, 4


class NoRelease(Exception):
    """Why there is none, and the exit code that says so."""

    def __init__(self, code: int, why: str) -> None:
        super().__init__(why)
        self.code = code


def audit(command: tuple[str, ...] = ("pip-audit",)) -> None:
    """Ask the advisory service about each pin. Raises NoRelease."""
    asked = [*command, "--requirement", LOCK, "--require-hashes", "--disable-pip", "--format", "json"]
    asked += ["--progress-spinner", "off"]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    judge_audit(done.returncode, done.stdout)


def judge_audit(code: int, out: str) -> None:
    """Read what pip-audit said: only a list without findings lets a release be. Raises NoRelease."""
    try:
        packages = json.loads(out)["dependencies"]
        found = [f"{p['name']} {p['version']}: {v['id']}" for p in packages for v in p.get("vulns", ())]
        passed_over = [p["name"] for p in packages if "skip_reason" in p]
    except (ValueError, KeyError, TypeError):
        raise NoRelease(UNREACHED, "the advisory service could not be asked; try again, or --no-audit") from None
    if found:
        raise NoRelease(ADVISED, "there are advisories about: " + ", ".join(found))
    if code or passed_over or not packages:
        raise NoRelease(UNREACHED, "the advisory service answered for a part only; try again, or --no-audit")


def build(commit: bytes, into: Path, at_s: int) -> Mapping[str, str]:
    """Build wheel and source archive of a commit's tar; returns SHA-256 by file name."""
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(commit)) as tar:
            tar.extractall(folder, filter="data")
        hatchling = Path(sys.executable).with_name("hatchling")
        surroundings = os.environ | {"SOURCE_DATE_EPOCH": str(at_s)}
        subprocess.run(
            [hatchling, "build", "-d", into], cwd=folder, env=surroundings, check=True, stdout=subprocess.DEVNULL
        )
    return sums(into)


def sums(folder: Path) -> Mapping[str, str]:
    """SHA-256 of each file, by name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


def release(into: Path) -> Mapping[str, str]:
    """Make all files of a release; returns SHA-256 by name. Raises NoRelease."""
    commit = _git("archive", "--format=tar", "HEAD")
    at_s = int(os.environ.get("SOURCE_DATE_EPOCH") or _git("log", "-1", "--format=%ct"))
    if _git("status", "--porcelain"):
        print("what isn't committed is in no release", file=sys.stderr)
    with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
        once, again = build(commit, Path(first), at_s), build(commit, Path(second), at_s)
        if once != again:
            raise NoRelease(DIFFERENT, "two builds of the same commit differ")
        shutil.rmtree(into, ignore_errors=True)
        shutil.copytree(first, into)
    project = tomllib.loads(_git("show", "HEAD:pyproject.toml").decode())["project"]
    pins = read_lock(_git("show", f"HEAD:{LOCK}").decode())
    locked = {canonicalize_name(pin.name) for pin in pins}
    asked = {canonicalize_name(Requirement(line).name) for line in project["dependencies"]}
    bill = bill_of(project["version"], pins, sorted(asked & locked), at_s)
    (into / f"keyturn-{project['version']}.cdx.json").write_text(bill, encoding="utf-8")
    made = sums(into)
    (into / "SHA256SUMS").write_text("".join(f"{digest}  {name}\n" for name, digest in made.items()), encoding="utf-8")
    return made


def _git(*words: str) -> bytes:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, check=True).stdout  # noqa: S607


def main(arguments: list[str]) -> int:
    """Make the release."""
    if arguments not in ([], ["--no-audit"]):
        print(__doc__, file=sys.stderr)
        return USAGE
    dist = ROOT / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    try:
        if not arguments:
            audit((str(Path(sys.executable).with_name("pip-audit")),))
        made = release(dist)
    except NoRelease as no:
        print(f"no release: {no}", file=sys.stderr)
        return no.code
    for name, digest in made.items():
        print(f"{digest}  dist/{name}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
