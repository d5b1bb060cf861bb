"""Nothing secret is at rest in the clear: not in the database, its journals, or spill files, at no moment."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from keyturn.adapters.keys.key_file import make_key_file
from keyturn.adapters.store.opening import Stores
from keyturn.core.connection import ConnectionSecrets, State
from keyturn.core.secret import Secret
from keyturn.ports.access.idempotency import StoredReply
from keyturn.ports.challenges import PendingLogin
from keyturn.ports.store import ClientCredentials, SealedChange
from tests.adapters.store.conftest import opened
from tests.contracts.samples import NOW, challenge, connection, connector, revocation, token_set

SHOWN = "a name that everybody may read"
PLACES = (
    "access refresh kept username password field new-access new-password spill revoked revoked-value lone-revoked "
    "client-id client-secret reply-body reply-header idempotency-key account "
    "challenged-username challenged-password challenged-field captured captured-name"
).split()
CANARIES = {place: f"kt-canary/{place}+ü%7f!" for place in PLACES}


def _forms(secret: str) -> Iterator[bytes]:
    """How a text may be written: as it is, for JSON, for URLs, in hex, in UTF-16, in base64 at any alignment."""
    raw = secret.encode()
    yield from (raw, json.dumps(secret)[1:-1].encode(), quote(secret, safe="").encode(), raw.hex().encode())
    yield secret.encode("utf-16-le")
    for shift in range(3):
        # The letters at both ends also depend on the neighbours; what lies between is found wherever it stands.
        for encoded in (base64.b64encode(bytes(shift) + raw), base64.urlsafe_b64encode(bytes(shift) + raw)):
            yield encoded[4:-4]


def _leaks(data_dir: Path) -> set[str]:
    files = [path.read_bytes() for path in sorted(data_dir.rglob("*")) if path.is_file()]
    assert any(SHOWN.encode() in content for content in files), "the search finds what is there"
    return {
        place
        for place, secret in CANARIES.items()
        for form in _forms(secret)
        for content in files
        if form in content or form.lower() in content
    }


def _secret(place: str) -> Secret:
    return Secret(CANARIES[place])


async def _keep(stores: Stores) -> None:
    """Put a canary wherever something secret can go."""
    tokens = token_set(
        access_token=_secret("access"),
        refresh_token=_secret("refresh"),
        kept={"a": [CANARIES["kept"]], CANARIES["kept"]: 1},
    )
    kept = ConnectionSecrets(tokens, _secret("username"), _secret("password"), {"pin": _secret("field")})
    row = await stores.connections.insert(connection(name=SHOWN), kept)
    row = await stores.connections.save(
        replace(row, generation=2),
        sealed=SealedChange(token_set=token_set(access_token=_secret("new-access")), password=_secret("new-password")),
        revocations=[
            revocation(
                connection=row.id,
                token_set=token_set(access_token=_secret("revoked")),
                values={"x": _secret("revoked-value"), "y": {CANARIES["revoked-value"]: CANARIES["revoked-value"]}},
            )
        ],
    )
    await stores.spill.write(row, token_set(access_token=_secret("spill")))
    await stores.revocations.add(revocation("rev_2", token_set=token_set(access_token=_secret("lone-revoked"))))
    await stores.connectors.put_draft(connector(), "id: acme", at=NOW)
    await stores.connectors.set_client(
        "acme", ClientCredentials(CANARIES["client-id"], _secret("client-secret")), at=NOW
    )
    await stores.idempotency.begin(CANARIES["idempotency-key"], "digest", now=NOW)
    header = ("Location", CANARIES["reply-header"])
    reply = StoredReply("digest", 201, CANARIES["reply-body"].encode(), (header,))
    await stores.idempotency.finish(CANARIES["idempotency-key"], reply)
    await stores.challenges.add(
        challenge("chl_1", expires_at=NOW - 1),
        PendingLogin(
            CANARIES["challenged-username"],
            _secret("challenged-password"),
            {"mfa_token": _secret("captured"), "deep": {CANARIES["captured-name"]: [_secret("captured")]}},
            {"pin": _secret("challenged-field")},
        ),
    )
    account = await stores.logins.account_key("acme", "a.example.com", CANARIES["account"])
    await stores.connections.insert(connection("cxn_2", name=account), ConnectionSecrets())


async def _drop(stores: Stores) -> None:
    """Delete all of it again."""
    row = await stores.connections.load("cxn_1")
    assert row is not None
    await stores.connections.save(replace(row, state=State.DISCONNECTED, disconnected_at=NOW))
    for name in ("rev_1", "rev_2"):
        await stores.revocations.remove(name)
    await stores.spill.forget("cxn_1", 2)
    await stores.challenges.purge(expired_before=NOW - 50, wipe_before=NOW)
    await stores.idempotency.begin("another", "digest", now=NOW + 86_400)


def test_the_search_finds_every_form() -> None:
    """A search that misses would always be content."""
    secret = CANARIES["access"]
    for around in ("", "x", "xy", "xyz"):
        text = around + secret + around

        assert any(form in base64.b64encode(text.encode()) for form in _forms(secret))
        assert any(form in quote(text, safe="").encode() for form in _forms(secret))
        assert any(form in text.encode("utf-16-le") for form in _forms(secret))


async def test_no_secret_is_at_rest_in_the_clear(tmp_path: Path) -> None:
    """While it is written (with the log not yet merged), after it was deleted, and after the store was closed."""
    data_dir, key = tmp_path / "data", make_key_file(tmp_path / "key")
    async with opened(data_dir, key) as stores:
        await _keep(stores)
        while_open = _leaks(data_dir)
        journals = sorted(path.name for path in data_dir.iterdir())
        await _drop(stores)
        after_delete = _leaks(data_dir)
    after_close = _leaks(data_dir)

    assert ["keyturn.db", "keyturn.db-shm", "keyturn.db-wal", "spill"] == journals
    assert set() == while_open
    assert set() == after_delete
    assert set() == after_close


async def test_a_restart_finds_what_was_kept(tmp_path: Path) -> None:
    """The canaries were not found because they are sealed, not because they are not there."""
    data_dir, key = tmp_path / "data", make_key_file(tmp_path / "key")
    async with opened(data_dir, key) as stores:
        await _keep(stores)
    async with opened(data_dir, key) as stores:
        found = await stores.connections.open("cxn_1")
        client = await stores.connectors.client("acme")
        reply = await stores.idempotency.begin(CANARIES["idempotency-key"], "digest", now=NOW + 1)
        spilled = await stores.spill.pending()
        challenged = await stores.challenges.open("chl_1")

    assert found is not None
    assert found[1].token_set == token_set(access_token=_secret("new-access"))
    assert found[1].password == _secret("new-password")
    assert {"pin": _secret("field")} == found[1].fields
    assert ClientCredentials(CANARIES["client-id"], _secret("client-secret")) == client
    assert reply is not None
    assert CANARIES["reply-body"].encode() == reply.body
    assert [("cxn_1", 2, token_set(access_token=_secret("spill")))] == list(spilled)
    assert challenged is not None
    assert challenged[1] is not None
    assert challenged[1].password == _secret("challenged-password")


async def test_files_are_their_owner_s_alone(tmp_path: Path) -> None:
    """Directories 0700, files 0600, whatever the process's mask."""
    data_dir = tmp_path / "data"
    async with opened(data_dir) as stores:
        await _keep(stores)
        modes = {path.name: oct(path.stat().st_mode & 0o777) for path in [data_dir, *data_dir.rglob("*")]}

    assert {"data", "spill"} == {name for name, mode in modes.items() if mode == "0o700"}
    assert {"0o600"} == {mode for name, mode in modes.items() if name not in ("data", "spill")}
    assert 4 == sum(mode == "0o600" for mode in modes.values())
