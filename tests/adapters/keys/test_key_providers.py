"""The file and environment providers keep the port's promises."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from keyturn.adapters.keys.key_file import make_key_file, read_key_file
from keyturn.adapters.keys.key_setting import key_ring_from
from keyturn.ports.keys import KeyProvider
from tests.contracts.key_provider_contract import KeyProviderContract


class TestKeyFile(KeyProviderContract):
    """A key file, read back from the disk."""

    @pytest.fixture
    def keys(self, tmp_path: Path) -> KeyProvider:
        """A first key."""
        make_key_file(tmp_path / "one")
        return read_key_file(tmp_path / "one")

    @pytest.fixture
    def other_keys(self, tmp_path: Path) -> KeyProvider:
        """A second key."""
        return make_key_file(tmp_path / "two")


class TestKeyInTheEnvironment(KeyProviderContract):
    """A key in an environment variable."""

    @pytest.fixture
    def keys(self, tmp_path: Path) -> KeyProvider:
        """A first key."""
        environ = {"KEY": base64.b64encode(bytes(range(32))).decode()}
        return key_ring_from("env:KEY", tmp_path, False, environ=environ)

    @pytest.fixture
    def other_keys(self, tmp_path: Path) -> KeyProvider:
        """A second key."""
        environ = {"KEY": base64.b64encode(bytes(range(1, 33))).decode()}
        return key_ring_from("env:KEY", tmp_path, False, environ=environ)
