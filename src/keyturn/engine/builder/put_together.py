"""Two authors' changes of one file put together, value by value.

Rule 1: what only one of them changed is taken; what both changed alike is changed once; what both changed otherwise is
a conflict, which only an author can decide.
Rule 2: members of a list are told apart by what names them, such as a field's key, never by their place. Where nothing
does, and where both changed an order that matters, the list is one value.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from keyturn.core.reading.document import child_pointer, pointer_steps
from keyturn.ports.catalogue import ABSENT

Side = Literal["mine", "theirs"]
Choices = Mapping[str, Side]  # of a conflict's pointer

# What tells the members of a list apart, by the list's key; a member that is a text is named by itself.
_NAMED_BY: Final[Mapping[str, str]] = {
    "fields": "key", "ask": "key", "allowed_urls": "url", "before": "name", "challenges": "when", "revoke": "url",
}  # fmt: skip
_ANY_ORDER: Final = frozenset({"fields", "allowed_urls"})


@dataclass(frozen=True, slots=True)
class Conflict:
    """A value that both have changed; each may be ABSENT. `pointer`: its place, a named member by its name."""

    pointer: str
    base: Any
    mine: Any
    theirs: Any


@dataclass(frozen=True, slots=True)
class PutTogether:
    """`value`: the file with both changes; where it is not decided, as they have it."""

    value: Any
    conflicts: tuple[Conflict, ...]


def put_together(base: Any, mine: Any, theirs: Any, chosen: Choices) -> PutTogether:
    """Put two changes of one file together.

    Args:
        base: the file that both began from, as plain data.
        mine: as one of them would have it.
        theirs: as the other has saved it.
        chosen: what has been decided of conflicts.
    """
    merging = _Merging(chosen)
    value = merging.of("", base, mine, theirs)
    return PutTogether(value, tuple(merging.conflicts))


def edits_between(old: Any, new: Any, pointer: str = "") -> Iterator[tuple[str, Any]]:
    """The edits that make one file the other: pointer and value, ABSENT where it is taken out."""
    if _same(old, new):
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys((*old, *new)):
            yield from edits_between(old.get(key, ABSENT), new.get(key, ABSENT), child_pointer(pointer, key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for n, (was, now) in enumerate(zip(old, new, strict=True)):
            yield from edits_between(was, now, child_pointer(pointer, n))
    else:
        yield pointer, new


@dataclass(slots=True)
class _Merging:
    chosen: Choices
    conflicts: list[Conflict] = field(default_factory=list)

    def of(self, pointer: str, base: Any, mine: Any, theirs: Any) -> Any:
        if _same(mine, base) or _same(mine, theirs):
            return theirs
        if _same(theirs, base):
            return mine
        if isinstance(mine, Mapping) and isinstance(theirs, Mapping) and (base is ABSENT or isinstance(base, Mapping)):
            return self._members(pointer, {} if base is ABSENT else base, mine, theirs)
        if isinstance(mine, list) and isinstance(theirs, list) and (base is ABSENT or isinstance(base, list)):
            found = self._list(pointer, [] if base is ABSENT else base, mine, theirs)
            if found is not None:
                return found
        side = self.chosen.get(pointer)
        if side is None:
            self.conflicts.append(Conflict(pointer, base, mine, theirs))
        return mine if side == "mine" else theirs

    def _members(
        self, pointer: str, base: Mapping[str, Any], mine: Mapping[str, Any], theirs: Mapping[str, Any]
    ) -> dict[str, Any]:
        found = {
            key: self.of(child_pointer(pointer, key), *(each.get(key, ABSENT) for each in (base, mine, theirs)))
            for key in dict.fromkeys((*theirs, *mine))
        }
        return {key: value for key, value in found.items() if value is not ABSENT}

    def _list(self, pointer: str, base: list[Any], mine: list[Any], theirs: list[Any]) -> list[Any] | None:
        """The list with both changes; None where it has to be taken as one value."""
        kind = pointer_steps(pointer)[-1]
        was, own, other = (_by_name(kind, each) for each in (base, mine, theirs))
        if was is None or own is None or other is None:
            return None
        order = _order(list(was), list(own), list(other), free=kind in _ANY_ORDER)
        if order is None:
            return None
        found = []
        for name in dict.fromkeys((*order, *other, *own)):
            member = self.of(_member(pointer, kind, name, list(other), list(own)), *(
                each.get(name, ABSENT) for each in (was, own, other)
            ))  # fmt: skip
            found += [] if member is ABSENT else [member]
        return found


def _by_name(kind: str, members: list[Any]) -> dict[str, Any] | None:
    """Members by what tells them apart; None where that is not so."""
    part = _NAMED_BY.get(kind)
    if part is None:
        return None
    found = {}
    for each in members:
        name = each.get(part) if isinstance(each, Mapping) else each if part == "url" else None
        if name is None:
            return None
        found[name if isinstance(name, str) else json.dumps(name, sort_keys=True)] = each
    return found if len(found) == len(members) else None


def _order(was: list[str], own: list[str], other: list[str], *, free: bool) -> list[str] | None:
    """The names in the order of whoever changed it; None where both did and it matters."""
    if other == was:
        return own
    if own in (was, other) or free:
        return other
    return None


def _member(pointer: str, kind: str, name: str, other: list[str], own: list[str]) -> str:
    """The place of a member: by its key where the file's words have one, else by its number."""
    if _NAMED_BY[kind] == "key":
        return child_pointer(pointer, name)
    return child_pointer(pointer, other.index(name) if name in other else len(other) + own.index(name))


def _same(one: Any, other: Any) -> bool:
    """Whether two values are equal, kinds included: 1 is neither true nor 1.0."""
    if one is ABSENT or other is ABSENT:
        return one is other
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
