"""The provider of `renewals.py`: gives out tokens on several ports, each answer after the same time.

    python bench/token_server.py --ports 8801,8802 --answers-after 0.02 --journal FILE

Any login and any refresh token is taken; `/me` knows the account by its access token. What came when stands in the
journal, one line each: monotonic time, Unix time, grant, account. Rule: it does as little as a provider can, so that
what is measured is its client.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import secrets
import time
import urllib.parse
from pathlib import Path
from typing import TextIO


class TokenServer:
    """Answers on every port alike. `ttl`: a file with the seconds that a token lives, as that changes."""

    def __init__(self, answers_after_s: float, journal: TextIO, ttl: Path) -> None:
        self._answers_after_s = answers_after_s
        self._journal = journal
        self._ttl = ttl

    async def serve(self, ports: list[int]) -> None:
        """Until the process ends."""
        for port in ports:
            await asyncio.start_server(self._answer, "127.0.0.1", port, backlog=1024)
        print("listening", flush=True)
        while True:
            await asyncio.sleep(0.5)
            self._journal.flush()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                await self._one(head, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _one(self, asked: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = asked.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        if lines[0].startswith("POST"):
            answer = self._token(dict(urllib.parse.parse_qsl(body.decode())))
            await asyncio.sleep(self._answers_after_s)
        else:
            answer = {"id": headers.get("authorization", "").split("~")[-1]}
        content = json.dumps(answer).encode()
        told = ("HTTP/1.1 200 OK", "Content-Type: application/json", f"Content-Length: {len(content)}", "", "")
        writer.write("\r\n".join(told).encode() + content)
        await writer.drain()

    def _token(self, form: dict[str, str]) -> dict[str, object]:
        account = form.get("username") or form.get("refresh_token", "").split("~")[-1]
        print(time.monotonic(), time.time(), form["grant_type"], account, file=self._journal)
        made = secrets.token_urlsafe(24)
        return {
            "access_token": f"at-{made}~{account}", "refresh_token": f"rt-{made}~{account}", "token_type": "Bearer",
            "expires_in": int(self._ttl.read_text()),
        }  # fmt: skip


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ports", required=True)
    parser.add_argument("--answers-after", type=float, default=0.02)
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--ttl", type=Path, required=True)
    given = parser.parse_args()
    with given.journal.open("a") as journal:
        server = TokenServer(given.answers_after, journal, given.ttl)
        asyncio.run(server.serve([int(port) for port in given.ports.split(",")]))


if __name__ == "__main__":
    main()
