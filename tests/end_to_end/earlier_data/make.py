"""Have an earlier release write a data directory in which there is one connection of each kind.

    cd CHECKOUT-OF-THE-EARLIER-RELEASE && PYTHONPATH=src:. .venv/bin/python THIS-FILE SCHEMA

It is run by hand, once for each schema that data has to be brought up from; what it writes stands beside it, as
`schema-SCHEMA/`: the database, the key and what the provider knows.
"""

from __future__ import annotations

import gzip
import importlib.util
import json
import shutil
import sqlite3
import sys
import tempfile
import threading
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from tests.end_to_end.running import Server, wait_for
from tests.end_to_end.scripted.connectors import connector_for, install, shown, sign_in
from tests.end_to_end.scripted.provider import Answer, Seen

HERE = Path(__file__).parent
YEARS_S = 10 * 365 * 86_400
KEPT = {"label": "Password", "keep": "required", "reason": "The refresh tokens here are brittle."}
STABLE = {
    "rotation": "stable", "params": {"grant_type": "refresh_token", "refresh_token": "{{ refresh_token }}"}
}  # fmt: skip


def the_provider() -> Any:
    """The module beside this one: the earlier release's tests have none."""
    spec = importlib.util.spec_from_file_location("provider_of_earlier_data", HERE / "provider.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Remembering()


def renew(server: Server, connection: dict[str, Any]) -> int:
    """Force a renewal."""
    return server.ask("POST", f"/v1/connections/{connection['id']}/renew", timeout_s=30).status


def held(let_go: threading.Event) -> Any:
    """An answer that does not come before the release has been killed."""

    def hold(request: Seen) -> Answer:
        let_go.wait(60)
        return Answer(reset=True)

    return hold


def made(server: Server, provider: Any) -> dict[str, dict[str, Any]]:
    """A connection of each kind; the server is killed in the end, with three renewals under way."""
    plain = install(server, connector_for(provider, connector="plain"))
    stable = install(server, connector_for(provider, connector="stable", refresh=STABLE))
    kept = install(server, connector_for(provider, connector="kept", password=KEPT))

    def connect(name: str, connector: str = plain, **more: Any) -> dict[str, Any]:
        reply = sign_in(server, connector, name, owner=f"owner-{name}", **more)
        assert reply.status == 201, reply.body
        found: dict[str, Any] = reply.json()
        return found

    provider.ttl = YEARS_S
    found = {name: connect(name) for name in ("sound", "ended", "unknown", "sent", "gone", "paused", "troubled")}
    found["sent-stable"] = connect("sent-stable", stable)
    found["sent-kept"] = connect("sent-kept", kept, keep_password=True)

    assert renew(server, found["sound"]) == 200
    provider.dead_families |= {family for family, account, _ in provider.refresh.values() if account == "id-ended"}
    renew(server, found["ended"])
    provider.then("/token", lambda request: lost(provider, request))
    renew(server, found["unknown"])
    provider.then("/revoke", *(Answer(503) for _ in range(20)))
    server.ask("DELETE", f"/v1/connections/{found['gone']['id']}")
    server.ask("POST", f"/v1/connections/{found['paused']['id']}/pause")
    provider.then("/token", *(Answer(500) for _ in range(2)))
    renew(server, found["troubled"])
    provider._queued.clear()

    let_go = threading.Event()
    provider.always["/token"] = held(let_go)
    waiting = ("sent", "sent-stable", "sent-kept")
    before = len(provider.seen("/token"))
    for name in waiting:
        threading.Thread(target=renew_quietly, args=(server, found[name]), daemon=True).start()
    wait_for(lambda: len(provider.seen("/token")) == before + len(waiting), 20, 0.05)
    states = {name: shown(server, each) for name, each in found.items()}
    server.kill()
    let_go.set()
    return states


def lost(provider: Any, request: Seen) -> Answer:
    """The provider rotates, and its answer is lost."""
    provider.token(request)
    return Answer(reset=True)


def renew_quietly(server: Server, connection: dict[str, Any]) -> None:
    """Force a renewal whose answer never comes."""
    with suppress(OSError):
        renew(server, connection)


def main(schema: str) -> None:
    """Write it."""
    target = HERE / f"schema-{schema}"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        provider, server = the_provider(), Server(data, Path(folder) / "log")
        states = made(server.start(), provider)
        with closing(sqlite3.connect(data / "keyturn.db")) as database:
            assert database.execute("SELECT version_num FROM alembic_version").fetchone() == (schema,)
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            database.execute("PRAGMA journal_mode=DELETE")
            database.execute("VACUUM")
        with (target / "keyturn.db.gz").open("wb") as packed:
            packed.write(gzip.compress((data / "keyturn.db").read_bytes(), mtime=0))
        print(sorted(each.name for each in data.iterdir()))
        shutil.copy(data / "keyturn.key", target / "keyturn.key")
        provider.write_down(target / "provider.json")
        told = ("id", "owner", "connector", "state", "reason", "generation")
        kept = {name: {key: each[key] for key in told} for name, each in states.items()}
        (target / "connections.json").write_text(json.dumps(kept, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
