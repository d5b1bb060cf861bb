"""Rows that can't be read: each column spoilt, one at a time, a newer release's words, seals, a damaged page (I19)."""

from __future__ import annotations

import contextlib
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.running import Server, running_server, wait_for
from tests.end_to_end.scripted.connectors import shown
from tests.faults.street import Street, house, street

DUE_AT_HALF_S = 62  # such a token is renewed by the clock once it is half a minute old
SOUND = 10
# A row with these changed is another row, by right: nothing of it is spoilt.
ANOTHER = {"id", "project"}
WORDS = {
    "state": "telepathic", "reason": "of_a_newer_release", "intent_kind": "telepathy", "test_cause": "newer",
    "last_error": "of_a_newer_release", "parked_why": "of_a_newer_release", "lease_holder": "nobody we know",
}  # fmt: skip


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server of one test."""
    with running_server(tmp_path, env={"KEYTURN_LIMIT_SIGNIN": "1000000"}) as running:
        yield running


@contextlib.contextmanager
def database(server: Server) -> Iterator[sqlite3.Connection]:
    """The database, as somebody at the machine reaches it."""
    with contextlib.closing(
        sqlite3.connect(server.data / "keyturn.db", isolation_level=None, timeout=10)
    ) as connection:
        yield connection


def columns(server: Server, table: str) -> dict[str, str]:
    """Name → type."""
    with database(server) as connection:
        return {row[1]: str(row[2]) for row in connection.execute(f"PRAGMA table_info({table})")}


def spoilt_value(name: str, kind: str) -> str:
    """A value that no release wrote, as SQL."""
    if name in WORDS:
        return f"'{WORDS[name]}'"
    if kind == "BLOB":
        return "zeroblob(80)"
    return "CAST(X'ff00fe' AS TEXT)" if kind == "TEXT" else "'no number'"


def check_others(server: Server, there: Street, sound: list[dict[str, object]]) -> None:
    """The sound ones are renewed by the clock and served; lists and readiness answer."""
    wait_for(lambda: all(shown(server, each)["generation"] > 1 for each in sound), 60, 0.5)
    listed = server.ask("GET", "/v1/connections?limit=100")
    ready = server.ask("GET", "/readyz", key=None)

    assert 200 == listed.status, listed.body[:300]
    assert 200 == ready.status, ready.body
    assert {} == there.served_within(sound)


def test_each_column(server: Server, tmp_path: Path) -> None:
    """One connection for each column, spoilt there; ten others notice nothing, and each one can be got rid of."""
    names = {name: kind for name, kind in columns(server, "connections").items() if name not in ANOTHER}
    with street(server, tmp_path / "street", providers=0) as there:
        there.houses.append(house(server, tmp_path / "street", accounts=len(names), ttl=DUE_AT_HALF_S))
        there.houses.append(house(server, tmp_path / "street", accounts=SOUND, ttl=DUE_AT_HALF_S))
        spoilt = dict(zip(names, there.houses[0].connections, strict=True))
        server.stop()
        refused = {}
        with database(server) as connection:
            for name, each in spoilt.items():
                try:
                    connection.execute(
                        f"UPDATE connections SET {name} = {spoilt_value(name, names[name])} WHERE id = ?",  # noqa: S608
                        (each["id"],),
                    )
                except sqlite3.Error as error:
                    refused[name] = str(error)
        server.start()
        check_others(server, there, there.houses[1].connections)
        shown_as = Counter(each["state"] for each in server.ask("GET", "/v1/connections?limit=100").json()["data"])
        gone = {
            name: (reply.status, reply.code)
            for name, each in spoilt.items()
            if (reply := server.ask("DELETE", f"/v1/connections/{each['id']}?forget=now")).status != 200
        }

        assert {} == refused
        assert shown_as["unreadable"] >= 10, shown_as
        assert {} == gone
        assert {} == there.served_within(there.houses[1].connections)
        assert 0 == there.doubled()


def test_each_column_of_a_revocation(server: Server, tmp_path: Path) -> None:
    """One open revocation for each column, spoilt there: the others are sent, and readiness counts those set aside."""
    names = {name: kind for name, kind in columns(server, "revocations").items() if name not in ANOTHER}
    with street(server, tmp_path / "street", providers=0) as there:
        there.houses.append(house(server, tmp_path / "street", accounts=len(names) + SOUND))
        (first,) = there.houses
        first.provider.tell("revoke", ["*"], "unavailable")
        for each in first.connections:
            assert "disconnecting" == server.ask("DELETE", f"/v1/connections/{each['id']}").json()["state"]
        server.stop()
        with database(server) as connection:
            for name, each in zip(names, first.connections, strict=False):
                connection.execute(
                    f"UPDATE revocations SET {name} = {spoilt_value(name, names[name])} WHERE connection = ?",  # noqa: S608
                    (each["id"],),
                )
        first.provider.honest_again()
        server.start()
        sound = first.connections[len(names) :]
        wait_for(lambda: {"disconnected"} == {shown(server, each)["state"] for each in sound}, 60, 0.5)
        ready = server.ask("GET", "/readyz", key=None)
        gone = {
            name: (reply.status, reply.code)
            for name, each in zip(names, first.connections, strict=False)
            if (reply := server.ask("DELETE", f"/v1/connections/{each['id']}?forget=now")).status != 200
        }

        assert (200, "set_aside") == (ready.status, ready.json()["parts"]["rows"])
        assert 1 <= ready.json()["set_aside"]["revocations"] <= len(names)
        assert {} == gone


@pytest.mark.parametrize(
    "column", ["sealed_token_set", "data_key", "sealed_username", "sealed_password", "password_key", "sealed_fields"]
)
def test_zeroed_seals(server: Server, tmp_path: Path, column: str) -> None:
    """A value that was overwritten with zeros: the connection can be disconnected, and the others notice nothing."""
    kept = {"label": "Password", "keep": "required", "reason": "The refresh tokens here are brittle."}
    with street(server, tmp_path / "street", providers=2, accounts=4, password=kept) as there:
        struck = there.houses[0].connections[0]
        server.stop()
        with database(server) as connection:
            connection.execute(f"UPDATE connections SET {column} = zeroblob(80) WHERE id = ?", (struck["id"],))  # noqa: S608
        server.start()
        there.end_access()
        others = Counter(each.status for each in there.call_each(there.neighbours(struck)))
        gone = server.ask("DELETE", f"/v1/connections/{struck['id']}")

        assert {200: 7} == dict(others)
        assert (200, "disconnected") == (gone.status, gone.json().get("state")), gone.body


def test_a_damaged_page(server: Server, tmp_path: Path) -> None:
    """A page of the table is overwritten: calls of connections that lie elsewhere go on."""
    with street(server, tmp_path / "street", providers=3, accounts=10) as there:
        server.stop()
        struck = there.houses[0].connections[0]["id"]
        with database(server) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            size = connection.execute("PRAGMA page_size").fetchone()[0]
        page, on_it = _page_of(server.data / "keyturn.db", size, struck, [each["id"] for each in there.connections])
        with (server.data / "keyturn.db").open("r+b") as file:
            file.seek(page * size)
            file.write(b"\0" * size)
        server.start()
        elsewhere = [each for each in there.connections if each["id"] not in on_it]
        others = Counter(each.status for each in there.call_each(elsewhere))
        there.end_access()
        late_ones = there.served_within(elsewhere)

        assert 10 <= len(elsewhere)
        assert {200: len(elsewhere)} == dict(others)
        assert {} == late_ones


def _page_of(path: Path, size: int, wanted: str, ids: list[str]) -> tuple[int, set[str]]:
    """The page of the table that a row begins on, and whose rows begin there: it holds what no index does."""
    whole = path.read_bytes()
    for number in range(1, len(whole) // size):
        page = whole[number * size : (number + 1) * size]
        if page[0] == 0x0D and wanted.encode() in page and b"127.0.0.1" in page:
            return number, {each for each in ids if each.encode() in page}
    raise AssertionError("the row is on no page")
