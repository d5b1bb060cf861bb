"""Each column of a connection's row spoilt, as an outsider meets it: it is shown, refused, ended, and alone in that."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

from tests.end_to_end.running import Server, running_server, wait_for
from tests.end_to_end.scripted.connectors import call, connector_for, install, shown, sign_in
from tests.end_to_end.scripted.provider import scripted_provider

# By these the row is found; spoilt, it is another row or none.
FOUND_BY = {"id", "project"}
# Mended by being set aside, where nothing else is wrong with the row.
MENDED = {"parked_at", "parked_why"}
# Nothing of a row that is read depends on what stands there.
APART = {"unique_hash", "look_at", "lease_holder", "lease_until"}
# Empty on these, and read only beside what is not.
SEALED = {"sealed_token_set", "data_key", "sealed_username", "sealed_password", "password_key", "sealed_fields"}
GENERATIONS = {f"sealed_{name}_generation" for name in ("username", "password", "fields")}
WORDS = {"state": "'telepathic'", "intent_kind": "'telepathy'"}


def spoilt(server: Server, ids: dict[str, str]) -> None:
    """Write past keyturn what no release ever wrote, in each row to one column; and have all of them be due.

    So the scheduler meets those that can't be read beside the sound ones, and in its first round.
    """
    with contextlib.closing(sqlite3.connect(server.data / "keyturn.db")) as database, database:
        database.execute("UPDATE connections SET renews_at = 1, look_at = 1")
        for row in database.execute("PRAGMA table_info(connections)").fetchall():
            if (name := row[1]) in ids:
                bad = "zeroblob(80)" if name in SEALED else "CAST(X'ff00fe' AS TEXT)" if row[2] == "TEXT" else "'none'"
                value = WORDS.get(name, bad)
                database.execute(f"UPDATE connections SET {name} = {value} WHERE id = ?", (ids[name],))  # noqa: S608


def names_of(server: Server) -> list[str]:
    """The columns that are spoilt."""
    with contextlib.closing(sqlite3.connect(server.data / "keyturn.db")) as database:
        names = [row[1] for row in database.execute("PRAGMA table_info(connections)")]
    return [each for each in names if each not in FOUND_BY | MENDED | APART | GENERATIONS]


def test_each_column(tmp_path: Path) -> None:
    """List, GET, calls, `why`, disconnect, and the neighbours, which are served and renewed by the clock."""
    with running_server(tmp_path, env={"KEYTURN_LIMIT_SIGNIN": "100000"}) as server, scripted_provider() as provider:
        connector = install(server, connector_for(provider))
        ids: dict[str, str] = {}
        sound: list[dict[str, Any]] = []
        for number, name in enumerate([*names_of(server), "sound", "sound"]):
            made = sign_in(server, connector, owner=f"o{number}")
            assert 201 == made.status, made.body
            if name == "sound":
                sound.append(made.json())
            else:
                ids[name] = made.json()["id"]
        server.stop()
        spoilt(server, ids)
        server.start()
        wait_for(lambda: all(shown(server, each)["generation"] > 1 for each in sound), 60, 0.5)
        listed = {each["id"]: each for each in server.ask("GET", "/v1/connections?limit=200").json()["data"]}
        ready = server.ask("GET", "/readyz", key=None)
        met = {}
        for name, connection_id in ids.items():
            one = server.ask("GET", f"/v1/connections/{connection_id}")
            why = server.ask("GET", f"/v1/connections/{connection_id}/why")
            called = call(server, {"id": connection_id})
            ended = server.ask("DELETE", f"/v1/connections/{connection_id}")
            said = (one.json()["state"], one.json()["reason"], why.json()["code"])
            told = (called.code, ended.status, ended.json()["state"], ended.json()["revocation"]["result"])
            met[name] = (listed[connection_id]["state"], *said, *told)

        rows = {name: each for name, each in met.items() if name not in SEALED}
        broken = ("row_broken", 200, "disconnected", "not_possible")
        assert dict.fromkeys(rows, ("unreadable", "unreadable", "row_broken", "row_broken", *broken)) == rows
        assert {"seal_broken"} == {met[each][4] for each in ("sealed_token_set", "data_key")}
        assert {(200, "disconnected")} == {met[each][5:7] for each in SEALED}
        assert {each["id"] for each in sound} < listed.keys()
        assert [200, 200] == [call(server, each).status for each in sound]
        assert (200, "set_aside") == (ready.status, ready.json()["parts"]["rows"])
        assert 0 < ready.json()["set_aside"]["connections"] <= len(ids)
