"""The peers start, take the passwords that are easy to get wrong, and are gone afterwards."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.parse
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from tests.peers.running import QUICK_NAMES, Peer, PeerNotStartedError, reserve_port, running_peer

F = TypeVar("F", bound=Callable[..., object])
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def starts_a_peer(test: F) -> F:
    """One of `make test-peers`, which a first start gives the time to install the server."""
    return pytest.mark.slow(pytest.mark.timeout(600)(test))


def log_in(peer: Peer, username: str, password: str | None) -> dict[str, object]:
    """Log in by the password grant with Basic and give the JSON answer."""
    assert password is not None
    form = {"grant_type": "password", "username": username, "password": password, "scope": "read"}
    basic = b64encode(f"{peer.client_id}:{peer.client_secret}".encode()).decode()
    request = urllib.request.Request(  # noqa: S310 - the peer is on 127.0.0.1
        peer.token_url, urllib.parse.urlencode(form).encode(), {"Authorization": f"Basic {basic}"}
    )
    with OPENER.open(request, timeout=20) as response:
        answer: dict[str, object] = json.load(response)
    return answer


@starts_a_peer
@pytest.mark.parametrize("name", QUICK_NAMES)
def test_both_accounts_log_in(name: str) -> None:
    """A peer takes the plain password and the one full of characters that want escaping, and refuses a near miss."""
    with running_peer(name, ACCESS_TTL="77") as peer:
        plain = log_in(peer, peer.username, peer.password)
        odd = log_in(peer, str(peer.second_username), peer.second_password)
        with pytest.raises(urllib.error.HTTPError) as refused:
            log_in(peer, str(peer.second_username), f"{peer.second_password} ")
        refused.value.close()

    assert [77, 77] == [plain["expires_in"], odd["expires_in"]]
    assert 400 == refused.value.code


@starts_a_peer
def test_a_peer_is_gone_afterwards() -> None:
    """The server ends with the block, also when the block fails."""
    seen: list[Peer] = []

    def fail_inside() -> None:
        with running_peer("authlib") as peer:
            seen.append(peer)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_inside()

    with pytest.raises(urllib.error.URLError, match="refused"):
        log_in(seen[0], seen[0].username, seen[0].password)


@starts_a_peer
def test_two_of_one_peer_have_their_own_ports() -> None:
    """Peers that run at once share neither port nor process."""
    with running_peer("authlib") as one, running_peer("authlib") as two:
        pass

    assert one.base_url != two.base_url
    assert one.pid != two.pid


def test_a_reserved_port_is_not_given_twice(tmp_path: Path) -> None:
    """While a port is reserved a second wish for it fails; afterwards it can be had again."""
    with reserve_port(tmp_path) as port, pytest.raises(PeerNotStartedError), reserve_port(tmp_path, port):
        pass

    with reserve_port(tmp_path, port) as again:
        assert port == again


def test_an_unknown_peer_is_refused() -> None:
    """A name that has no scripts here is the test's mistake and says which names there are."""
    with pytest.raises(ValueError, match="authlib"), running_peer("../authlib"):
        pass


@starts_a_peer
def test_a_peer_needs_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without HOME the files still have a place: inside the checkout."""
    for name in ("HOME", "XDG_CACHE_HOME", "PEERS_HOME"):
        monkeypatch.delenv(name, raising=False)

    with running_peer("authlib") as peer:
        assert "HOME" not in os.environ
        assert "authlib" == peer.name


def test_no_peer_shows_its_secrets() -> None:
    """The repr of a peer, which a failing test prints, holds no password and no client secret."""
    secrets = {"client_secret": "s-1", "password": "s-2", "second_password": "s-3", "notes": "s-4"}
    others = {key: "x" for key in Peer.__dataclass_fields__ if key not in secrets and key != "pid"}

    assert "s-" not in repr(Peer(**others, **secrets, pid=1))
