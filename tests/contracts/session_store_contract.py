"""What every SessionStore promises."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keyturn.ports.store import RevisionConflict
from tests.contracts.all_stores import AllStores
from tests.contracts.samples import NOW, record, session

FULL = session(
    state="claimed",
    return_url="https://app.example.com/back?x=1",
    app_name="App „X“",
    owner_label="Ada",
    reconnects="cxn_1",
    browser_digest="b",
    code_digest="c",
    connection="cxn_2",
    created_by="key_1",
    facts={"tries": 2, "more": [{"a": None}]},
)


class SessionStoreContract:
    """Subclass, give a `stores` fixture, write nothing else."""

    async def test_what_was_added_is_found(self, stores: AllStores) -> None:
        """By id within its project, and by its link."""
        await stores.sessions.add(FULL, records=[record("session.created")])
        logged, _ = await stores.audit.list()

        assert FULL == await stores.sessions.load("ses_1")
        assert FULL == await stores.sessions.find_link("link of ses_1")
        assert await stores.sessions.load("ses_1", project="other") is None
        assert await stores.sessions.load("ses_2") is None
        assert await stores.sessions.find_link("link") is None
        assert ["session.created"] == [each.action for _, each in logged]

    async def test_a_save_writes_every_attribute(self, stores: AllStores) -> None:
        """A save returns what is stored then, with the next revision."""
        await stores.sessions.add(session())
        saved = await stores.sessions.save(FULL, records=[record("session.claimed")])
        logged, _ = await stores.audit.list()

        assert replace(FULL, revision=1) == saved
        assert saved == await stores.sessions.load("ses_1")
        assert ["session.claimed"] == [each.action for _, each in logged]

    async def test_a_link_is_claimed_once(self, stores: AllStores) -> None:
        """Of two that write over the same revision the second loses and changes nothing."""
        await stores.sessions.add(session())
        won = await stores.sessions.save(session(state="claimed", browser_digest="first"))

        with pytest.raises(RevisionConflict):
            await stores.sessions.save(session(state="claimed", browser_digest="second"), records=[record()])
        with pytest.raises(RevisionConflict):
            await stores.sessions.save(session("ses_2"))

        assert won == await stores.sessions.load("ses_1")
        assert ((), None) == await stores.audit.list()

    async def test_an_open_reconnect_link_is_used_again(self, stores: AllStores) -> None:
        """The newest that is unclaimed and not expired, of this connection."""
        for each in (
            session("ses_1", reconnects="cxn_1", created_at=NOW - 5),
            session("ses_2", reconnects="cxn_1", created_at=NOW - 3),
            session("ses_3", reconnects="cxn_1", state="claimed"),
            session("ses_4", reconnects="cxn_2"),
            session("ses_5", reconnects="cxn_1", expires_at=NOW + 10),
            session("ses_6"),
        ):
            await stores.sessions.add(each)
        found = await stores.sessions.find_open_reconnect("cxn_1", now=NOW + 10)
        earlier = await stores.sessions.find_open_reconnect("cxn_1", now=NOW + 9.5)

        assert found is not None
        assert earlier is not None
        assert ["ses_2", "ses_5"] == [found.id, earlier.id]
        assert await stores.sessions.find_open_reconnect("cxn_1", now=NOW + 1800) is None

    @pytest.mark.parametrize("state", ["open", "claimed", "done", "failed", "confirmed"])
    async def test_old_ones_are_purged(self, stores: AllStores, state: str) -> None:
        """By their end, whatever became of them."""
        await stores.sessions.add(session("ses_1", state=state, expires_at=NOW - 0.5))
        await stores.sessions.add(session("ses_2", state=state, expires_at=NOW))
        purged = await stores.sessions.purge(expired_before=NOW)

        assert 1 == purged
        assert await stores.sessions.load("ses_1") is None
        assert await stores.sessions.load("ses_2") is not None
