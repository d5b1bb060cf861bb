"""keyturn behind the nginx and the Caddy of `ops/`, with TLS by an authority of the tests."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.adapters.egress.certificates import Authority
from tests.end_to_end.running import (
    ADMIN_KEY,
    CHECKOUT,
    Reply,
    Server,
    connect,
    example_connector,
    free_port,
    install_connector,
    running_provider,
)

HOST = "connect.example.com"
PLACES = os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/usr/local/sbin"])
PROGRAMS = {name: shutil.which(name, path=PLACES) for name in ("nginx", "caddy")}


@dataclass(frozen=True)
class Door:
    """The proxy's address, and what stands behind it."""

    port: int
    context: ssl.SSLContext
    connection_id: str
    server: Server

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Reply:
        """One request over TLS, by the name that the certificate has."""
        connection = http.client.HTTPSConnection(HOST, self.port, timeout=30, context=self.context)
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        connection.sock = self.context.wrap_socket(plain, server_hostname=HOST)
        try:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, {"Host": HOST, **sent})
            answer = connection.getresponse()
            return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()


def nginx_command(program: str, where: Path, pem: Path, port: int, behind: int) -> list[str]:
    """The configuration as it stands, with other ports and paths, in a whole one."""
    text = (CHECKOUT / "ops/nginx/keyturn.conf").read_text()
    for old, new in {
        "127.0.0.1:8800": f"127.0.0.1:{behind}",
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "/etc/nginx/tls/connect.example.com.pem": str(pem),
        "/etc/nginx/tls/connect.example.com.key": str(pem),
    }.items():
        assert old in text, old
        text = text.replace(old, new)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = "".join(f"{kind}_temp_path {where}/{kind};\n" for kind in kinds)
    (where / "nginx.conf").write_text(
        f"daemon off;\nmaster_process off;\npid {where}/nginx.pid;\nerror_log {where}/error.log;\nevents {{}}\n"
        f"http {{\n{temporary}{text}}}\n"
    )
    return [program, "-p", str(where), "-c", str(where / "nginx.conf"), "-e", str(where / "error.log")]


def caddy_command(program: str, where: Path, pem: Path, port: int, behind: int) -> list[str]:
    """The Caddyfile as it stands, with other ports, a certificate of the tests', and no administration."""
    text = (CHECKOUT / "ops/caddy/Caddyfile").read_text()
    for old, new in {
        "127.0.0.1:8800": f"127.0.0.1:{behind}",
        "connect.example.com {": f"https://connect.example.com:{port} {{\n\tbind 127.0.0.1\n\ttls {pem} {pem}",
    }.items():
        assert old in text, old
        text = text.replace(old, new)
    (where / "Caddyfile").write_text("{\n\tadmin off\n\tauto_https off\n}\n" + text)
    return [program, "run", "--config", str(where / "Caddyfile"), "--adapter", "caddyfile"]


COMMANDS = {"nginx": nginx_command, "caddy": caddy_command}


@contextlib.contextmanager
def running(command: list[str], where: Path, port: int) -> Iterator[None]:
    """The proxy, until the block ends."""
    environment = {**os.environ, "HOME": str(where), "XDG_DATA_HOME": str(where), "XDG_CONFIG_HOME": str(where)}
    with (where / "proxy.log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
    try:
        deadline = time.monotonic() + 20
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.02)
        assert process.poll() is None, (where / "proxy.log").read_text()
        yield
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    """keyturn with a connection, for all proxies of this file."""
    where = tmp_path_factory.mktemp("behind")
    settings = {"KEYTURN_PUBLIC_URL": f"https://{HOST}", "KEYTURN_TRUSTED_PROXIES": "127.0.0.1"}
    with running_provider("--access-ttl", "300") as provider:
        server = Server(where / "data", where / "log", env=settings)
        try:
            server.start()
            install_connector(server, example_connector(provider.port))
            connected = connect(server, "acme-example", "demo", provider.password)
            yield server, connected.json()["id"]
        finally:
            server.stop()


@pytest.fixture(params=[pytest.param(name, id=name) for name in COMMANDS if PROGRAMS[name] is not None])
def door(request: pytest.FixtureRequest, tmp_path: Path, behind: tuple[Server, str]) -> Iterator[Door]:
    """Each proxy before it."""
    program = PROGRAMS[request.param]
    assert program is not None
    server, connection_id = behind
    authority, port = Authority(tmp_path), free_port()
    authority.server_context(HOST)
    pem = next(tmp_path.glob("*.pem"))
    with running(COMMANDS[request.param](program, tmp_path, pem, port, server.port), tmp_path, port):
        yield Door(port, authority.trusted_by(ssl.create_default_context()), connection_id, server)


def test_the_recipe(door: Door) -> None:
    """Calls pass as they were sent; the inside stays inside; a link is opened and claimed by its public address."""
    call = door.ask("GET", f"/v1/proxy/{door.connection_id}/me", Keyturn_Key=ADMIN_KEY)
    refused = door.ask("GET", f"/v1/proxy/{door.connection_id}/a%2Fb/..%2f", Keyturn_Key=ADMIN_KEY)
    inside = [door.ask("GET", path).status for path in ("/metrics", "/readyz", "/v1/forward-auth", "//metrics")]
    made = door.server.ask("POST", "/v1/connect-sessions", {"connector": "acme-example", "owner": "o"}).json()["url"]
    link = made.removeprefix(f"https://{HOST}")
    page = door.ask("GET", link)
    claimed = door.ask("POST", link, b"", Origin=f"https://{HOST}", Content_Type="application/x-www-form-urlencoded")

    assert (200, "upstream") == (call.status, call.headers["keyturn-source"])
    assert door.server.ask("GET", f"/v1/proxy/{door.connection_id}/a%2Fb/..%2f").code == refused.code
    assert 200 not in inside
    assert made.startswith(f"https://{HOST}/c/")
    assert (200, "no-referrer") == (page.status, page.headers["referrer-policy"])
    assert 303 == claimed.status, claimed.body[:300]
    assert "__Host-" in claimed.headers["set-cookie"]
