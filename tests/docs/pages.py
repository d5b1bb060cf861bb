"""The documents as the tests read them: pages, their blocks, headings, links and code spans."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# Made from the code by others' generators, which hold them equal themselves; their links are checked like all others.
GENERATED_ELSEWHERE = {"docs/reference/cli.md", "docs/reference/rest.md", "docs/reference/problems.md"}

_FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
_STEP = re.compile(r"^<!-- step: (?P<step>[a-z ]+) -->$", re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. `info`: what stands after the fence; `step`: of the comment between it and the block before."""

    page: str
    line: int
    info: str
    text: str
    step: str | None

    @property
    def name(self) -> str:
        """For messages and test ids."""
        return f"{self.page}:{self.line}"


@dataclass(frozen=True, slots=True)
class Page:
    """One Markdown file. `name`: from the top of the checkout."""

    name: str
    text: str

    @property
    def path(self) -> Path:
        """Where it lies."""
        return ROOT / self.name

    @property
    def prose(self) -> str:
        """The text without fenced blocks; line numbers stay."""
        return _FENCE.sub(lambda found: "\n" * found.group().count("\n"), self.text)

    def blocks(self) -> list[Block]:
        """The fenced blocks, in order."""
        found, end = [], 0
        for fence in _FENCE.finditer(self.text):
            steps = _STEP.findall(self.text, end, fence.start())
            assert len(steps) <= 1, f"{self.name}: two steps before one block"
            line = self.text.count("\n", 0, fence.start()) + 1
            info = fence["info"].strip()
            found.append(Block(self.name, line, info, fence["text"], steps[0] if steps else None))
            end = fence.end()
        return found

    def links(self) -> list[str]:
        """The targets of links and pictures."""
        return _LINK.findall(_CODE.sub("", self.prose))

    def code_spans(self) -> Iterator[tuple[int, str]]:
        """Each text between backticks, with its line."""
        for found in _CODE.finditer(self.prose):
            yield self.prose.count("\n", 0, found.start()) + 1, found[1]

    def anchors(self) -> set[str]:
        """What a link may name after #: headings, as the forges write them."""
        plain = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in _HEADING.findall(self.prose))
        return {heading.strip().replace(" ", "-") for heading in plain}


@cache
def pages() -> tuple[Page, ...]:
    """Every page, those that are made from code among them."""
    paths = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return tuple(Page(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")) for path in paths)


def written_pages() -> list[Page]:
    """The pages for users that somebody writes, or that are made here."""
    return [page for page in pages() if page.name not in {*GENERATED_ELSEWHERE, "CONTRIBUTING.md"}]


def page(name: str) -> Page:
    """One page."""
    return next(each for each in pages() if each.name == name)


def blocks(*infos: str) -> list[Block]:
    """Every block of these kinds."""
    return [block for each in written_pages() for block in each.blocks() if block.info in infos]
