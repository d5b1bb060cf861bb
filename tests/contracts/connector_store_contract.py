"""What every ConnectorStore promises."""

from __future__ import annotations

import asyncio

import pytest

from keyturn.core.errors import NotFound, VersionConflict
from keyturn.core.secret import Secret
from keyturn.ports.store import ClientCredentials, ConnectorSummary, Draft, PublishedVersion
from tests.contracts.all_stores import AllStores
from tests.contracts.samples import NOW, connector, record

SOURCE = "id: acme  # the author's text, byte for byte\n\ttitle: „Acme“\r\n"
CLIENT = ClientCredentials("client-1", Secret("s3cret ü"))


class ConnectorStoreContract:
    """Subclass, give a `stores` fixture, write nothing else."""

    async def test_a_draft_is_kept(self, stores: AllStores) -> None:
        """Connector and source come back; the first write is told that it made the connector."""
        first = await stores.connectors.put_draft(connector(), SOURCE, at=NOW, records=[record("connector.saved")])
        second = await stores.connectors.put_draft(connector(title="B"), SOURCE + "#", at=NOW + 1)
        logged, _ = await stores.audit.list()

        assert (Draft(connector(), SOURCE, NOW, 1), True) == first
        assert (Draft(connector(title="B"), SOURCE + "#", NOW + 1, 2), False) == second
        assert second[0] == await stores.connectors.draft("acme")
        assert await stores.connectors.draft("other") is None
        assert await stores.connectors.draft("acme", project="other") is None
        assert ["connector.saved"] == [each.action for _, each in logged]

    async def test_an_outdated_draft_is_refused(self, stores: AllStores) -> None:
        """Who names a revision must name the current one; where there is no draft it is 0."""
        with pytest.raises(VersionConflict):
            await stores.connectors.put_draft(connector(), SOURCE, at=NOW, expected_revision=1)
        absent = await stores.connectors.draft("acme")
        await stores.connectors.put_draft(connector(), SOURCE, at=NOW, expected_revision=0)
        await stores.connectors.put_draft(connector(title="B"), SOURCE, at=NOW, expected_revision=1)
        with pytest.raises(VersionConflict):
            await stores.connectors.put_draft(connector(title="C"), SOURCE, at=NOW, expected_revision=1)
        with pytest.raises(VersionConflict):
            await stores.connectors.put_draft(connector(title="C"), SOURCE, at=NOW, expected_revision=0)

        assert absent is None
        assert Draft(connector(title="B"), SOURCE, NOW, 2) == await stores.connectors.draft("acme")

    async def test_versions_are_numbered_and_stay(self, stores: AllStores) -> None:
        """Each publication adds one; older ones stay as they were, and so does the draft."""
        draft, _ = await stores.connectors.put_draft(connector(), SOURCE, at=NOW)
        first = await stores.connectors.publish(connector(title="1"), SOURCE, "d1", at=NOW + 1)
        second = await stores.connectors.publish(
            connector(title="2"), SOURCE, "d2", at=NOW + 2, by="person:1", note="ü"
        )
        third = await stores.connectors.publish(connector(title="1"), SOURCE, "d1", at=NOW + 3)

        assert PublishedVersion(connector(title="1"), 1, "d1", SOURCE, NOW + 1) == first
        assert [1, 2, 3] == [first.version, second.version, third.version]
        assert [("", ""), ("person:1", "ü")] == [(each.published_by, each.note) for each in (first, second)]
        assert [first, second, third] == [await stores.connectors.version("acme", n) for n in (1, 2, 3)]
        assert third == await stores.connectors.version("acme")
        assert draft == await stores.connectors.draft("acme")

    async def test_the_same_again_adds_nothing(self, stores: AllStores) -> None:
        """Publishing what the newest version says gives that version back."""
        first = await stores.connectors.publish(connector(), SOURCE, "d1", at=NOW)
        again = await stores.connectors.publish(connector(), SOURCE, "d1", at=NOW + 9, records=[record()])

        assert first == again
        assert await stores.connectors.version("acme", 2) is None
        assert ((), None) == await stores.audit.list()

    async def test_a_version_is_corrected_in_place(self, stores: AllStores) -> None:
        """Text, meaning and digest change, number, day, who and note don't; neighbours stay; the record goes along."""
        first = await stores.connectors.publish(connector(title="1"), SOURCE, "d1", at=NOW + 1, by="key:1", note="n")
        second = await stores.connectors.publish(connector(title="2"), SOURCE, "d2", at=NOW + 2)
        corrected = await stores.connectors.correct(
            first, connector(title="1b"), "new", "d1b", records=[record("connector.corrected")]
        )
        with pytest.raises(VersionConflict):
            await stores.connectors.correct(first, connector(title="1c"), "newer", "d1c", records=[record("x.y")])
        with pytest.raises(VersionConflict):
            await stores.connectors.correct(corrected, connector(), SOURCE, "d", project="other")
        logged, _ = await stores.audit.list()

        assert PublishedVersion(connector(title="1b"), 1, "d1b", "new", NOW + 1, "key:1", "n") == corrected
        assert [corrected, second] == [await stores.connectors.version("acme", n) for n in (1, 2)]
        assert ["connector.corrected"] == [each.action for _, each in logged]

    async def test_many_publications_at_once(self, stores: AllStores) -> None:
        """No number is given twice."""
        tries = [stores.connectors.publish(connector(), SOURCE, f"d{n}", at=NOW) for n in range(5)]

        assert [1, 2, 3, 4, 5] == sorted(each.version for each in await asyncio.gather(*tries))

    @pytest.mark.parametrize("number", [0, -1, 2, None])
    async def test_versions_that_do_not_exist(self, stores: AllStores, number: int | None) -> None:
        """There is no version but those published, in this project."""
        await stores.connectors.put_draft(connector("draft"), SOURCE, at=NOW)
        await stores.connectors.publish(connector(), SOURCE, "d1", at=NOW)

        assert await stores.connectors.version("draft", number) is None
        assert await stores.connectors.version("acme", number, project="other") is None
        assert (number is None) == (await stores.connectors.version("acme", number) is not None)

    async def test_the_list(self, stores: AllStores) -> None:
        """All connectors of the project, by id, with the draft's title where there is one."""
        await stores.connectors.put_draft(connector("b", "B"), SOURCE, at=NOW + 1)
        await stores.connectors.publish(connector("a", "A1"), SOURCE, "d1", at=NOW)
        await stores.connectors.publish(connector("a", "A2"), SOURCE, "d2", at=NOW + 2)
        await stores.connectors.publish(connector("b", "B1"), SOURCE, "d1", at=NOW + 3)
        await stores.connectors.put_draft(connector("c"), SOURCE, at=NOW, project="other")
        await stores.connectors.set_client("a", CLIENT, at=NOW + 4)

        assert (
            ConnectorSummary("a", "A2", 2, False, True, NOW + 4),
            ConnectorSummary("b", "B", 1, True, False, NOW + 3),
        ) == await stores.connectors.list()

    @pytest.mark.parametrize("credentials", [CLIENT, ClientCredentials("client-2", None)])
    async def test_a_client_is_kept(self, stores: AllStores, credentials: ClientCredentials) -> None:
        """Client id and secret come back, the secret may be absent; a later one replaces it."""
        await stores.connectors.put_draft(connector(), SOURCE, at=NOW)
        before = await stores.connectors.client("acme")
        await stores.connectors.set_client("acme", ClientCredentials("old", Secret("old")), at=NOW)
        await stores.connectors.set_client("acme", credentials, at=NOW, records=[record("connector.client_set")])
        logged, _ = await stores.audit.list()

        assert before is None
        assert credentials == await stores.connectors.client("acme")
        assert await stores.connectors.client("acme", project="other") is None
        assert ["connector.client_set"] == [each.action for _, each in logged]

    async def test_a_client_needs_a_connector(self, stores: AllStores) -> None:
        """A client of nothing is refused."""
        with pytest.raises(NotFound):
            await stores.connectors.set_client("acme", CLIENT, at=NOW, records=[record()])

        assert () == await stores.connectors.list()
        assert ((), None) == await stores.audit.list()
