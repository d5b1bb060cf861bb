"""What every PersonLinkStore promises."""

from __future__ import annotations

from dataclasses import replace

from keyturn.ports.access.person_links import PersonLink
from tests.contracts.all_stores import AllStores
from tests.contracts.samples import NOW, record

LINK = PersonLink("pl_1", "digest", "account", "cxn_1", NOW, NOW + 100, "key:k1")


class PersonLinkStoreContract:
    """Subclass, give a `stores` fixture, write nothing else."""

    async def test_a_link_is_found_by_its_digest(self, stores: AllStores) -> None:
        """Every attribute comes back, and the record is written with it."""
        added = await stores.person_links.add(LINK, records=[record("connection.person_link_made")])
        logged, _ = await stores.audit.list()

        assert added
        assert LINK == await stores.person_links.find("digest")
        assert await stores.person_links.find("another") is None
        assert ["connection.person_link_made"] == [each.action for _, each in logged]

    async def test_a_digest_stands_once(self, stores: AllStores) -> None:
        """A second of the same digest is not added, and nothing is recorded."""
        await stores.person_links.add(LINK)
        again = await stores.person_links.add(replace(LINK, id="pl_2"), records=[record("connection.person_link_made")])
        logged, _ = await stores.audit.list()

        assert (False, 0) == (again, len(logged))
        assert LINK == await stores.person_links.find("digest")

    async def test_the_links_of_a_connection_go_together(self, stores: AllStores) -> None:
        """Those of others, and of other projects, stay."""
        await stores.person_links.add(LINK)
        await stores.person_links.add(replace(LINK, id="pl_2", digest="second"))
        await stores.person_links.add(replace(LINK, id="pl_3", digest="third", connection="cxn_2"))
        elsewhere = await stores.person_links.remove_of("cxn_1", project="other")
        removed = await stores.person_links.remove_of("cxn_1", records=[record("connection.person_links_taken_back")])
        logged, _ = await stores.audit.list()

        assert (0, 2) == (elsewhere, removed)
        assert [None, None] == [await stores.person_links.find(each) for each in ("digest", "second")]
        assert await stores.person_links.find("third") is not None
        assert ["connection.person_links_taken_back"] == [each.action for _, each in logged]

    async def test_what_expired_is_purged(self, stores: AllStores) -> None:
        """Links whose time has come; the others stay."""
        await stores.person_links.add(LINK)
        await stores.person_links.add(replace(LINK, id="pl_2", digest="longer", expires_at=NOW + 500))

        assert 0 == await stores.person_links.purge(expired_before=NOW + 100)
        assert 1 == await stores.person_links.purge(expired_before=NOW + 101)
        assert await stores.person_links.find("longer") is not None
