"""The nginx recipes of the page on forward-auth, run by a real nginx where the machine has one."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.docs.pages import page
from tests.end_to_end.running import (
    Server,
    ask,
    connect,
    example_connector,
    free_port,
    install_connector,
    running_provider,
    running_server,
)

PAGE = "docs/how-to/token-and-forward-auth.md"
RECIPE, CACHING = (block.text for block in page(PAGE).blocks() if block.info == "nginx")
NGINX = shutil.which("nginx", path=os.pathsep.join([os.environ["PATH"], "/usr/sbin", "/usr/local/sbin"]))


@dataclass
class Api:
    """What nginx passes requests on to; remembers their headers."""

    port: int = 0
    seen: list[tuple[str, dict[str, str]]] = field(default_factory=list)


@contextlib.contextmanager
def running_api() -> Iterator[Api]:
    """An API that takes everything."""
    api = Api()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            api.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    api.port = server.server_address[1]
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def configuration(where: Path, ports: dict[str, int], connections: dict[str, str], *, caching: bool) -> str:
    """The page's recipe with this run's addresses, files and connections; its API speaks plain HTTP."""
    text, beside = RECIPE, ""
    if caching:
        beside, _, inside = CACHING.partition("# In location = /_keyturn:\n")
        text = text.replace("        internal;\n", "        internal;\n" + inside)
        beside = beside.replace("/dev/shm/keyturn", str(where / "cache"))
    for name, connection in connections.items():
        text = text.replace(f'"cxn_of_{name}"', f'"{connection}"')
    changes = {
        "127.0.0.1:8800": f"127.0.0.1:{ports['keyturn']}",
        "api.acme.example:443": f"127.0.0.1:{ports['api']}",
        "127.0.0.1:8080": f"127.0.0.1:{ports['nginx']}",
        "/etc/nginx/": f"{where}/",
        "https://acme$request_uri": "http://acme$request_uri",
    }
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    text = re.sub(r"^ *proxy_ssl_.*\n", "", text, flags=re.MULTILINE)
    temporary = "".join(
        f"{kind}_temp_path {where}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return (
        f"daemon off;\nmaster_process off;\npid {where}/nginx.pid;\nerror_log {where}/error.log;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{temporary}{beside}{text}}}\n"
    )


@contextlib.contextmanager
def running_nginx(program: str, where: Path, port: int) -> Iterator[None]:
    """nginx with the configuration in this directory."""
    process = subprocess.Popen(
        [program, "-p", str(where), "-c", str(where / "nginx.conf"), "-e", str(where / "error.log")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 20
        while process.poll() is None and time.monotonic() < deadline:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.02)
        assert process.poll() is None, (where / "error.log").read_text()
        yield
    finally:
        process.terminate()
        process.wait(20)


def person(name: str, **more: str) -> dict[str, str]:
    """What a client sends to say who it is; and what it says besides."""
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:secret-{name}".encode()).decode(), **more}


def limited_key(server: Server) -> str:
    """A key as the page advises it."""
    made = server.ask("POST", "/v1/api-keys", {"name": "nginx", "scopes": ["call"], "connectors": ["acme-example"]})
    key: str = made.json()["key"]
    return key


@dataclass
class Set:
    """Everything that runs: keyturn, the API, nginx before it, two people's connections."""

    server: Server
    api: Api
    port: int
    connections: dict[str, str]

    def get(self, path: str, name: str, **more: str) -> Any:
        """A person's request to nginx."""
        return ask(self.port, "GET", path, key=None, headers=person(name, **more))

    def sent(self) -> str:
        """The Authorization that the API saw last."""
        return self.api.seen[-1][1].get("authorization", "")

    def token(self, name: str) -> str:
        """The token of a person's connection, as the token endpoint has it."""
        answer = self.server.ask("POST", f"/v1/connections/{self.connections[name]}/token").json()
        return f"Bearer {answer['access_token']}"


@contextlib.contextmanager
def all_running(program: str, where: Path, *, caching: bool) -> Iterator[Set]:
    """Start it all."""
    with running_provider() as provider, running_server(where) as server, running_api() as api:
        connector = install_connector(server, example_connector(provider.port))
        connections = {
            name: connect(server, connector, provider.username, provider.password, owner=name).json()["id"]
            for name in ("alice", "bob")
        }
        port = free_port()
        ports = {"keyturn": server.port, "api": api.port, "nginx": port}
        (where / "nginx.conf").write_text(configuration(where, ports, connections, caching=caching))
        key = where / "keyturn-key.conf"
        key.write_text(f'proxy_set_header Keyturn-Key "{limited_key(server)}";\n')
        (where / "acme.htpasswd").write_text(
            "".join(f"{name}:{{PLAIN}}secret-{name}\n" for name in ("alice", "bob", "carol"))
        )
        with running_nginx(program, where, port):
            yield Set(server, api, port, connections)


def test_the_recipe_deletes_before_it_copies() -> None:
    """What the page promises of its recipe stands in it, also where no nginx is at hand to show it."""
    asking, passing = RECIPE.split("location = /_keyturn")[::-1]

    assert 'proxy_set_header Connection "";' in asking
    assert 'proxy_set_header Connection "";' in passing
    assert "proxy_pass_request_headers off;" in asking
    assert 1 == passing.count("proxy_set_header Authorization ")
    assert all(word in CACHING for word in ("$remote_user", "$keyturn_connection", "$request_method", "$request_uri"))


def test_the_recipe(tmp_path: Path) -> None:
    """Each person's request has the token of their own connection, and nothing that the client said of itself."""
    for program in filter(None, [NGINX]):
        with all_running(program, tmp_path, caching=False) as world:
            tokens = {name: world.token(name) for name in ("alice", "bob")}
            assert tokens["alice"] != tokens["bob"]
            for name in ("alice", "bob"):
                got = world.get("/me?x=%20y", name, Cookie="a=b", Connection="close, Authorization", X_Original_URI="/")
                path, headers = world.api.seen[-1]

                assert (200, b"ok", "/me?x=%20y") == (got.status, got.body, path)
                assert tokens[name] == headers["authorization"]
                assert {"cookie", "keyturn-key", "x-original-uri"}.isdisjoint(headers)
            seen = len(world.api.seen)
            stranger = ask(world.port, "GET", "/me", key=None)
            without = world.get("/me", "carol")
            elsewhere = world.get("/a/%2e%2e/%2e%2e/oauth/token", "alice")
            inside = world.get("/_keyturn", "alice")
            world.server.ask("POST", f"/v1/connections/{world.connections['bob']}/pause")
            paused = world.get("/me", "bob")

            assert [401, 403, 403] == [stranger.status, without.status, paused.status]
            assert "connection_paused" == paused.headers["keyturn-code"]
            assert "validation_failed" == without.headers["keyturn-code"]
            assert elsewhere.status in (400, 403)
            assert 404 == inside.status
            assert seen == len(world.api.seen)
            assert not any(token in json.dumps(each.headers) for token in tokens.values() for each in (paused, inside))


def test_the_cache_gives_nobody_the_token_of_another(tmp_path: Path) -> None:
    """Two people ask for the same thing by turns, and each gets the own token; a second answer comes from the cache."""
    for program in filter(None, [NGINX]):
        with all_running(program, tmp_path, caching=True) as world:
            tokens = {name: world.token(name) for name in ("alice", "bob")}
            for name in ("alice", "bob", "bob", "alice"):
                assert 200 == world.get("/me", name).status
                assert tokens[name] == world.sent()
            world.server.ask("POST", f"/v1/connections/{world.connections['alice']}/pause")
            cached, other_path = world.get("/me", "alice"), world.get("/other", "alice")

            assert (200, 403) == (cached.status, other_path.status)
