"""A scripted OpenID provider on loopback, in a thread of its own: real HTTP, real signatures, faults on demand.

It signs people in without asking: `answer` plays what the browser would bring back from its sign-in page, and a real
browser that comes there is led back with the same.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey

CLIENT_ID = "keyturn"
CLIENT_SECRET = "client-secret-canary-of-openid"


@cache
def key(name: str) -> ECKey:
    """A key pair of this name; made once for all tests."""
    return ECKey.generate_key("P-256", {"kid": name, "use": "sig"})


@dataclass
class ScriptedProvider:
    """What it says. `claims`: over the usual ones; None takes one away. `answers`: status and body by path, instead.

    `signs_with`: the key; `publishes`: those of its key set; `alg`: of the ID token's head.
    """

    issuer: str
    now: float
    claims: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    answers: dict[str, tuple[int, Any]] = field(default_factory=dict)
    signs_with: str = "first"
    publishes: list[str] = field(default_factory=lambda: ["first"])
    alg: str = "ES256"
    asked: list[str] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    heads: list[dict[str, str]] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def answer(self, address: str, **changes: str | None) -> str:
        """The path and query by which the browser comes back from this address; `changes`: over the usual ones."""
        asked = dict(parse_qsl(urlsplit(address).query))
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        told = {"code": code, "state": asked["state"], "iss": self.issuer, **changes}
        query = urlencode({name: value for name, value in told.items() if value is not None})
        return f"{urlsplit(asked['redirect_uri']).path}?{query}"

    def reply(self, method: str, path: str, head: dict[str, str], body: bytes) -> tuple[int, Any]:
        """What it answers to a request."""
        self.asked.append(path)
        if path in self.answers:
            return self.answers[path]
        if path == "/.well-known/openid-configuration":
            return 200, {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "userinfo_endpoint": f"{self.issuer}/userinfo",
                **self.metadata,
            }
        if path == "/keys":
            return 200, {"keys": [key(each).as_dict(private=False) for each in self.publishes]}
        if path == "/userinfo" and self.userinfo is not None:
            self.heads.append(head)
            return 200, self.userinfo
        if (method, path) == ("POST", "/token"):
            return self._token(head, body)
        return 404, {}

    def _token(self, head: dict[str, str], body: bytes) -> tuple[int, Any]:
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        self.forms.append(form)
        self.heads.append(head)
        asked = self.codes.pop(form["code"], None)
        expected = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        if head.get("authorization") != f"Basic {expected}":
            return 401, {"error": "invalid_client"}
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).rstrip(b"=")
        if asked is None or asked["code_challenge"] != challenge.decode():
            return 400, {"error": "invalid_grant"}
        return 200, {"access_token": "access-canary", "token_type": "Bearer", "id_token": self.id_token(asked["nonce"])}

    def id_token(self, nonce: str) -> str:
        """An ID token as it is scripted."""
        usual = {
            "iss": self.issuer, "aud": CLIENT_ID, "sub": "17", "nonce": nonce, "iat": int(self.now),
            "exp": int(self.now) + 300, "email": "ada@example.com", "email_verified": True, "name": "Ada",
        }  # fmt: skip
        claims = {name: value for name, value in {**usual, **self.claims}.items() if value is not None}
        head = {"alg": self.alg, "kid": self.signs_with}
        if self.alg in ("none", "HS256"):  # no library makes these: no signature, and the public key as a shared secret
            message = ".".join(_text(json.dumps(each).encode()) for each in (head, claims))
            public = key(self.signs_with).as_pem(private=False)
            mac = hmac.new(public, message.encode(), hashlib.sha256).digest() if self.alg == "HS256" else b""
            return f"{message}.{_text(mac)}"
        return jwt.encode(head, claims, key(self.signs_with))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@contextmanager
def running(now: float) -> Iterator[ScriptedProvider]:
    """One that listens until the block ends; `now`: the time in its tokens."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            if self.path.startswith("/authorize?"):
                back = urlsplit(dict(parse_qsl(urlsplit(self.path).query))["redirect_uri"])
                self.send_response(303)
                self.send_header("Location", f"{back.scheme}://{back.netloc}{provider.answer(self.path)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            length = int(self.headers.get("content-length", "0"))
            head = {name.lower(): value for name, value in self.headers.items()}
            status, body = provider.reply(self.command, self.path, head, self.rfile.read(length))
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = _answer  # noqa: N815  (the server's names)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    provider = ScriptedProvider(f"http://127.0.0.1:{server.server_port}", now)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
