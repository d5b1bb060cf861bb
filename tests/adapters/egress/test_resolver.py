"""The system's lookup starves nobody."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any

import pytest

from keyturn.adapters.egress.resolver import SystemResolver


async def test_loopback_has_its_address() -> None:
    """What the machine's hosts file says comes back as text, each address once."""
    found = await SystemResolver().resolve("localhost")

    assert "127.0.0.1" in found
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("host", ["nonexistent.invalid", "a" * 70 + ".example"])
async def test_what_cannot_be_looked_up_is_an_os_error(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also a label that can't be encoded."""

    def nobody_knows(name: str, *_: object, **__: object) -> Any:
        name.encode("idna")
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    monkeypatch.setattr(socket, "getaddrinfo", nobody_knows)

    with pytest.raises(OSError, match=r"unknown|not a name"):
        await SystemResolver().resolve(host)


async def test_lookups_that_hang_leave_the_common_threads_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """More hanging lookups than the common pool has threads, and work for that pool goes on."""
    release = threading.Event()

    def hang(*_: object, **__: object) -> Any:
        release.wait(20)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    resolver = SystemResolver(max_lookups=64)
    hanging = [asyncio.create_task(resolver.resolve(f"h{number}.example")) for number in range(64)]
    await asyncio.sleep(0.01)

    async with asyncio.timeout(5):
        other = await asyncio.to_thread(lambda: "went on")
    release.set()
    found = await asyncio.gather(*hanging)

    assert "went on" == other
    assert [["127.0.0.1"]] * 64 == found


async def test_a_caller_that_gives_up_does_not_free_the_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit counts lookups that run, not callers that wait."""
    release = threading.Event()
    asked: list[str] = []

    def hang(name: str, *_: object, **__: object) -> Any:
        asked.append(name)
        release.wait(20)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    resolver = SystemResolver(max_lookups=1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await resolver.resolve("one.example")
    second = asyncio.create_task(resolver.resolve("two.example"))
    await asyncio.sleep(0.05)
    before = list(asked)
    release.set()
    async with asyncio.timeout(5):
        await second

    assert ["one.example"] == before
    assert ["one.example", "two.example"] == asked
