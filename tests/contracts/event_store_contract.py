"""What every EventStore promises."""

from __future__ import annotations

from dataclasses import replace

from keyturn.core.events.event import Event
from keyturn.core.events.health import Tally
from keyturn.ports.jobs import Job
from keyturn.ports.webhooks.endpoints import Delivery
from keyturn.ports.webhooks.events import Follow, Sends
from tests.contracts.all_stores import AllStores
from tests.contracts.samples import NOW, record, session

EVENT = Event("evt_1", "connection.created", NOW, 8, "cxn_1", "acme", "owner-1", "active", "a_code")
DELIVERY = Delivery("dlv_1", "whk_1", "evt_1", "connection.created", NOW)
JOB = Job("job_1", "webhook.deliver", NOW, NOW, {"delivery": "dlv_1"})


class EventStoreContract:
    """Subclass, give a `stores` fixture, write nothing else."""

    async def test_the_cursor_begins_once(self, stores: AllStores) -> None:
        """Who comes second moves nothing."""
        before = await stores.events.position()
        await stores.events.begin(3)
        await stores.events.begin(9)

        assert (None, 3) == (before, await stores.events.position())

    async def test_records_are_followed_by_one(self, stores: AllStores) -> None:
        """Events, deliveries and jobs are written with the cursor; whoever is late writes nothing."""
        await stores.events.begin(1)
        ours = await stores.events.follow(Follow([EVENT], [DELIVERY], [JOB]), after=1, until=2)
        late = Follow([replace(EVENT, id="evt_2", place=9)], [replace(DELIVERY, id="dlv_2")])
        theirs = await stores.events.follow(late, after=1, until=2)

        assert (True, False, 2) == (ours, theirs, await stores.events.position())
        assert EVENT == await stores.events.event("evt_1")
        assert await stores.events.event("evt_1", project="other") is None
        assert await stores.events.event("evt_2") is None
        assert DELIVERY == await stores.webhooks.delivery("dlv_1")
        assert await stores.webhooks.delivery("dlv_2") is None
        assert JOB == await stores.jobs.load("job_1")

    async def test_a_job_with_this_id_stays_as_it_is(self, stores: AllStores) -> None:
        """What was begun or done is not done again."""
        await stores.events.begin(1)
        await stores.jobs.add(replace(JOB, tries=2))
        await stores.events.follow(Follow(jobs=[JOB]), after=1, until=2)

        assert replace(JOB, tries=2) == await stores.jobs.load("job_1")

    async def test_events_are_listed_in_their_order(self, stores: AllStores) -> None:
        """After a place, of some types and connectors, of one project."""
        rows = [
            EVENT,
            replace(EVENT, id="evt_2", place=9, type="connection.paused", connector="other"),
            replace(EVENT, id="evt_3", place=12, object=None, connector=None, owner=None, state=None, code=None),
        ]
        await stores.events.begin(1)
        foreign = replace(EVENT, id="evt_4", place=16, project="other")
        await stores.events.follow(Follow([*rows, foreign]), after=1, until=2)

        assert 12 == await stores.events.newest()
        assert tuple(rows[1:]) == tuple(await stores.events.since(8, limit=10))
        assert tuple(rows[:1]) == tuple(await stores.events.since(0, limit=1))
        assert (rows[0], rows[2]) == tuple(
            await stores.events.since(0, limit=10, types=frozenset({"connection.created"}))
        )
        assert (rows[1],) == tuple(await stores.events.since(0, limit=10, connectors=frozenset({"other"})))
        assert (rows[0],) == tuple(await stores.events.since(0, limit=1, owners=frozenset({"owner-1"})))
        assert () == tuple(await stores.events.since(0, limit=10, owners=frozenset({"owner-2"})))

    async def test_events_of_a_type_are_found_by_time(self, stores: AllStores) -> None:
        """From a time on and before another; of one connector where one is named."""
        rows = [replace(EVENT, id=f"evt_{n}", place=n, at=NOW + n) for n in range(4)]
        rows[2] = replace(rows[2], connector="other")
        await stores.events.begin(1)
        await stores.events.follow(Follow(rows), after=1, until=2)
        asked = {"since": NOW + 1, "until": NOW + 3, "limit": 10, "project": "default"}

        assert tuple(rows[1:3]) == tuple(await stores.events.of_type(EVENT.type, connector=None, **asked))  # type: ignore[arg-type]
        assert (rows[1],) == tuple(await stores.events.of_type(EVENT.type, connector="acme", **asked))  # type: ignore[arg-type]

    async def test_failing_connections_are_remembered(self, stores: AllStores) -> None:
        """Until they work again."""
        await stores.events.begin(1)
        await stores.events.follow(Follow(failing=frozenset({"cxn_1", "cxn_2"})), after=1, until=2)
        await stores.events.follow(Follow(working=frozenset({"cxn_1"})), after=2, until=3)

        assert frozenset({"cxn_2"}) == await stores.events.failing(["cxn_1", "cxn_2", "cxn_3"])
        assert frozenset() == await stores.events.failing([])

    async def test_sends_are_added_up(self, stores: AllStores) -> None:
        """By project and connector, from a time on; the newest failure's code stays."""
        minute, next_minute = Sends("default", "acme", NOW), Sends("default", "acme", NOW + 60)
        await stores.events.begin(1)
        await stores.events.follow(Follow(tallies={minute: Tally(2, 1, 0, "provider_timeout")}), after=1, until=2)
        await stores.events.follow(Follow(tallies={minute: Tally(1)}), after=2, until=3)
        await stores.events.follow(Follow(tallies={next_minute: Tally(0, 1, 1, "a_code")}), after=3, until=4)

        assert {("default", "acme"): Tally(3, 2, 1, "a_code")} == await stores.events.tallies(since=NOW)
        assert {("default", "acme"): Tally(0, 1, 1, "a_code")} == await stores.events.tallies(since=NOW + 60)

    async def test_what_is_said_is_said_once(self, stores: AllStores) -> None:
        """Its record is written with the mark; after the mark is taken away it may be said again."""
        said = [
            await stores.events.say_once("it", at=NOW, records=[record("a.said")]),
            await stores.events.say_once("it", at=NOW, records=[record("a.said")]),
            await stores.events.unsay("it", records=[record("a.unsaid")]),
            await stores.events.unsay("it", records=[record("a.unsaid")]),
            await stores.events.say_once("it", at=NOW, records=[record("a.said")]),
        ]
        logged, _ = await stores.audit.list()

        assert [True, False, True, False, True] == said
        assert ["a.said", "a.unsaid", "a.said"] == [each.action for _, each in logged]

    async def test_sessions_that_ended_by_time_are_found(self, stores: AllStores) -> None:
        """Of the time in between, and only where they led to nothing."""
        for n, state in enumerate(("open", "claimed", "done", "failed")):
            await stores.sessions.add(session(f"ses_{n}", link_digest=f"l{n}", state=state, expires_at=NOW + 10))
        await stores.sessions.add(session("ses_later", link_digest="l4", state="open", expires_at=NOW + 11))
        found = await stores.events.lapsed(after=NOW + 9, until=NOW + 10)

        assert {"ses_0", "ses_1"} == {each.id for each in found}
        assert () == tuple(await stores.events.lapsed(after=NOW + 11, until=NOW + 20))

    async def test_old_ones_are_purged(self, stores: AllStores) -> None:
        """Events, marks and counts; the cursor and what fails stay."""
        await stores.events.begin(1)
        rows = [EVENT, replace(EVENT, id="evt_2", place=9, at=NOW + 10)]
        counts = {Sends("default", "acme", NOW): Tally(1)}
        follow = Follow(rows, failing=frozenset({"cxn_1"}), tallies=counts)
        await stores.events.follow(follow, after=1, until=2)
        await stores.events.say_once("it", at=NOW, records=[])

        assert 1 == await stores.events.purge(before=NOW + 10, tallies_before=NOW + 1)
        assert [rows[1]] == list(await stores.events.since(0, limit=10))
        assert {} == await stores.events.tallies(since=0.0)
        assert await stores.events.say_once("it", at=NOW, records=[])
        assert (2, frozenset({"cxn_1"})) == (await stores.events.position(), await stores.events.failing(["cxn_1"]))
