"""A caller without a socket: sends a request to an ASGI application and takes its answer apart."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, MutableMapping
from typing import Any

from keyturn.web.dataplane.application import DataPlane
from tests.fakes.application import ADMIN_KEY

Header = tuple[bytes, bytes]
HOST = (b"host", b"keyturn.test")
KEY = (b"authorization", f"Bearer {ADMIN_KEY}".encode())


class Exchange:
    """One request under way. `hang_up` ends it from the caller's side."""

    def __init__(
        self,
        app: DataPlane,
        method: str,
        path: str,
        headers: Iterable[Header] = (),
        pieces: Iterable[bytes] = (),
        *,
        key: Header | None = KEY,
        host: bool = True,
        http_version: str = "1.1",
        more_comes: bool = False,
        client: tuple[str, int] | None = ("127.0.0.1", 40_000),
    ) -> None:
        raw, _, query = path.encode("latin-1").partition(b"?")
        head = [*([HOST] if host else []), *([key] if key else []), *headers]
        self.scope = {
            "type": "http",
            "method": method,
            "raw_path": raw,
            "path": raw.decode("latin-1"),
            "query_string": query,
            "headers": head,
            "http_version": http_version,
            "client": client,
        }
        self._app = app
        self._pieces = list(pieces)
        self._more_comes = more_comes
        self._gone = asyncio.Event()
        self.received = 0  # how often the application asked for more of the body
        self.messages: list[MutableMapping[str, Any]] = []
        self.begun = asyncio.Event()
        self.task = asyncio.get_running_loop().create_task(app(self.scope, self._receive, self._send))

    def hang_up(self) -> None:
        """Close the connection."""
        self._gone.set()

    async def done(self) -> Exchange:
        """Wait for the answer's end."""
        await self.task
        return self

    async def _receive(self) -> MutableMapping[str, Any]:
        self.received += 1
        if self._pieces:
            piece = self._pieces.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(self._pieces) or self._more_comes}
        if self.received == 1 and not self._more_comes:
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        self.messages.append(message)
        self.begun.set()
        await asyncio.sleep(0)

    @property
    def status(self) -> int:
        """The answer's status."""
        status: int = self.messages[0]["status"]
        return status

    @property
    def headers(self) -> dict[bytes, bytes]:
        """The answer's headers; of several with one name the last."""
        return dict(self.messages[0]["headers"])

    @property
    def body(self) -> bytes:
        """What has come of the body."""
        return b"".join(message["body"] for message in self.messages[1:])

    @property
    def complete(self) -> bool:
        """Whether the answer came to its end."""
        return len(self.messages) > 1 and not self.messages[-1].get("more_body", False)

    @property
    def problem(self) -> dict[str, Any]:
        """The answer as a problem document."""
        assert b"application/problem+json" == self.headers[b"content-type"]
        document: dict[str, Any] = json.loads(self.body)
        return document


async def call(
    app: DataPlane, method: str, path: str, headers: Iterable[Header] = (), body: bytes = b"", **more: Any
) -> Exchange:
    """Send a request with a body of known length and wait for the whole answer."""
    length = [(b"content-length", str(len(body)).encode())] if body else []
    return await Exchange(app, method, path, [*headers, *length], [body] if body else [], **more).done()
