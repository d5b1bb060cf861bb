"""What every ChallengeStore promises."""

from __future__ import annotations

from dataclasses import replace

import pytest

from keyturn.core.secret import Secret
from keyturn.ports.challenges import ChallengeRow, ChallengeState, PendingLogin
from keyturn.ports.store import RevisionConflict
from tests.contracts.all_stores import AllStores
from tests.contracts.samples import NOW, challenge, record

FULL = ChallengeRow(
    id="chl_1",
    holder="key:k1",
    connector="acme",
    connector_version=3,
    owner="owner-1",
    place=2,
    created_at=NOW + 0.125,
    expires_at=NOW + 600.5,
    state=ChallengeState.PENDING,
    ask=({"key": "factor", "choices": [{"value": "ü“", "label": "Phone"}]}, {"key": "code", "required": True}),
    facts={"keep_password": True, "reconnects": None, "asked": [1, 2.5, {"a": "b"}]},
    wrong_codes=2,
    error="provider_otp_invalid",
    due_at=NOW + 3.5,
    connection="cxn_1",
    successor="chl_2",
)
LOGIN = PendingLogin(
    username="Ada ü\ud800",
    password=Secret("a password\n\ud800"),
    values={"fields": {"pin": Secret("1234"), "host": "a"}, "mfa_token": Secret("mfa"), "n": 3, "ok": True, "$x": None},
    fields={"pin": Secret("1234"), "host": "a"},
)
BARE = PendingLogin(username="ada")


class ChallengeStoreContract:
    """Subclass, give a `stores` fixture, write nothing else."""

    @pytest.mark.parametrize("login", [LOGIN, BARE], ids=["everything", "no password"])
    async def test_what_was_added_is_found(self, stores: AllStores, login: PendingLogin) -> None:
        """Every attribute comes back, and what the login needs, within its project."""
        added = await stores.challenges.add(FULL, login, records=[record("login.challenged")])
        logged, _ = await stores.audit.list()

        assert FULL == added
        assert FULL == await stores.challenges.load("chl_1")
        assert (FULL, login) == await stores.challenges.open("chl_1")
        assert await stores.challenges.load("chl_1", project="other") is None
        assert await stores.challenges.open("chl_1", project="other") is None
        assert await stores.challenges.open("chl_2") is None
        assert ["login.challenged"] == [each.action for _, each in logged]

    async def test_a_save_writes_every_attribute(self, stores: AllStores) -> None:
        """A save returns what is stored then, with the next revision; what is sealed stays."""
        await stores.challenges.add(challenge(), LOGIN)
        saved = await stores.challenges.save(FULL, records=[record("login.answered")])
        logged, _ = await stores.audit.list()

        assert replace(FULL, revision=1) == saved
        assert (saved, LOGIN) == await stores.challenges.open("chl_1")
        assert ["login.answered"] == [each.action for _, each in logged]

    async def test_an_answer_is_taken_once(self, stores: AllStores) -> None:
        """Of two that write over the same revision the second loses and changes nothing, wiping neither."""
        await stores.challenges.add(challenge(), LOGIN)
        won = await stores.challenges.save(challenge(state=ChallengeState.PENDING))

        with pytest.raises(RevisionConflict):
            await stores.challenges.save(challenge(state=ChallengeState.FAILED), wipe=True, records=[record()])
        with pytest.raises(RevisionConflict):
            await stores.challenges.save(challenge("chl_2"))
        with pytest.raises(RevisionConflict):
            await stores.challenges.save(replace(won, project="other"), wipe=True)

        assert (won, LOGIN) == await stores.challenges.open("chl_1")
        assert ((), None) == await stores.audit.list()

    async def test_wiping_leaves_the_row(self, stores: AllStores) -> None:
        """What is sealed is gone, here and for good; what came of the login can be read and written."""
        await stores.challenges.add(challenge(), LOGIN)
        wiped = await stores.challenges.save(challenge(state=ChallengeState.DONE, connection="cxn_1"), wipe=True)
        read = await stores.challenges.open("chl_1")
        later = await stores.challenges.save(replace(wiped, successor="chl_2"))

        assert (wiped, None) == read
        assert (later, None) == await stores.challenges.open("chl_1")

    async def test_those_that_are_due(self, stores: AllStores) -> None:
        """Longest overdue first, up to the limit; not those that wait for a person."""
        for name, due_at in (("c", NOW), ("a", NOW - 2), ("b", NOW - 1), ("later", NOW + 0.001), ("person", None)):
            await stores.challenges.add(challenge(name, due_at=due_at), BARE)

        assert ["a", "b", "c"] == [each.id for each in await stores.challenges.due(NOW, limit=9)]
        assert ["a", "b"] == [each.id for each in await stores.challenges.due(NOW, limit=2)]

    async def test_purging(self, stores: AllStores) -> None:
        """Old rows go; what is sealed goes sooner; what has not expired is left alone."""
        for name, expires_at in (("old", NOW - 100), ("ended", NOW - 10), ("at the edge", NOW), ("open", NOW + 1)):
            await stores.challenges.add(challenge(name, expires_at=expires_at), LOGIN)
        removed = await stores.challenges.purge(expired_before=NOW - 50, wipe_before=NOW)
        again = await stores.challenges.purge(expired_before=NOW - 50, wipe_before=NOW)

        assert (1, 0) == (removed, again)
        assert await stores.challenges.load("old") is None
        assert (challenge("ended", expires_at=NOW - 10), None) == await stores.challenges.open("ended")
        assert (challenge("at the edge", expires_at=NOW), LOGIN) == await stores.challenges.open("at the edge")
        assert (challenge("open", expires_at=NOW + 1), LOGIN) == await stores.challenges.open("open")
