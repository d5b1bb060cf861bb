"""What every ConnectionStore promises."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from keyturn.core.connection import ConnectionSecrets, Intent, IntentKind, State
from keyturn.core.errors import ValidationFailed
from keyturn.core.observing.call_hour import CallHour
from keyturn.ports.store import ConnectionFilter, DuplicateAccount, RevisionConflict, SealedChange, Use
from tests.contracts.all_stores import AllStores
from tests.contracts.samples import FULL_CONNECTION, NOW, connection, record, revocation, secrets, token_set

ALL = ConnectionFilter()
NOTHING = ConnectionSecrets()


class ConnectionStoreContract:
    """Subclass, give a `stores` fixture, write nothing else."""

    async def test_what_was_inserted_is_loaded(self, stores: AllStores) -> None:
        """Every attribute comes back as it was."""
        inserted = await stores.connections.insert(FULL_CONNECTION, secrets("full"))

        assert FULL_CONNECTION == inserted
        assert FULL_CONNECTION == await stores.connections.load("cxn_full")

    async def test_what_was_sealed_is_opened(self, stores: AllStores) -> None:
        """Every secret comes back as it was, its type too."""
        await stores.connections.insert(FULL_CONNECTION, secrets("full"))
        await stores.connections.insert(connection("cxn_bare"), NOTHING)

        assert (FULL_CONNECTION, secrets("full")) == await stores.connections.open("cxn_full")
        assert (connection("cxn_bare"), NOTHING) == await stores.connections.open("cxn_bare")

    async def test_an_id_is_used_once(self, stores: AllStores) -> None:
        """A second connection of the same id is refused and changes nothing."""
        await stores.connections.insert(connection("cxn_1"), NOTHING)

        with pytest.raises(RevisionConflict):
            await stores.connections.insert(connection("cxn_1", unique_id="other", name="Eve"), NOTHING)

        assert connection("cxn_1") == await stores.connections.load("cxn_1")

    async def test_what_is_not_there(self, stores: AllStores) -> None:
        """An unknown id is None, and so is one of another project."""
        await stores.connections.insert(connection("cxn_1"), secrets())

        assert await stores.connections.load("cxn_2") is None
        assert await stores.connections.open("cxn_2") is None
        assert await stores.connections.load("cxn_1", project="other") is None
        assert await stores.connections.open("cxn_1", project="other") is None

    async def test_a_save_writes_every_attribute(self, stores: AllStores) -> None:
        """A save returns what is stored then, with the next revision."""
        await stores.connections.insert(connection("cxn_full"), NOTHING)
        saved = await stores.connections.save(FULL_CONNECTION)

        assert (
            replace(FULL_CONNECTION, revision=1, parked_at=None, parked_why=None) == saved
        )  # whoever writes has read it
        assert saved == await stores.connections.load("cxn_full")

    async def test_a_save_leaves_unchanged_parts_alone(self, stores: AllStores) -> None:
        """A new token set leaves password and fields as they were, over several generations."""
        current = await stores.connections.insert(connection(), secrets("1"))
        for generation in (2, 3):
            change = SealedChange(token_set=token_set(str(generation)))
            current = await stores.connections.save(replace(current, generation=generation), sealed=change)
        found = await stores.connections.open("cxn_1")

        assert found == (current, replace(secrets("1"), token_set=token_set("3")))

    @pytest.mark.parametrize("part", ["token_set", "username", "password", "fields"])
    async def test_a_part_is_forgotten_alone(self, stores: AllStores, part: str) -> None:
        """None forgets one part and leaves the others."""
        inserted = await stores.connections.insert(connection(), secrets())
        await stores.connections.save(inserted, sealed=SealedChange(**{part: None}))  # type: ignore[arg-type]
        found = await stores.connections.open("cxn_1")

        assert found is not None
        empty: object = {} if part == "fields" else None
        assert replace(secrets(), **{part: empty}) == found[1]  # type: ignore[arg-type]

    async def test_a_part_is_kept_again_after_it_was_forgotten(self, stores: AllStores) -> None:
        """What was forgotten can be replaced by something new."""
        current = await stores.connections.insert(connection(), secrets("1"))
        current = await stores.connections.save(current, sealed=SealedChange(None, None, None, None))
        new = secrets("2")
        change = SealedChange(new.token_set, new.username, new.password, dict(new.fields))
        current = await stores.connections.save(replace(current, generation=2), sealed=change)

        assert (current, new) == await stores.connections.open("cxn_1")

    async def test_of_two_writers_the_second_loses(self, stores: AllStores) -> None:
        """A save over an older revision changes nothing: neither row, secrets, records nor revocations."""
        first = await stores.connections.insert(connection(), secrets("1"))
        saved = await stores.connections.save(replace(first, name="first"))

        with pytest.raises(RevisionConflict):
            await stores.connections.save(
                replace(first, name="second", generation=2),
                sealed=SealedChange(token_set=token_set("2")),
                records=[record("connection.lost")],
                revocations=[revocation()],
            )

        assert (saved, secrets("1")) == await stores.connections.open("cxn_1")
        assert ((), None) == await stores.audit.list()
        assert () == await stores.revocations.due(NOW, limit=9)

    async def test_of_many_writers_at_once_one_wins(self, stores: AllStores) -> None:
        """Compare-and-set holds under concurrency."""
        first = await stores.connections.insert(connection(), NOTHING)
        tries = [stores.connections.save(replace(first, name=f"writer {n}")) for n in range(8)]
        ends = await asyncio.gather(*tries, return_exceptions=True)
        winners = [each for each in ends if not isinstance(each, BaseException)]

        assert 1 == len(winners)
        assert 7 == sum(isinstance(each, RevisionConflict) for each in ends)
        assert winners[0] == await stores.connections.load("cxn_1")

    async def test_no_row_is_made_by_a_save(self, stores: AllStores) -> None:
        """A save of what does not exist, or stands in another project, is a conflict."""
        inserted = await stores.connections.insert(connection(), NOTHING)

        with pytest.raises(RevisionConflict):
            await stores.connections.save(connection("cxn_2"))
        with pytest.raises(RevisionConflict):
            await stores.connections.save(replace(inserted, project="other"))

        assert await stores.connections.load("cxn_2") is None

    async def test_it_is_shown_as_a_list_shows_it(self, stores: AllStores) -> None:
        """What can be read is read as by `load`; what is not there, or another project's, is None."""
        await stores.connections.insert(FULL_CONNECTION, secrets("full"))

        assert FULL_CONNECTION == await stores.connections.shown("cxn_full")
        assert None is await stores.connections.shown("cxn_none")
        assert None is await stores.connections.shown("cxn_full", project="other")

    async def test_what_can_be_read_is_not_written_anew(self, stores: AllStores) -> None:
        """Only a row that can't be read is; one that is not there is made by nobody but `insert`."""
        inserted = await stores.connections.insert(connection(), secrets("1"))

        for each in (inserted, connection("cxn_2")):
            with pytest.raises(RevisionConflict):
                await stores.connections.mend(each, NOTHING, records=[record("connection.lost")])

        assert (inserted, secrets("1")) == await stores.connections.open("cxn_1")
        assert ((), None) == await stores.audit.list()

    async def test_what_does_not_open_is_set_aside(self, stores: AllStores) -> None:
        """It is not due until it is put back; its revision stays, and everything else about it."""
        due = [connection(name, renews_at=NOW, refreshable=True) for name in ("cxn_1", "cxn_2", "cxn_3")]
        for each in due:
            await stores.connections.insert(each, secrets(each.id))
        one = await stores.connections.park("cxn_1", "seal_broken", at=NOW + 5)
        two = await stores.connections.park("cxn_2", "seal_broken", at=NOW + 5, revision=0)
        moved = await stores.connections.park("cxn_3", "seal_broken", at=NOW + 5, revision=1)
        nobody = await stores.connections.park("cxn_4", "seal_broken", at=NOW + 5)
        left = await _looks(stores)
        parked = await stores.connections.load("cxn_1")

        assert (True, True, False, False) == (one, two, moved, nobody)
        assert ["cxn_3"] == left
        assert replace(due[0], parked_at=NOW + 5, parked_why="seal_broken") == parked
        assert 1 == await stores.connections.unpark("cxn_1")
        assert {"cxn_1", "cxn_3"} == set(await _looks(stores))
        assert (1, 0) == (await stores.connections.unpark(), await stores.connections.unpark())
        assert ["cxn_1", "cxn_2", "cxn_3"] == sorted(await _looks(stores))

    async def test_a_readable_row_is_not_set_aside_as_unreadable(self, stores: AllStores) -> None:
        """Who says so read it before somebody mended it."""
        inserted = await stores.connections.insert(connection(), secrets())

        assert not await stores.connections.park("cxn_1", "row_broken", at=NOW)
        assert inserted == await stores.connections.load("cxn_1")

    async def test_a_write_puts_it_back(self, stores: AllStores) -> None:
        """Whoever writes the row has read it."""
        await stores.connections.insert(connection(), secrets())
        await stores.connections.park("cxn_1", "seal_broken", at=NOW)
        found = await stores.connections.load("cxn_1")
        assert found is not None
        saved = await stores.connections.save(replace(found, paused=True))

        assert (None, None) == (saved.parked_at, saved.parked_why)
        assert saved == await stores.connections.load("cxn_1")

    async def test_what_was_sealed_can_be_replaced_unopened(self, stores: AllStores) -> None:
        """All of it at once, under a new key."""
        inserted = await stores.connections.insert(connection(), secrets("1"))
        new = secrets("2")
        change = SealedChange(new.token_set, new.username, new.password, dict(new.fields), anew=True)
        saved = await stores.connections.save(replace(inserted, generation=2), sealed=change)

        assert (saved, new) == await stores.connections.open("cxn_1")

    async def test_a_generation_comes_with_its_token_set(self, stores: AllStores) -> None:
        """A generation that moves without a token set is a bug of the caller and is refused."""
        inserted = await stores.connections.insert(connection(), secrets("1"))

        with pytest.raises(ValueError, match="generation"):
            await stores.connections.save(replace(inserted, generation=2))

        assert (inserted, secrets("1")) == await stores.connections.open("cxn_1")

    async def test_a_write_carries_its_records_and_revocations(self, stores: AllStores) -> None:
        """Records and revocations are there when the write is."""
        inserted = await stores.connections.insert(connection(), secrets("1"), records=[record("connection.created")])
        replaced = revocation("rev_1", connection="cxn_1")
        await stores.connections.save(
            replace(inserted, generation=2),
            sealed=SealedChange(token_set=token_set("2")),
            records=[record("connection.renewed"), record("connection.tested")],
            revocations=[replaced],
        )
        logged, _ = await stores.audit.list()

        assert ["connection.tested", "connection.renewed", "connection.created"] == [each.action for _, each in logged]
        assert (replaced,) == await stores.revocations.of_connection("cxn_1")

    async def test_a_tombstone_keeps_no_secret(self, stores: AllStores) -> None:
        """A disconnected connection has nothing sealed, whatever the write said; its revocation still can be made."""
        inserted = await stores.connections.insert(connection(), secrets())
        ending = replace(inserted, state=State.DISCONNECTING)
        to_revoke = revocation("rev_1", connection="cxn_1")
        ended = await stores.connections.save(
            ending, sealed=SealedChange(None, None, None, None), revocations=[to_revoke]
        )
        late = revocation("rev_2", connection="cxn_1", due_at=NOW + 1)
        ended = await stores.connections.save(replace(ended, state=State.DISCONNECTED), revocations=[late])

        assert (ended, NOTHING) == await stores.connections.open("cxn_1")
        assert (to_revoke, late) == await stores.revocations.of_connection("cxn_1")

    async def test_a_disconnect_without_details_keeps_no_secret(self, stores: AllStores) -> None:
        """The end of a connection needs no list of what to forget."""
        inserted = await stores.connections.insert(connection(), secrets())
        ended = await stores.connections.save(replace(inserted, state=State.DISCONNECTED))

        assert (ended, NOTHING) == await stores.connections.open("cxn_1")


class AccountContract:
    """Subclass, give a `stores` fixture, write nothing else."""

    async def test_one_account_is_one_connection(self, stores: AllStores) -> None:
        """The second connection of an account is told which one is first, and leaves nothing behind."""
        await stores.connections.insert(connection("cxn_1", unique_id="a"), NOTHING)

        with pytest.raises(DuplicateAccount) as refused:
            await stores.connections.insert(connection("cxn_2", unique_id="a"), secrets(), records=[record()])

        assert "cxn_1" == refused.value.connection_id
        assert await stores.connections.load("cxn_2") is None
        assert ((), None) == await stores.audit.list()

    @pytest.mark.parametrize(
        "difference",
        [
            pytest.param({"project": "other"}, id="another project"),
            pytest.param({"connector": "other"}, id="another connector"),
            pytest.param({"owner": "other"}, id="another owner"),
            pytest.param({"unique_id": "A"}, id="another unique id, by case"),
            pytest.param({"unique_id": "a "}, id="another unique id, by a space"),
            pytest.param({"unique": False}, id="one that allows it"),
        ],
    )
    async def test_accounts_that_differ(self, stores: AllStores, difference: dict[str, object]) -> None:
        """What differs in one part is another account."""
        await stores.connections.insert(connection("cxn_1", unique_id="a"), NOTHING)
        await stores.connections.insert(replace(connection("cxn_2", unique_id="a"), **difference), NOTHING)  # type: ignore[arg-type]

        assert "cxn_1" == await stores.connections.find_account("acme", "owner-1", "a")

    @pytest.mark.parametrize("state", [State.DISCONNECTING, State.DISCONNECTED])
    async def test_an_ended_connection_frees_its_account(self, stores: AllStores, state: State) -> None:
        """After the disconnect the account can be connected anew."""
        first = await stores.connections.insert(connection("cxn_1", unique_id="a"), NOTHING)
        await stores.connections.save(replace(first, state=state))
        between = await stores.connections.find_account("acme", "owner-1", "a")
        await stores.connections.insert(connection("cxn_2", unique_id="a"), NOTHING)

        assert between is None
        assert "cxn_2" == await stores.connections.find_account("acme", "owner-1", "a")

    async def test_a_save_cannot_take_an_account(self, stores: AllStores) -> None:
        """A connection that changes its account to one that is connected is refused."""
        await stores.connections.insert(connection("cxn_1", unique_id="a"), NOTHING)
        second = await stores.connections.insert(connection("cxn_2", unique_id="b"), NOTHING)

        with pytest.raises(DuplicateAccount) as refused:
            await stores.connections.save(replace(second, unique_id="a"))

        assert "cxn_1" == refused.value.connection_id
        assert second == await stores.connections.load("cxn_2")

    async def test_an_account_may_change(self, stores: AllStores) -> None:
        """A connection that changes its account is found by the new one only."""
        first = await stores.connections.insert(connection("cxn_1", unique_id="a"), NOTHING)
        await stores.connections.save(replace(first, unique_id="b"))

        assert await stores.connections.find_account("acme", "owner-1", "a") is None
        assert "cxn_1" == await stores.connections.find_account("acme", "owner-1", "b")
        assert await stores.connections.find_account("acme", "owner-1", "b", project="other") is None

    async def test_two_sign_ups_at_one_moment(self, stores: AllStores) -> None:
        """Of many inserts of one account at once, one is made, and the others are told its id."""
        tries = [stores.connections.insert(connection(f"cxn_{n}", unique_id="a"), secrets()) for n in range(6)]
        ends = await asyncio.gather(*tries, return_exceptions=True)
        made = [each.id for each in ends if not isinstance(each, BaseException)]

        assert 1 == len(made)
        assert made * 5 == [each.connection_id for each in ends if isinstance(each, DuplicateAccount)]


class ConnectionListContract:
    """Subclass, give a `stores` fixture, write nothing else."""

    async def test_a_list_is_read_page_by_page(self, stores: AllStores) -> None:
        """Newest first, no one twice and no one left out, also where two are of one moment."""
        for n in range(7):
            await stores.connections.insert(connection(f"cxn_{n}", created_at=NOW + n // 2), secrets())
        seen: list[str] = []
        cursor: str | None = None
        sizes = []
        while True:
            page = await stores.connections.list(ALL, cursor=cursor, limit=3)
            seen += [each.id for each in page.items]
            sizes.append(len(page.items))
            cursor = page.next_cursor
            if cursor is None:
                break

        assert [3, 3, 1] == sizes
        assert [f"cxn_{n}" for n in range(6, -1, -1)] == seen

    async def test_the_last_page_may_be_full(self, stores: AllStores) -> None:
        """A page that ends with the last one has no cursor."""
        for n in range(3):
            await stores.connections.insert(connection(f"cxn_{n}", created_at=NOW + n), NOTHING)
        page = await stores.connections.list(ALL, cursor=None, limit=3)

        assert (3, None) == (len(page.items), page.next_cursor)

    @pytest.mark.parametrize(
        "cursor", [pytest.param("", id="empty"), "zzz", "%", "ü", "MQ", "\x00", pytest.param("a" * 5000, id="long")]
    )
    async def test_a_foreign_cursor_is_refused(self, stores: AllStores, cursor: str) -> None:
        """What this list did not give out is no cursor."""
        with pytest.raises(ValidationFailed) as refused:
            await stores.connections.list(ALL, cursor=cursor, limit=3)

        assert ["/cursor"] == [each.pointer for each in refused.value.errors]

    @pytest.mark.parametrize(
        ("which", "expected"),
        [
            pytest.param(ConnectionFilter(), "abcdefg", id="all"),
            pytest.param(ConnectionFilter(connector="other"), "b", id="one connector"),
            pytest.param(ConnectionFilter(owner="other"), "c", id="one owner"),
            pytest.param(ConnectionFilter(state="active"), "abc", id="active is neither paused nor unconfirmed"),
            pytest.param(ConnectionFilter(state="paused"), "d", id="paused stands before unconfirmed"),
            pytest.param(ConnectionFilter(state="unconfirmed"), "e", id="unconfirmed"),
            pytest.param(ConnectionFilter(state="needs_reconnect"), "f", id="a state"),
            pytest.param(ConnectionFilter(state="disconnected"), "g", id="an end stands before the flags"),
            pytest.param(ConnectionFilter(state="nonsense"), "", id="no such state"),
            pytest.param(ConnectionFilter(connectors=frozenset({"other", "x"})), "b", id="what a key may see"),
            pytest.param(ConnectionFilter(connectors=frozenset()), "", id="a key that may see none"),
            pytest.param(ConnectionFilter(connector="acme", owner="other", state="active"), "c", id="all at once"),
            pytest.param(ConnectionFilter(not_ended=True), "abcdef", id="those that live"),
            pytest.param(ConnectionFilter(unique_id="account of c"), "c", id="an account"),
            pytest.param(ConnectionFilter(account="k1"), "eg", id="a login's hash"),
            pytest.param(ConnectionFilter(account="k1", not_ended=True), "e", id="of those that live"),
            pytest.param(ConnectionFilter(search="othe"), "c", id="what an owner begins with"),
            pytest.param(ConnectionFilter(search="aD"), "abcdefg", id="what a name begins with, in any case"),
            pytest.param(ConnectionFilter(search="d", state="paused"), "d", id="what an id begins with"),
            pytest.param(ConnectionFilter(search="da"), "", id="not what is within"),
            pytest.param(ConnectionFilter(search="%"), "", id="no sign stands for others"),
        ],
    )
    async def test_a_list_is_filtered(self, stores: AllStores, which: ConnectionFilter, expected: str) -> None:
        """Filters speak of states as they are shown."""
        for made in (
            connection("a"),
            connection("b", connector="other"),
            connection("c", owner="other"),
            connection("d", paused=True, unconfirmed=True),
            connection("e", unconfirmed=True, account="k1"),
            connection("f", state=State.NEEDS_RECONNECT, account="k2"),
            connection("g", state=State.DISCONNECTED, paused=True, account="k1"),
            connection("h", project="other", account="k1"),
        ):
            await stores.connections.insert(made, NOTHING)
        page = await stores.connections.list(which, cursor=None, limit=50)

        assert sorted(expected) == sorted(each.id for each in page.items)
        assert len(expected) == await stores.connections.count(which)

    async def test_counts(self, stores: AllStores) -> None:
        """Connections are counted by connector and state, within a project."""
        for made in (
            connection("a"),
            connection("b", paused=True),
            connection("c", connector="other", state=State.UNCERTAIN),
            connection("d", project="other"),
        ):
            await stores.connections.insert(made, NOTHING)

        assert {("acme", State.ACTIVE): 2, ("other", State.UNCERTAIN): 1} == await stores.connections.counts()

    async def test_versions(self, stores: AllStores) -> None:
        """Connections of one connector are counted by its version, within a project; ended ones are not."""
        for made in (
            connection("a"),
            connection("b", connector_version=2),
            connection("c", connector_version=2, paused=True),
            connection("d", connector_version=2, state=State.DISCONNECTED),
            connection("e", connector="other"),
            connection("f", project="other"),
        ):
            await stores.connections.insert(made, NOTHING)

        assert {connection("a").connector_version: 1, 2: 2} == await stores.connections.versions("acme")


class UseContract:
    """Subclass, give a `stores` fixture, write nothing else."""

    async def test_a_use_is_noted(self, stores: AllStores) -> None:
        """Of each connection its own, without a new revision; an unknown id is passed over."""
        for name in ("a", "b", "c"):
            await stores.connections.insert(connection(name), secrets())
        await stores.connections.note_uses({"a": Use(NOW + 1, 1), "b": Use(NOW + 2), "gone": Use(NOW)})
        await stores.connections.note_uses({})

        assert connection("a", last_used_at=NOW + 1, worked_generation=1) == await stores.connections.load("a")
        assert connection("b", last_used_at=NOW + 2) == await stores.connections.load("b")
        assert connection("c") == await stores.connections.load("c")

    async def test_a_note_never_goes_back(self, stores: AllStores) -> None:
        """An older use, or one that doesn't know what worked, undoes nothing."""
        await stores.connections.insert(connection("a", last_used_at=NOW + 5, worked_generation=3), secrets())
        await stores.connections.note_uses({"a": Use(NOW + 4, 4)})
        await stores.connections.note_uses({"a": Use(NOW + 6)})
        await stores.connections.note_uses({"a": Use(NOW + 5.5, 2)})

        assert connection("a", last_used_at=NOW + 6, worked_generation=4) == await stores.connections.load("a")

    async def test_calls_are_added_up_by_the_hour(self, stores: AllStores) -> None:
        """Each connection's own; a use that was no call counts nowhere; old hours go with the old tombstones."""
        hour = int(NOW) // 3600 * 3600
        await stores.connections.insert(connection("a"), secrets())
        for at, calls, failed in ((hour + 5, 3, 1), (hour + 6, 2, 0), (hour + 3700, 1, 1), (hour - 1, 4, 0)):
            await stores.connections.note_uses({"a": Use(at, 1, calls, failed), "b": Use(at, calls=7), "c": Use(at)})
        found = await stores.overview.calls(["c", "a", "nobody"], hour)
        both = await stores.overview.calls(["a", "b"], hour + 3600)
        await stores.connections.purge(disconnected_before=hour + 3600)

        last = CallHour(hour + 3600, 1, 1)
        assert {"a": [CallHour(hour, 5, 1), last]} == found
        assert {"a": [last], "b": [CallHour(hour + 3600, 7, 0)]} == both
        assert {} == await stores.overview.calls([], 0)
        assert {"a": [last]} == await stores.overview.calls(["a"], 0)

    async def test_a_write_does_not_undo_a_note(self, stores: AllStores) -> None:
        """A save by somebody who read before the note keeps it, and returns it."""
        read = await stores.connections.insert(connection("a", last_used_at=NOW), secrets())
        await stores.connections.note_uses({"a": Use(NOW + 1, 1)})
        saved = await stores.connections.save(replace(read, name="new"))

        assert connection("a", name="new", last_used_at=NOW + 1, worked_generation=1, revision=1) == saved
        assert saved == await stores.connections.load("a")

    async def test_old_tombstones_are_taken_away(self, stores: AllStores) -> None:
        """Only what was disconnected before that time; the rest stays."""
        for made in (
            connection("old", state=State.DISCONNECTED, disconnected_at=NOW - 1),
            connection("young", state=State.DISCONNECTED, disconnected_at=NOW),
            connection("ending", state=State.DISCONNECTING, disconnected_at=NOW - 1),
            connection("active"),
        ):
            await stores.connections.insert(made, NOTHING)
        purged = await stores.connections.purge(disconnected_before=NOW)
        left = await stores.connections.list(ALL, cursor=None, limit=9)

        assert 1 == purged
        assert ["active", "ending", "young"] == sorted(each.id for each in left.items)


OPEN = Intent(IntentKind.REFRESH, 1, "att_open", NOW - 5)


class DueContract:
    """Subclass, give a `stores` fixture, write nothing else."""

    async def test_the_longest_overdue_comes_first(self, stores: AllStores) -> None:
        """Due is what `renews_at` has reached, up to the limit."""
        for name, renews_at in (("c", NOW), ("a", NOW - 2), ("b", NOW - 1), ("later", NOW + 0.001), ("never", None)):
            await stores.connections.insert(connection(name, renews_at=renews_at), secrets())

        assert ["a", "b", "c"] == await _looks(stores)
        assert ["a", "b"] == await _looks(stores, most=2)
        assert ["a", "b"] == await _looks(stores, limit=2)

    async def test_connectors_take_turns(self, stores: AllStores) -> None:
        """However many rows of one wait; one that has no room is left out, and its rows are as they were."""
        for n in range(6):
            slow = connection(f"slow-{n}", connector="slow", renews_at=NOW - 60 + n)
            await stores.connections.insert(slow, secrets())
        for n in range(2):
            fast = connection(f"fast-{n}", connector="fast", renews_at=NOW - 1 + n)
            await stores.connections.insert(fast, secrets())

        assert ["fast-0", "slow-0", "fast-1", "slow-1"] == await _looks(stores, limit=4)
        assert ["fast-0", "fast-1"] == await _looks(stores, room={"slow": 0})
        assert ["fast-0", "slow-0", "fast-1"] == await _looks(stores, room={"slow": 1})

    async def test_what_renews_ends_soon_comes_first(self, stores: AllStores) -> None:
        """Within the hour: else it could never be renewed any more."""
        await stores.connections.insert(connection("old", renews_at=NOW - 60), secrets())
        for name, ends in (("ending", NOW + 3599), ("lasting", NOW + 7200)):
            due = connection(name, renews_at=NOW - 1, refresh_expires_at=ends)
            await stores.connections.insert(due, secrets())

        assert ["ending", "old", "lasting"] == await _looks(stores)

    @pytest.mark.parametrize(
        ("change", "due"),
        [
            pytest.param({}, True, id="plain"),
            pytest.param({"paused": True}, False, id="paused away"),
            pytest.param({"paused": True, "refreshable": True}, True, id="paused, with a refresh token to keep alive"),
            pytest.param({"unconfirmed": True}, False, id="unconfirmed"),
            pytest.param({"unconfirmed": True, "refreshable": True}, True, id="unconfirmed, with a refresh token"),
            pytest.param({"state": State.UNCERTAIN}, True, id="uncertain"),
            pytest.param({"state": State.DISCONNECTING}, False, id="disconnecting"),
            pytest.param({"state": State.DISCONNECTED, "refreshable": True}, False, id="disconnected"),
            pytest.param({"retry_at": NOW + 1}, False, id="within its own back-off"),
            pytest.param({"retry_at": NOW - 1}, True, id="its back-off is over"),
            pytest.param({"renews_at": NOW + 9, "intent": OPEN}, True, id="not due, but its last send has no outcome"),
            pytest.param({"parked_at": NOW, "parked_why": "ValueError"}, False, id="set aside"),
        ],
    )
    async def test_what_is_due(self, stores: AllStores, change: dict[str, object], due: bool) -> None:
        """Neither paused away nor ended, nor waiting by itself."""
        await stores.connections.insert(connection("a", **{"renews_at": NOW, **change}), NOTHING)

        assert due == bool(await _looks(stores))

    async def test_what_is_being_renewed_is_not_due(self, stores: AllStores) -> None:
        """A connection under a living lease is left to its holder, and does not take another's place."""
        await stores.connections.insert(connection("a", renews_at=NOW - 1), NOTHING)
        await stores.connections.insert(connection("b", renews_at=NOW), NOTHING)
        found = await stores.renewals.read("a")
        assert found is not None
        claimed = await stores.renewals.claim(found.connection, replace(found.connection, intent=OPEN), now=NOW)
        assert claimed is not None
        meanwhile = await _looks(stores, most=1)
        await stores.renewals.settle(claimed.connection, found.connection)

        assert ["b"] == meanwhile
        assert ["a"] == await _looks(stores, most=1)

    async def test_a_look_is_moved_for_the_scheduler_alone(self, stores: AllStores) -> None:
        """Nothing of the row changes; one of another generation, and one that is looked at later anyway, stay."""
        for name in ("a", "b", "c"):
            await stores.connections.insert(connection(name, renews_at=NOW), secrets())
        before = await stores.connections.load("a")
        moves = {"a": (1, NOW + 60.0), "b": (2, NOW + 60.0), "none": (1, NOW + 60.0)}
        await stores.connections.move_looks(moves, due_by=NOW)
        after = await _looks(stores)
        await stores.connections.move_looks({"c": (1, NOW + 60.0)}, due_by=NOW - 1)

        assert before == await stores.connections.load("a")
        assert ["b", "c"] == after
        assert ["b", "c"] == await _looks(stores)
        assert ["b", "c", "a"] == await _looks(stores, now=NOW + 60)


async def _looks(
    stores: AllStores, *, now: float = NOW, room: dict[str, int] | None = None, most: int = 9, limit: int = 99
) -> list[str]:
    return [each.id for each in await stores.connections.looks(now, room=room or {}, most=most, limit=limit)]
