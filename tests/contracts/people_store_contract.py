"""What every PeopleStore promises."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keyturn.core.access.roles import Role
from keyturn.ports.people import ConsoleSession, Person, SignInLink
from keyturn.ports.store import RevisionConflict
from tests.contracts.all_stores import AllStores
from tests.contracts.samples import NOW, record

ADA = Person("per_1", "Ada", Role.OPERATOR, NOW, subject="https://id.example 17")
BOB = Person("per_2", "Bob", Role.VIEWER, NOW + 1)
LINK = SignInLink("digest of a link", "per_1", NOW + 900, "operator")
SESSION = ConsoleSession("ses_1", "digest of a cookie", "per_1", NOW + 2, NOW + 2, NOW + 3600, "Firefox")


class PeopleStoreContract:
    """Subclass, give a `stores` fixture, write nothing else."""

    async def test_a_form_mark_is_of_one_person(self, stores: AllStores) -> None:
        """The same each time, another for each person and project, and nothing that says who it is."""
        of = stores.people.form_mark
        mark = await of("per_1")
        others = {await of("per_2"), await of("per_1", project="other"), mark}

        assert mark == await of("per_1")
        assert 3 == len(others)
        assert {64} == {len(bytes.fromhex(each)) * 2 for each in others}

    async def test_people_are_found(self, stores: AllStores) -> None:
        """By id within their project, by subject, and in a list by name."""
        await stores.people.add(BOB)
        await stores.people.add(ADA, records=[record("person.created")])
        logged, _ = await stores.audit.list()

        assert ADA == await stores.people.load("per_1")
        assert await stores.people.load("per_1", project="other") is None
        assert ADA == await stores.people.find_subject("https://id.example 17")
        assert (ADA, BOB) == tuple(await stores.people.list())
        assert ["person.created"] == [each.action for _, each in logged]

    async def test_who_is_invited_is_found_by_e_mail(self, stores: AllStores) -> None:
        """As long as one person is: neither somebody who is linked or removed, nor one of two."""
        await stores.people.add(replace(BOB, email="bob@example.com"))
        await stores.people.add(replace(ADA, email="ada@example.com"))
        found = await stores.people.find_invited("bob@example.com")
        linked = await stores.people.find_invited("ada@example.com")
        elsewhere = await stores.people.find_invited("bob@example.com", project="other")
        await stores.people.add(replace(BOB, id="per_3", email="bob@example.com"))

        assert replace(BOB, email="bob@example.com") == found
        assert linked is elsewhere is None
        assert await stores.people.find_invited("bob@example.com") is None

    async def test_a_subject_is_one_persons(self, stores: AllStores) -> None:
        """Of two who come with it at once, the slower one is told."""
        await stores.people.add(ADA)
        await stores.people.add(BOB)

        with pytest.raises(RevisionConflict):
            await stores.people.add(replace(ADA, id="per_3"))
        with pytest.raises(RevisionConflict):
            await stores.people.save(replace(BOB, subject=ADA.subject))

    async def test_a_save_is_compared_and_set(self, stores: AllStores) -> None:
        """Of two writes over one revision the second changes nothing."""
        await stores.people.add(ADA)
        saved = await stores.people.save(replace(ADA, role=Role.ADMIN))

        with pytest.raises(RevisionConflict):
            await stores.people.save(replace(ADA, role=Role.VIEWER))
        assert replace(ADA, role=Role.ADMIN, revision=1) == saved
        assert saved == await stores.people.load("per_1")

    async def test_who_was_removed_is_nowhere_but_by_id(self, stores: AllStores) -> None:
        """Removing ends the sessions and links with the same write; the subject may come back as somebody new."""
        await stores.people.add(ADA)
        await stores.people.add_link(LINK)
        await stores.people.add_link(replace(LINK, digest="another"))
        assert await stores.people.begin_session(SESSION, link_digest=LINK.digest)
        current = await stores.people.load("per_1")
        assert current is not None
        await stores.people.save(replace(current, removed_at=NOW + 9), end_sessions=True)

        assert () == tuple(await stores.people.list())
        assert await stores.people.find_subject("https://id.example 17") is None
        assert await stores.people.find_session(SESSION.digest) is None
        assert await stores.people.find_link("another") is None
        await stores.people.add(replace(ADA, id="per_3"))
        assert await stores.people.load("per_1") is not None

    async def test_a_link_lets_in_once(self, stores: AllStores) -> None:
        """The first session takes the link with it; a second finds none and is not begun."""
        await stores.people.add(ADA)
        await stores.people.add_link(LINK, records=[record("person.link_made")])
        assert LINK == await stores.people.find_link(LINK.digest)

        assert await stores.people.begin_session(SESSION, link_digest=LINK.digest)
        second = replace(SESSION, id="ses_2", digest="other")
        assert not await stores.people.begin_session(second, link_digest=LINK.digest, records=[record("person.no")])

        found = await stores.people.find_session(SESSION.digest)
        assert (SESSION, replace(ADA, signed_in_at=SESSION.created_at)) == found
        assert await stores.people.find_session("other") is None
        logged, _ = await stores.audit.list()
        assert ["person.link_made"] == [each.action for _, each in logged]

    async def test_another_persons_link_lets_nobody_in(self, stores: AllStores) -> None:
        """A link is good for the person whom it names."""
        await stores.people.add(ADA)
        await stores.people.add(BOB)
        await stores.people.add_link(LINK)

        assert not await stores.people.begin_session(replace(SESSION, person="per_2"), link_digest=LINK.digest)
        assert LINK == await stores.people.find_link(LINK.digest)

    async def test_a_session_takes_the_place_of_another(self, stores: AllStores) -> None:
        """The one before goes with the same commit, whoever's it is; with a link that is gone nothing happens."""
        await stores.people.add(ADA)
        await stores.people.add(BOB)
        await stores.people.begin_session(replace(SESSION, person="per_2"), link_digest=None)
        second = replace(SESSION, id="ses_2", digest="other", authenticated_at=NOW + 1, before=SESSION.digest)
        refused = await stores.people.begin_session(second, link_digest="none", ends=SESSION.digest)
        still = await stores.people.find_session(SESSION.digest)
        begun = await stores.people.begin_session(second, link_digest=None, ends=SESSION.digest)
        found = await stores.people.find_session("other")

        assert (False, True) == (refused, begun)
        assert still is not None
        assert await stores.people.find_session(SESSION.digest) is None
        assert found is not None
        assert second == found[0]

    async def test_sessions_are_listed_touched_and_ended(self, stores: AllStores) -> None:
        """Newest first; a use never goes back in time; an end is recorded once."""
        await stores.people.add(ADA)
        later = replace(SESSION, id="ses_2", digest="other", created_at=NOW + 5, seen_at=NOW + 5)
        await stores.people.begin_session(SESSION, link_digest=None)
        await stores.people.begin_session(later, link_digest=None)
        await stores.people.touch_session("ses_1", seen_at=NOW + 100)
        await stores.people.touch_session("ses_1", seen_at=NOW + 50)

        assert (later, replace(SESSION, seen_at=NOW + 100)) == tuple(await stores.people.sessions_of("per_1"))
        assert await stores.people.end_session("ses_1", records=[record("person.signed_out")])
        assert not await stores.people.end_session("ses_1", records=[record("person.signed_out")])
        logged, _ = await stores.audit.list()
        assert ["person.signed_out"] == [each.action for _, each in logged]
        assert (later,) == tuple(await stores.people.sessions_of("per_1"))

    async def test_what_expired_is_purged(self, stores: AllStores) -> None:
        """Links and sessions whose time has come; the others stay."""
        await stores.people.add(ADA)
        await stores.people.add_link(LINK)
        await stores.people.add_link(replace(LINK, digest="longer", expires_at=NOW + 5000))
        await stores.people.begin_session(SESSION, link_digest=None)

        assert 0 == await stores.people.purge(now=NOW)
        assert 2 == await stores.people.purge(now=NOW + 4000)
        assert await stores.people.find_link("longer") is not None
        assert await stores.people.find_session(SESSION.digest) is None
