"""Those who sign in to the console: people, their one-time sign-in links, and their sessions.

Rule 1: of links and cookies only digests are stored; nobody gets in with what a database holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from keyturn.core.access.roles import Role
from keyturn.core.audit_record import AuditRecord


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may sign in. `subject`: issuer and subject of an OpenID provider, with a blank between them.

    `email`: lower case; an invitation to come through the OpenID provider, gone once it was taken up. Times are Unix
    seconds.
    """

    id: str
    name: str
    role: Role
    created_at: float
    subject: str | None = None
    removed_at: float | None = None
    signed_in_at: float | None = None
    revision: int = 0
    project: str = "default"
    email: str | None = None


@dataclass(frozen=True, slots=True)
class SignInLink:
    """A link that lets one browser in, once. `digest`: SHA-256 of its secret, hex."""

    digest: str
    person: str
    expires_at: float
    created_by: str
    project: str = "default"


@dataclass(frozen=True, slots=True)
class ConsoleSession:
    """A signed-in browser. `digest`: SHA-256 of its cookie, hex; `seen_at` moves at most once a minute.

    `authenticated_at`: when the person last proved who they are; None where nobody knows. `before`: the digest of this
    person's session that this one took the place of, so that forms which were open then can still be sent.
    """

    id: str
    digest: str
    person: str
    created_at: float
    seen_at: float
    expires_at: float
    agent: str = ""  # what the browser calls itself, shortened, for the list of sessions
    project: str = "default"
    authenticated_at: float | None = None
    before: str | None = None


class PeopleStore(Protocol):
    """People, links and sessions."""

    async def add(self, person: Person, *, records: Sequence[AuditRecord] = ()) -> None:
        """Add one, or raise RevisionConflict where another has the subject."""
        ...

    async def load(self, person_id: str, *, project: str = "default") -> Person | None:
        """Read one, removed ones too."""
        ...

    async def find_subject(self, subject: str, *, project: str = "default") -> Person | None:
        """The person, not removed, whom an OpenID provider knows by this subject."""
        ...

    async def find_invited(self, email: str, *, project: str = "default") -> Person | None:
        """The one person, neither removed nor linked, who is invited by this e-mail; None where several are."""
        ...

    async def list(self, *, project: str = "default") -> Sequence[Person]:
        """All that are not removed, by name."""
        ...

    async def save(self, person: Person, *, end_sessions: bool = False, records: Sequence[AuditRecord] = ()) -> Person:
        """Write over the row that has `person.revision`; RevisionConflict, also where another has the subject.

        `end_sessions`: sessions and open links of this person go with the same commit.
        """
        ...

    async def add_link(self, link: SignInLink, *, records: Sequence[AuditRecord] = ()) -> None:
        """Add one; links of this person that are still open stay good."""
        ...

    async def find_link(self, digest: str) -> SignInLink | None:
        """Read one that was not used."""
        ...

    async def begin_session(
        self,
        session: ConsoleSession,
        *,
        link_digest: str | None,
        ends: str | None = None,
        records: Sequence[AuditRecord] = (),
    ) -> bool:
        """Add a session; with `link_digest` only if that link is still there, which is then gone. Says whether.

        `ends`: the session with this digest, whoever's it is, goes with the same commit.
        """
        ...

    async def find_session(self, digest: str) -> tuple[ConsoleSession, Person] | None:
        """The session with this cookie and its person; None where either has ended."""
        ...

    async def form_mark(self, person_id: str, *, project: str = "default") -> str:
        """What the person's forms carry to tell whose they are: a keyed hash, 64 hexadecimal digits."""
        ...

    async def sessions_of(self, person_id: str, *, project: str = "default") -> Sequence[ConsoleSession]:
        """The person's sessions, newest first."""
        ...

    async def touch_session(self, session_id: str, *, seen_at: float) -> None:
        """Note that it was used."""
        ...

    async def end_session(self, session_id: str, *, records: Sequence[AuditRecord] = ()) -> bool:
        """End one; False where there is none."""
        ...

    async def purge(self, *, now: float) -> int:
        """Take links and sessions away that have expired; returns how many."""
        ...
