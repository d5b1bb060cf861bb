"""Something to call: each person's notes."""

from __future__ import annotations

from dataclasses import dataclass, field

NOTES_KEPT = 100  # for each person; the oldest goes first
LONGEST_NOTE = 1_000


@dataclass(frozen=True, slots=True)
class Note:
    """One note; ids rise from 1 over all people."""

    id: int
    text: str


@dataclass(slots=True)
class Notes:
    """Notes by username."""

    _by_owner: dict[str, list[Note]] = field(default_factory=dict)
    _last: int = 0

    def add(self, owner: str, text: str) -> Note:
        """Keep a new note."""
        self._last += 1
        note = Note(self._last, text)
        self._by_owner[owner] = [*self.of(owner), note][-NOTES_KEPT:]
        return note

    def of(self, owner: str) -> list[Note]:
        """List a person's notes, oldest first."""
        return self._by_owner.get(owner, [])

    def find(self, owner: str, number: int) -> Note | None:
        """Find one note among a person's own."""
        return next((note for note in self.of(owner) if note.id == number), None)
