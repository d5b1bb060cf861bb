"""A scripted transit engine, after the API's documentation: what Vault and OpenBao answer to encrypt and decrypt.

It is no Vault: none can be had from a package registry. Encryption is real (AES-GCM with associated data), tokens and
namespaces are checked, and a test can let it be sealed, slow or odd.
"""

from __future__ import annotations

import base64
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

TOKEN = "transit-token-canary"


class TransitServer:
    """`keys`: name → version → key. `answer`: a status that is answered instead; `asked`: paths and headers."""

    def __init__(self) -> None:
        self.keys = {"one": {1: os.urandom(32)}, "two": {1: os.urandom(32)}}
        self.answer: tuple[int, bytes] | None = None
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        """Answer as the documentation says."""
        self.asked.append((request.path, dict(request.headers)))
        if self.answer is not None:
            return web.Response(status=self.answer[0], body=self.answer[1], headers={"Location": "http://127.0.0.1:9/"})
        if request.headers.get("X-Vault-Token") != TOKEN:
            return web.json_response({"errors": ["permission denied"]}, status=403)
        _, _, _, verb, name = request.path.split("/")
        body, versions = await request.json(), self.keys.get(name)
        if versions is None:
            return web.json_response({"errors": ["encryption key not found"]}, status=400)
        data = base64.b64decode(body["associated_data"])
        if verb == "encrypt":
            version, nonce = max(versions), os.urandom(12)
            sealed = nonce + AESGCM(versions[version]).encrypt(nonce, base64.b64decode(body["plaintext"]), data)
            text = f"vault:v{version}:{base64.b64encode(sealed).decode()}"
            return web.json_response({"data": {"ciphertext": text, "key_version": version}})
        try:
            _, version_text, blob = body["ciphertext"].split(":")
            sealed = base64.b64decode(blob)
            plain = AESGCM(versions[int(version_text[1:])]).decrypt(sealed[:12], sealed[12:], data)
        except (InvalidTag, ValueError, KeyError):
            return web.json_response({"errors": ["cipher: message authentication failed"]}, status=400)
        return web.json_response({"data": {"plaintext": base64.b64encode(plain).decode()}})


@asynccontextmanager
async def transit_server() -> AsyncIterator[TransitServer]:
    """Serve one on a free port."""
    made = TransitServer()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", made.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield made
    finally:
        await runner.cleanup()
