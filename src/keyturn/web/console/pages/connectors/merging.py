"""Two authors, one draft: what each has, side by side, and nothing overwritten.

Rule 1: a step's form carries the text that it was loaded from, so that what its author changed is known, whichever
process answers; a text that is too large for that is put together by hand.
Rule 2: what both have changed is asked, each with both values; what only one has changed is never asked.
"""

from __future__ import annotations

import asyncio
import base64
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import Response

from keyturn.core.building.changes import Change, changes
from keyturn.core.errors import ConnectorInvalid, Finding
from keyturn.engine.builder.put_together import Choices, Conflict, Side
from keyturn.engine.builder.review import text_changes
from keyturn.ports.catalogue import ABSENT
from keyturn.ports.store import Draft
from keyturn.web.console.pages.connectors.forms.inputs import as_text, as_yaml
from keyturn.web.console.pages.connectors.forms.wording import Words
from keyturn.web.console.rendering import Console
from keyturn.web.console.visit import Visit

MOST_PACKED: Final = 96 * 1024  # characters of a form that may have 256 KiB
_MOST_TEXT: Final = 512 * 1024  # characters of a file; the reader takes fewer
_CHOICE: Final = "choice."
_SIDES: Final[Mapping[str, Side]] = {"mine": "mine", "theirs": "theirs"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A value that both have changed, in the words of the forms. `chosen`: what was chosen of it, if anything."""

    name: str
    label: str
    base: str
    mine: str
    theirs: str
    chosen: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A save that somebody else's came before. `base`: what its author began from; `mine`: as they would have it."""

    base: str
    mine: str


def pack(text: str) -> str:
    """A text as it goes along in a form; empty where it would be too large."""
    packed = base64.urlsafe_b64encode(zlib.compress(text.encode(), 9)).decode()
    return packed if len(packed) <= MOST_PACKED else ""


def unpack(packed: str) -> str | None:
    """The text again; None where there is none, or none that can be read."""
    try:
        opened = zlib.decompressobj()
        text = opened.decompress(base64.urlsafe_b64decode(packed.encode("ascii")), _MOST_TEXT)
        return text.decode() if packed and opened.eof else None
    except (ValueError, zlib.error):
        return None


async def show_merge(
    console: Console, visit: Visit, theirs: Draft, mine: str, errors: Sequence[Finding] = ()
) -> Response:
    """Show what was saved meanwhile and what was about to be; the author saves again once it is one text."""
    return console.page(
        visit,
        "connectors/merge.html",
        status=409,
        draft=theirs,
        connector=theirs.connector,
        mine=mine,
        lines=await asyncio.to_thread(text_changes, theirs.source, mine),
        errors=errors,
    )


async def show_choices(
    console: Console, visit: Visit, step: int, theirs: Draft, attempt: Attempt, conflicts: Sequence[Conflict],
    chosen: Choices, *, asked: bool,
) -> Response:  # fmt: skip
    """Ask of each value that both have changed whose it is to be; `asked`: it was asked before, and not all chosen."""
    base, mine = pack(attempt.base), pack(attempt.mine)
    if not base or not mine:
        return await show_merge(console, visit, theirs, attempt.mine)
    document = await asyncio.to_thread(console.application.builder.drafts.catalogue.read, theirs.source)
    words = Words(theirs.connector.id, step, document.value)
    rows = [_asked(each, words, chosen) for each in conflicts]
    errors = [
        Finding(each.name, "required", f"Choose for “{each.label}”.") for each in rows if asked and not each.chosen
    ]
    return console.page(
        visit,
        "connectors/together.html",
        status=422 if errors else 409,
        draft=theirs,
        connector=theirs.connector,
        number=step,
        rows=rows,
        errors=errors,
        anchors={each.name: f"{each.name}.mine" for each in rows},
        base=base,
        packed=mine,
        changed=await changed_meanwhile(console, attempt.base, theirs),
        going={name: visit.form.text(name) for name in ("do", "then", "at")},
        mine=attempt.mine,
        lines=await asyncio.to_thread(text_changes, theirs.source, attempt.mine),
    )


async def changed_meanwhile(console: Console, base: str, theirs: Draft) -> tuple[Change, ...] | None:
    """What somebody else has changed, in sentences; None where that can't be told."""
    try:
        return changes(await console.application.edit_connector.read(base), theirs.connector)
    except ConnectorInvalid:
        return None


def choices_in(form: Mapping[str, str]) -> dict[str, Side]:
    """What was chosen, by the pointer of each conflict."""
    return {
        name.removeprefix(_CHOICE): _SIDES[text]
        for name, text in form.items()
        if name.startswith(_CHOICE) and text in _SIDES
    }


def _asked(one: Conflict, words: Words, chosen: Choices) -> Asked:
    return Asked(
        f"{_CHOICE}{one.pointer}", words.named(one.pointer), _shown(one.base), _shown(one.mine), _shown(one.theirs),
        chosen.get(one.pointer, ""),
    )  # fmt: skip


def _shown(value: Any) -> str:
    if value is ABSENT:
        return ""
    return as_yaml(value) if isinstance(value, Mapping | list) else as_text(value)
