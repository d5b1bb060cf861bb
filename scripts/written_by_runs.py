"""Put into a page what a run found, between the markers of its section, with when and on what it ran.

Rule: nothing between two markers is typed by hand. The run that found the figures writes them, and the sentence above
them, so that a page never tells more than a run has shown.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import platform
import re
import subprocess
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
WIDTH: Final = 120


@dataclass(frozen=True, slots=True)
class Sources:
    """The files that decide what a run finds. `paths`: files and folders, from the top of the checkout."""

    paths: tuple[str, ...]
    root: Path = ROOT

    def digest(self) -> str:
        """Return a digest of the content of these files and of the version of Python, in 16 hexadecimal digits.

        Files that are not committed count, those that git ignores do not.

        Raises:
            subprocess.CalledProcessError: the checkout is no git repository.
        """
        found = hashlib.sha256(platform.python_version().encode())
        names = self._git("ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
        for name in sorted(name for name in names if name and (self.root / name).is_file()):
            content = hashlib.sha256((self.root / name).read_bytes()).hexdigest()
            found.update(f"\0{name}\0{content}".encode())
        return found.hexdigest()[:16]

    def state(self) -> str:
        """Return the commit, and say whether these files are as it has them.

        Raises:
            subprocess.CalledProcessError: the checkout is no git repository.
        """
        commit = self._git("rev-parse", "--short=10", "HEAD", paths=False).strip()
        changed = self._git("status", "--porcelain").strip()
        return f"commit {commit}, with {'changes that are not committed' if changed else 'a clean tree'}"

    def _git(self, *words: str, paths: bool = True) -> str:
        command = ["git", *words, *(["--", *self.paths] if paths else [])]
        return subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=True).stdout


def heading(what: str, *, command: str, sources: Sources, days: Sequence[datetime.date]) -> str:
    """Return the sentences that stand above figures: when and on what they were found, what ran, and how to repeat it.

    Args:
        what: what ran, without a full stop.
        command: as it is typed at the top of the checkout.
        sources: the files that decided what was found.
        days: in UTC, of every part of the run, in any order; one at least.
    """
    first, last = (f"{day.day} {day:%B %Y}" for day in (min(days), max(days)))
    when = f"On {first}" if first == last else f"From {first} to {last}"
    where = f"Python {platform.python_version()}, {os.cpu_count()} processors"
    told = textwrap.fill(f"{when}, on {sources.state()}, {where}: {what}.", WIDTH, break_on_hyphens=False)
    return f"{told}\nCommand: `{command}`."  # on a line of its own, so that it is copied whole


def section(page: str, name: str) -> str:
    """Return what stands between the markers of a section of a page.

    Raises:
        ValueError: the page does not have both markers, in this order, exactly once.
    """
    return _markers(page, name)[2].strip()


def put(document: Path, name: str, text: str) -> None:
    """Replace what stands between the markers of a section of a document.

    Raises:
        ValueError: the document does not have both markers, in this order, exactly once. Nothing is written then.
    """
    page = document.read_text(encoding="utf-8")
    found = _markers(page, name)
    fresh = f"{page[: found.start(2)]}\n\n{text.strip()}\n\n{page[found.end(2) :]}"
    partial = document.with_name(f"{document.name}.new")
    partial.write_text(fresh, encoding="utf-8")
    partial.replace(document)  # an interrupted run leaves the page whole


def _markers(page: str, name: str) -> re.Match[str]:
    pattern = rf"(<!-- {re.escape(name)}: written by [^>]*-->)(.*?)(<!-- end of {re.escape(name)} -->)"
    found = list(re.finditer(pattern, page, re.DOTALL))
    if len(found) != 1:
        raise ValueError(f"section {name} has {len(found)} pairs of markers, not one")
    return found[0]
