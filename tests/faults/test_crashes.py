"""A bug of ours in the middle of each use case: what it held stands in no answer, no log and no file."""

from __future__ import annotations

import binascii
import http.client
import socket
import subprocess
import sys
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.canaries import find_canaries, forms_of
from tests.end_to_end.running import (
    CHECKOUT,
    Provider,
    Reply,
    Server,
    ask,
    connect,
    example_connector,
    install_connector,
    running_provider,
    wait_for,
)

BUGGY = str(CHECKOUT / "tests/faults/crashing_server.py")
CLIENT = {"client_id": "acme-client", "client_secret": "acme-secret-for-trying-out-only"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(slots=True)
class House:
    """A server with bugs on demand, what was told to it, and what no file may show."""

    server: Server
    provider: Provider
    orders: Path
    secrets: list[str] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)

    def order(self, point: str) -> str:
        """Arm one point; gives the canary that it will raise."""
        canary = f"canary{len(self.secrets)}-of/{point}+Zoë%41"
        self.secrets.append(canary)
        self.orders.write_text(f"{point} {canary}")
        return canary

    @property
    def done(self) -> bool:
        """Whether the last order was carried out."""
        return not self.orders.read_text()

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> Reply:
        """As the server's, remembered."""
        reply = self.server.ask(method, path, body, **more)
        self.replies.append(reply)
        return reply

    def connect(self, owner: str) -> Reply:
        """Log the demo account in."""
        password = self.provider.password
        body = {"connector": "acme-example", "owner": owner, "username": self.provider.username, "password": password}
        reply = self.ask("POST", "/v1/connections", body, headers={"Idempotency-Key": f"k-{owner}-{len(self.secrets)}"})
        return reply

    def crash(self, point: str, method: str, path: str, body: Any = None, **more: Any) -> Reply:
        """Send a request during which this point has a bug."""
        self.order(point)
        reply = self.ask(method, path, body, **more)
        assert self.done, f"{point} was not reached by {method} {path}"
        return reply


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One for this file, with a connector installed."""
    where = tmp_path_factory.mktemp("crashes")
    orders = where / "orders"
    orders.write_text("")
    with running_provider("--access-ttl", "300") as provider:
        server = Server(where / "data", where / "server.log", (sys.executable, BUGGY, str(orders)))
        try:
            server.start()
            install_connector(server, example_connector(provider.port))
            yield House(server, provider, orders, [provider.password, CLIENT["client_secret"]])
        finally:
            server.stop()


def shown(house: House) -> list[str]:
    """Where a canary or a secret stands that may stand nowhere: answers, log, files."""
    forms = [form for secret in house.secrets for form in forms_of(secret)]
    answered = [f"answer {n}" for n, each in enumerate(house.replies) if any(form in each.body for form in forms)]
    return answered + find_canaries([house.server.data, house.server.log], house.secrets)


LOGIN = (
    "connectors.version", "connectors.client", "logins.account_key", "logins.reserve", "egress.send",
    "logins.settle", "connections.find_account", "connections.insert", "idempotency.begin", "idempotency.finish",
)  # fmt: skip


def test_a_login(house: House) -> None:
    """The password, the application's secret and fresh tokens are at hand."""
    before = len(house.replies)  # of other tests
    for n, point in enumerate(LOGIN):
        house.order(point)
        house.connect(f"login-{n}")
        assert house.done, point

    assert {201, 500} >= {each.status for each in house.replies[before:]}
    assert [] == shown(house)


def test_a_connection(house: House) -> None:
    """Its calls, its renewals, its tests, its end."""
    one = f"/v1/connections/{connect(house.server, 'acme-example', 'demo', house.provider.password).json()['id']}"
    call = one.replace("/connections/", "/proxy/") + "/me"
    house.crash("connections.open", "GET", call)
    house.crash("upstream.open", "POST", call, {"in": "a body"})
    for point in ("renewals.read", "renewals.claim", "renewals.settle"):
        house.crash(point, "POST", f"{one}/renew")
        house.ask("GET", call)
    sender = connect(house.server, "acme-example", "demo", house.provider.password, owner="sender").json()["id"]
    house.crash("egress.send", "POST", f"/v1/connections/{sender}/renew")
    house.crash("egress.send", "POST", f"{one}/test")
    house.crash("connections.open", "POST", "/v1/connections", {
        "connector": "acme-example", "owner": "owner-1", "username": "demo", "password": house.provider.password,
    })  # fmt: skip
    house.crash("connections.save", "POST", f"{one}/pause")
    house.ask("POST", f"{one}/pause")
    house.crash("connections.save", "POST", f"{one}/resume")
    house.ask("GET", f"{one}/why")
    house.crash("audit.list", "GET", f"{one}/events")
    house.crash("connections.list", "GET", "/v1/connections")
    house.crash("connections.save", "DELETE", one)
    house.crash("egress.send", "DELETE", one)

    assert [] == shown(house)


def test_the_operators_things(house: House) -> None:
    """API keys, connectors, the application's secret."""
    text = example_connector(house.provider.port)
    yaml = {"Content-Type": "application/yaml"}
    house.crash("catalogue.read", "PUT", "/v1/connectors/acme-example", text, headers=yaml)
    house.crash("connectors.put_draft", "PUT", "/v1/connectors/acme-example", text, headers=yaml)
    changed = text.replace("title: ", "title: Another ", 1)
    assert text != changed
    house.server.ask("PUT", "/v1/connectors/acme-example", changed, headers=yaml)
    house.crash("connectors.publish", "POST", "/v1/connectors/acme-example/publish")
    house.crash("connectors.set_client", "PUT", "/v1/connectors/acme-example/client", CLIENT)
    house.crash("api_keys.add", "POST", "/v1/api-keys", {"name": "x", "scopes": ["read"]})
    house.crash("api_keys.find", "GET", "/v1/connections", key="kt_" + "A" * 43 + checksum("kt_" + "A" * 43))

    assert [] == shown(house)


def checksum(body: str) -> str:
    """The end of an API key of the right form."""
    return f"{binascii.crc32(body.encode()):08x}"


def test_the_page(house: House) -> None:
    """What somebody types there, and the link's and the cookie's secrets."""
    made = house.server.ask("POST", "/v1/connect-sessions", {"connector": "acme-example", "owner": "page"}).json()
    link = "/" + made["url"].split("/", 3)[3]
    house.secrets.append(link[3:])
    house.crash("sessions.find_link", "GET", link, key=None)
    house.crash("sessions.save", "POST", link, b"", key=None, headers=FORM)
    claim = ask(house.server.port, "POST", link, b"", key=None, headers=FORM)
    cookie, path = claim.headers["set-cookie"].partition(";")[0], claim.headers["location"]
    house.secrets.append(cookie.partition("=")[2])
    for point in ("sessions.load", "connectors.client", "logins.reserve", "egress.send", "connections.insert"):
        page = ask(house.server.port, "GET", path, key=None, headers={"Cookie": cookie}).body.decode()
        token = page.split('name="form" value="')[1].split('"')[0]
        typed = {"form": token, "username": "demo", "password": house.provider.password}
        head = {**FORM, "Cookie": cookie}
        house.crash(point, "POST", path, urllib.parse.urlencode(typed), key=None, headers=head)

    assert [] == shown(house)


@pytest.mark.slow
def test_jobs_keys_people_and_the_audit_log(house: House) -> None:
    """What an operator does, each with a bug in its middle."""
    link = house.ask("POST", "/v1/people", {"name": "Eve", "role": "admin"})
    person = link.json()["id"]
    house.crash("people.add", "POST", "/v1/people", {"name": "Mallory", "role": "admin"})
    house.crash("people.add_link", "POST", f"/v1/people/{person}/sign-in-links", {})
    house.crash("people.save", "DELETE", f"/v1/people/{person}")
    house.crash(
        "jobs.add",
        "POST",
        "/v1/jobs",
        {"kind": "connection.bulk", "action": "test", "filter": {"connector": "acme-example"}},
    )
    house.crash("jobs.list", "GET", "/v1/jobs")
    house.crash("keys.keys", "GET", "/v1/keys")
    house.crash("keys.add", "POST", "/v1/keys")
    house.crash("chain.page", "GET", "/v1/audit")
    house.crash("chain.bounds", "GET", "/v1/audit/verify")
    house.order("chain.both")
    with pytest.raises((ValueError, http.client.HTTPException)):  # half of it is out: the rest is cut off
        house.server.ask("GET", "/v1/audit/export")
    house.crash("chain.erase", "DELETE", "/v1/owners/nobody-in-particular")
    house.crash("audit.append", "PUT", "/v1/instance/log-level", {"level": "debug", "for_s": 60})

    assert [] == shown(house)


def test_every_other_sink(house: House) -> None:
    """Metrics, the audit log and its export, timelines, dry runs, listings, broken requests: after all those bugs."""
    one = connect(house.server, "acme-example", "demo", house.provider.password, owner="sinks").json()["id"]
    link = house.server.ask("POST", "/v1/connect-sessions", {"connector": "acme-example", "owner": "sinks"}).json()
    house.secrets.append(link["url"].rsplit("/", 1)[1])
    vended = house.server.ask("POST", f"/v1/connections/{one}/token").json()["access_token"]
    house.secrets.append(vended)
    house.ask("POST", f"/v1/connections/{one}/test?dry_run=true")
    house.ask("GET", f"/v1/proxy/{one}/nowhere/{vended}")  # the API says that it does not know this path
    for path in ("/metrics", "/readyz", "/openapi.json"):
        house.ask("GET", path, key=None)
    for path in ("events", "why", ""):
        house.ask("GET", f"/v1/connections/{one}/{path}".rstrip("/"))
    for path in ("/v1/audit", "/v1/audit/export", "/v1/audit/verify", "/v1/connections", "/v1/connectors/acme-example"):
        house.ask("GET", path)
    for body in (
        f'{{"password": "{vended}"',
        {"connector": vended, "username": vended, "password": vended, "x": vended},
    ):
        house.ask("POST", "/v1/connections", body, headers={"Content-Type": "application/json"})
    house.ask("GET", f"/v1/connections/{vended}")
    head = f"GET /v1/{vended} HTTP/1.1\r\nHost: x\r\nHost: {vended}\r\nA b: {vended}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", house.server.port), timeout=10) as raw:
        raw.sendall(head.encode())
        raw.settimeout(10)
        while raw.recv(65_536):
            pass

    assert {200, 404} <= {each.status for each in house.replies}
    assert [] == shown(house)


def test_a_crash_at_the_top(house: House, tmp_path: Path) -> None:
    """An exception that nobody caught ends the process with its kind and place, never with what it said."""
    canary = "canary-at-the-top-level"
    code = (
        "import sys, threading\nfrom keyturn.bootstrap.runtimes import prepare_process\n"
        "from keyturn.bootstrap.settings import read_settings\n"
        "prepare_process(read_settings(log_level='debug'))\n"
        "def fall(): raise RuntimeError(sys.argv[1])\n"
        "each = threading.Thread(target=fall); each.start(); each.join()\nfall()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, canary], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )

    assert 1 == done.returncode
    assert 2 == done.stderr.count("RuntimeError")
    assert canary not in done.stdout + done.stderr


def test_what_happens_by_itself(house: House) -> None:
    """The loops go on, and say that a round failed."""
    for point in ("connections.looks", "revocations.due"):
        house.order(point)
        wait_for(lambda: house.done)
    wait_for(lambda: house.server.log.read_text().count("round_failed") >= 2)

    assert [] == shown(house)
