"""Keys that never leave their service: AWS KMS, and the transit engine of Vault or OpenBao."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from keyturn.adapters.keys.aws_kms import AwsKmsKey
from keyturn.adapters.keys.key_setting import key_ring_from
from keyturn.adapters.keys.vault_transit import VaultTransitKey
from keyturn.core.errors import KeyUnavailable, SettingsInvalid, WrongKey
from keyturn.ports.keys import KeyProvider
from tests.adapters.keys.transit_server import TOKEN, TransitServer, transit_server
from tests.contracts.key_provider_contract import DATA_KEY, KeyProviderContract

ARN = "arn:aws:kms:eu-west-1:123456789012:key/00000000-0000-0000-0000-000000000000"


@pytest.fixture(name="kms")
def _kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "of-the-tests")
    session = importlib.import_module("botocore.session")

    with mock_aws():
        yield session.get_session().create_client("kms", region_name="eu-west-1")


def _kms_key(kms: Any) -> AwsKmsKey:
    return AwsKmsKey(kms.create_key()["KeyMetadata"]["Arn"])


class TestAwsKms(KeyProviderContract):
    """AWS KMS, as moto plays it."""

    @pytest.fixture
    def keys(self, kms: Any) -> KeyProvider:
        """A first key."""
        return _kms_key(kms)

    @pytest.fixture
    def other_keys(self, kms: Any) -> KeyProvider:
        """A second key."""
        return _kms_key(kms)


class TestVaultTransit(KeyProviderContract):
    """A transit engine."""

    @pytest.fixture
    async def keys(self, vault: TransitServer) -> AsyncIterator[KeyProvider]:
        """A first key."""
        key = _vault_key(vault, "one")
        yield key
        await key.close()

    @pytest.fixture
    async def other_keys(self, vault: TransitServer) -> AsyncIterator[KeyProvider]:
        """A second key."""
        key = _vault_key(vault, "two")
        yield key
        await key.close()


@pytest.fixture(name="vault")
async def _vault() -> AsyncIterator[TransitServer]:
    async with transit_server() as server:
        yield server


def _vault_key(server: TransitServer, name: str, more: str = "") -> VaultTransitKey:
    return VaultTransitKey(f"{server.url}/transit/{name}?token_env=T{more}", environ={"T": TOKEN})


async def test_a_kms_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens there: unavailable, and nothing of the address is said."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "of-the-tests")
    key = AwsKmsKey(ARN, endpoint="http://127.0.0.1:9")

    with pytest.raises(KeyUnavailable, match=r"can't be asked: [A-Za-z]+$"):
        await key.wrap(DATA_KEY, b"context")


async def test_a_kms_without_the_key(kms: Any) -> None:
    """It is the wrong key, not an outage."""
    with pytest.raises(WrongKey):
        await AwsKmsKey(ARN).wrap(DATA_KEY, b"context")


@pytest.mark.parametrize("status", [301, 307, 403, 404, 429, 500, 503])
async def test_a_vault_that_refuses(vault: TransitServer, status: int) -> None:
    """Sealed, overloaded, without rights, or sending elsewhere: unavailable, with the number and no word of its own."""
    key = _vault_key(vault, "one")
    vault.answer = (status, b'{"errors": ["canary"]}')
    with pytest.raises(KeyUnavailable, match=str(status)) as refused:
        await key.wrap(DATA_KEY, b"context")
    await key.close()

    assert "canary" not in f"{refused.value!r} {refused.value}"
    assert 1 == len(vault.asked)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'{"data": {}}', b'{"data": 1}', b"x" * 99_999])
async def test_a_vault_that_talks_nonsense(vault: TransitServer, body: bytes) -> None:
    """Whatever it is, it is not taken for a wrapped key."""
    key = _vault_key(vault, "one")
    vault.answer = (200, body)
    with pytest.raises(KeyUnavailable):
        await key.wrap(DATA_KEY, b"context")
    await key.close()


async def test_a_vault_that_is_not_there() -> None:
    """Nobody listens."""
    key = VaultTransitKey("http://127.0.0.1:9/transit/one?token_env=T", environ={"T": TOKEN})
    with pytest.raises(KeyUnavailable):
        await key.wrap(DATA_KEY, b"context")
    await key.close()


async def test_a_vault_without_the_key(vault: TransitServer) -> None:
    """It is the wrong key, not an outage."""
    key = _vault_key(vault, "three")
    with pytest.raises(WrongKey):
        await key.wrap(DATA_KEY, b"context")
    await key.close()


async def test_a_key_that_vault_itself_rotated(vault: TransitServer) -> None:
    """Its versions are its own business: what an older one wrapped still opens, and the id stays."""
    key = _vault_key(vault, "one", "&namespace=team")
    wrapped = await key.wrap(DATA_KEY, b"context")
    vault.keys["one"][2] = bytes(32)
    again = await key.wrap(DATA_KEY, b"context")

    assert [DATA_KEY] * 2 == [await key.unwrap(each, b"context") for each in (wrapped, again)]
    assert wrapped[1:9] == again[1:9]
    assert {"team"} == {headers["X-Vault-Namespace"] for _, headers in vault.asked}
    await key.close()


async def test_a_token_file_is_read_each_time(vault: TransitServer, tmp_path: Path) -> None:
    """An agent writes it anew while keyturn runs; one that is gone is an outage."""
    file = tmp_path / "token"
    key = VaultTransitKey(f"{vault.url}/transit/one?token_file={file}", environ={})
    with pytest.raises(KeyUnavailable, match="token"):
        await key.wrap(DATA_KEY, b"context")
    file.write_text(f"{TOKEN}\n")
    wrapped = await key.wrap(DATA_KEY, b"context")

    assert DATA_KEY == await key.unwrap(wrapped, b"context")
    assert TOKEN not in f"{key!r} {vars(key)}"
    await key.close()


def test_the_same_key_at_another_address() -> None:
    """With a name of its own it stays the same key."""
    one, two = (
        VaultTransitKey(f"https://{host}/transit/k?token_env=T&name=main", environ={"T": TOKEN})
        for host in ("old.example", "new.example:8200")
    )
    other = VaultTransitKey("https://old.example/transit/k?token_env=T", environ={"T": TOKEN})

    assert (one.key_id, one.fingerprint()) == (two.key_id, two.fingerprint())
    assert other.key_id != one.key_id


@pytest.mark.parametrize(
    "spec",
    [
        "awskms:alias/keyturn",
        "awskms:arn:aws:kms:eu-west-1:123456789012:alias/keyturn",
        f"awskms:{ARN}?region=x",
        "vault:http://vault.example/transit/k?token_env=T",
        "vault:https://vault.example/k?token_env=T",
        "vault:https://vault.example/transit/k",
        "vault:https://vault.example/transit/k?token_env=ABSENT",
        "vault:https://vault.example/transit/k?token=s3cret",
        "vault:https://user:s3cret@vault.example/transit/k?token_env=T",
        "vault:https://vault.example/transit/../k?token_env=T",
    ],
)
def test_what_names_no_key_is_refused(tmp_path: Path, spec: str) -> None:
    """The message says what would be right and does not quote."""
    with pytest.raises(SettingsInvalid) as refused:
        key_ring_from(spec, tmp_path, False, environ={"T": TOKEN})

    assert "s3cret" not in str(refused.value)
    assert TOKEN not in str(refused.value)


def test_several_keys_of_every_kind(tmp_path: Path) -> None:
    """The first is current; a comma in a path divides nothing."""
    from keyturn.adapters.keys.key_file import make_key_file

    path = tmp_path / "a,b.key"
    made = make_key_file(path)
    spec = f"vault:https://vault.example/transit/k?token_env=T, awskms:{ARN} ,file:{path}"
    ring = key_ring_from(spec, tmp_path, True, environ={"T": TOKEN})

    assert ["vault", "awskms", "file"] == [each.provider for each in ring.held().values()]
    assert "vault" == ring.provider
    assert made.key_id in ring.held()


def test_nothing_of_aws_is_loaded_without_such_a_key(tmp_path: Path) -> None:
    """It is an extra, and takes a third of a second."""
    code = (
        "import sys; from pathlib import Path; import keyturn.bootstrap.wiring;"
        "from keyturn.adapters.keys.key_setting import key_ring_from;"
        f"key_ring_from(None, Path({str(tmp_path)!r}), False, environ={{}});"
        "print([m for m in sys.modules if m.startswith(('boto', 's3transfer', 'moto'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert "[]" == done.stdout.strip()
