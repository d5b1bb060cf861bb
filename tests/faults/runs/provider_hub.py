"""The scripted provider in a process of its own, with a journal that only grows.

`python tests/faults/runs/provider_hub.py` reads one order a line (JSON) and answers each with one line. Each run gets a
provider of its own, on a port of its own. It rotates strictly: a refresh token that comes twice kills its family. What
it saw and decided stands in its journal, one row a line, written before anything else happens; runs are judged by it.

Rule: rows hold fingerprints of tokens, and times of the clock that all processes of the machine share.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tests.end_to_end.scripted.provider import PASSWORD, Answer, Scripted, Seen, _Connection, _Listener, fingerprint

ENDLESS_BYTES = 1_000_000_000
PIECE = b"x" * 65_536
LONGEST_HOLD_S = 60.0
# What happens instead of an honest answer; those of the second line come after the honest one was decided.
BEFORE = frozenset(
    "reset hang error500 plain500 unavailable limited limited_hour garbage scope client unreadable400".split()
)
AFTER = frozenset({"lost", "hang_after", "hold", "drip", "slow", "half", "endless"})
Told = str | Callable[[Seen], Answer]  # one of those, or in the provider's own process anything
KINDS = {"/token": "refresh", "/revoke": "revoke"}  # of a request, where it is no login and no call


class Journalled(Scripted):
    """A provider that writes down what it sees, and does once what it is told to."""

    def __init__(self, journal: Path, accounts: int, *, ttl: int, rotating: bool, latency_s: float) -> None:
        self._journal = os.open(journal, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        self._wires: dict[int, socket.socket] = {}
        self._here = threading.local()
        self._serial = 0
        self.faults: deque[tuple[str, str]] = deque()  # account (or "*") and fault, each once
        self.told: dict[tuple[str, str], Told] = {}  # kind and account (or "*") → what, until it is healed
        self.released = threading.Event()
        self._whose: dict[int, tuple[str, str]] = {}
        self.holding = 0
        self.busy = 0
        self.spoilt: set[int] = set()  # requests for a token under way that a fault strikes
        self.latency_s = latency_s
        super().__init__(ttl=ttl, rotating=rotating)
        self.accounts = {f"u{number}": (PASSWORD, f"id-{number}") for number in range(accounts)}

    def tell(self, kind: str, accounts: Iterable[str], fault: Told) -> None:
        """What these accounts are told from now on, at requests of this kind: refresh, login, revoke or call."""
        self.released.clear()
        self.told.update({(kind, each): fault for each in accounts})

    def honest_again(self) -> None:
        """Nothing is held or spoilt any more."""
        self.faults.clear()
        self.told.clear()
        self.released.set()

    def listen(self) -> None:
        """Take connections again, after `close`."""
        self._server = _Listener(("127.0.0.1", self.port), _Connection)
        self._server.provider = self
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def note(self, event: str, **facts: Any) -> None:
        """Append a row."""
        row = {"at": time.monotonic(), "event": event, **facts}
        os.write(self._journal, (json.dumps(row) + "\n").encode())

    def arrived(self, request: Seen, wire: socket.socket) -> None:
        """Write down what came, and before that, who has hung up by now: they did so first."""
        self._note_gone()
        self._wires[request.number] = wire
        form = request.form() if request.path in ("/token", "/revoke") else {}
        account = self.accounts.get(form.get("username", ""), ("", ""))[1]
        shown = form.get("refresh_token") or form.get("token") or request.bearer()
        with self.lock:
            if request.path == "/token":
                self.busy += 1
                account = account or self.refresh.get(shown, ("", "", True))[1]
            else:
                account = (self.access.get(shown) or self.refresh.get(shown) or ("", ""))[1]
        kind = "login" if form.get("grant_type") == "password" else KINDS.get(request.path, "call")
        self._whose[request.number] = (kind, account)
        self.note(
            "came", n=request.number, path=request.path, grant=form.get("grant_type", ""), account=account,
            token=fingerprint(shown) if shown else "",
        )  # fmt: skip

    def answer(self, request: Seen) -> Answer:
        """The honest answer, or what was ordered instead, once."""
        self._here.number = request.number
        kind, account = self._whose.pop(request.number)
        told = self.told.get((kind, account)) or self.told.get((kind, "*")) or ""
        if request.path == "/token":
            with self.lock:
                once = next((each for each in self.faults if each[0] in (account, "*")), None)
                if once is not None and not told:
                    self.faults.remove(once)
                    told = once[1]
            time.sleep(self.latency_s)
        fault = told if isinstance(told, str) else "by hand"
        if fault and request.path == "/token":
            self.spoilt.add(request.number)
        by_hand = told if callable(told) else self.honest
        answer = self._spoilt(fault) if fault in BEFORE else by_hand(request)
        self.note("decided", n=request.number, outcome=answer.outcome, fault=fault)
        if fault in AFTER:
            answer = self._shaped(fault, answer)
        if fault in ("hold", "hang", "hang_after") and not self._waited(request, fault):
            self.note("hung_up", n=request.number)
            return Answer(reset=True)
        if not answer.pieces:
            self._wires.pop(request.number, None)  # from here on a close is no hanging up
        self.note("answers", n=request.number, whole=not answer.pieces)
        if answer.pieces:
            threading.Thread(target=self._watch, args=(request,), daemon=True).start()
        return answer

    def over(self, request: Seen) -> None:
        """The answer is out, or the caller gone."""
        self._wires.pop(request.number, None)
        self.spoilt.discard(request.number)
        self.note("over", n=request.number)
        if request.path == "/token":
            with self.lock:
                self.busy -= 1

    def issue(self, account: str, family: str, **more: Any) -> Answer:
        """As the honest one's, written down."""
        answer = super().issue(account, family, **more)
        with self.lock:
            self._serial += 1
            self.note(
                "issued", n=getattr(self._here, "number", -1), serial=self._serial, account=account, family=family,
                access=fingerprint(answer.body["access_token"]), refresh=fingerprint(answer.body["refresh_token"]),
            )  # fmt: skip
        return answer

    def _spoilt(self, fault: str) -> Answer:
        """An answer of a provider that did not look at the grant."""
        return {
            "reset": Answer(reset=True, outcome=fault),
            "hang": Answer(reset=True, outcome=fault),
            "error500": Answer(500, {"error": "invalid_grant"}, outcome=fault),
            "plain500": Answer(500, "<html>Sorry</html>", outcome=fault),
            "scope": Answer(400, {"error": "invalid_scope"}, outcome=fault),
            "client": Answer(401, {"error": "invalid_client"}, outcome=fault),
            "unreadable400": Answer(400, "<html>Your session is over</html>", outcome=fault),
            "limited_hour": Answer(429, {}, {"Retry-After": "3600"}, outcome=fault),
            "unavailable": Answer(503, {}, {"Retry-After": "1"}, outcome=fault),
            "limited": Answer(429, {}, {"Retry-After": "1"}, outcome=fault),
            "garbage": Answer(200, "<html>Welcome</html>", outcome=fault),
        }[fault]

    def _shaped(self, fault: str, honest: Answer) -> Answer:
        """The honest answer, as the wire spoils it."""
        body, headers = honest.encoded()
        if fault in ("lost", "hang_after"):
            return Answer(reset=True)
        if fault == "half":
            honest.cut = len(body) // 2
        elif fault == "endless":
            pieces = tuple((PIECE, 0.0) for _ in range(ENDLESS_BYTES // len(PIECE)))
            return Answer(200, b"", {**headers, "Content-Length": str(ENDLESS_BYTES)}, pieces=pieces)
        elif fault in ("drip", "slow"):
            pause_s, size = (1.0, 1) if fault == "drip" else (0.2, len(body) // 4)
            pieces = tuple((body[at : at + size], pause_s) for at in range(0, len(body), size))
            return Answer(honest.status, b"", {**headers, "Content-Length": str(len(body))}, pieces=pieces)
        return honest

    def _waited(self, request: Seen, fault: str) -> bool:
        """Hold the request; False once its sender hung up."""
        wire = self._wires[request.number]
        with self.lock:
            self.holding += 1
        deadline = time.monotonic() + LONGEST_HOLD_S
        try:
            while time.monotonic() < deadline:
                if fault == "hold" and self.released.is_set():
                    return True
                if select.select([wire], [], [], 0.02)[0] and self._gone(wire):
                    return False
            return True
        finally:
            with self.lock:
                self.holding -= 1

    def _watch(self, request: Seen) -> None:
        """Note who hangs up while an answer goes out in pieces: the next piece may be a second away."""
        with contextlib.suppress(OSError, ValueError, KeyError):
            wire = self._wires[request.number]
            while request.number in self._wires:
                if select.select([wire], [], [], 0.02)[0] and self._gone(wire):
                    self.note("hung_up", n=request.number)
                    return

    def _note_gone(self) -> None:
        for number, wire in list(self._wires.items()):
            with contextlib.suppress(OSError, ValueError):  # closed here meanwhile
                if select.select([wire], [], [], 0)[0] and self._gone(wire):
                    self.note("hung_up", n=number)

    @staticmethod
    def _gone(wire: socket.socket) -> bool:
        try:
            return wire.recv(1, socket.MSG_PEEK) == b""
        except OSError:
            return True


class Hub:
    """Every provider of this process, by name."""

    def __init__(self) -> None:
        self._providers: dict[str, Journalled] = {}

    def new(self, name: str, journal: str, accounts: int, ttl: int, rotating: bool, latency_s: float) -> int:
        """A new provider; gives its port."""
        made = Journalled(Path(journal), accounts, ttl=ttl, rotating=rotating, latency_s=latency_s)
        self._providers[name] = made
        return made.port

    def fault(self, name: str, faults: list[str], account: str) -> None:
        """What happens to the next requests for a token of this account ("*": of any), one each."""
        provider = self._providers[name]
        provider.released.clear()
        with provider.lock:
            provider.faults.extend((account, fault) for fault in faults)

    def tell(self, name: str, kind: str, accounts: list[str], fault: str) -> None:
        """What these accounts are told from now on, at requests of this kind; "*": all of them."""
        self._providers[name].tell(kind, accounts, fault)

    def honest_again(self, name: str) -> None:
        """Nothing is held or spoilt any more."""
        self._providers[name].honest_again()

    def state(self, name: str) -> dict[str, int]:
        """How many requests for a token are held, and under way."""
        provider = self._providers[name]
        return {
            "holding": provider.holding, "busy": provider.busy, "left": len(provider.faults),
            "spoilt": len(provider.spoilt),
        }  # fmt: skip

    def end_access(self, name: str, ttl: int) -> None:
        """Every access token ends now; new ones live for so many seconds."""
        provider = self._providers[name]
        provider.ttl = ttl
        provider.end_access_tokens()

    def ttl(self, name: str, ttl: int) -> None:
        """New tokens live for so many seconds."""
        self._providers[name].ttl = ttl

    def end_grants(self, name: str, account: str) -> None:
        """Every grant of an account ends now, as by an administrator."""
        provider = self._providers[name]
        with provider.lock:
            provider.dead_families |= {family for family, whose, _ in provider.refresh.values() if whose == account}
            provider.access = {token: each for token, each in provider.access.items() if each[1] != account}

    def password(self, name: str, password: str | None, account: str) -> None:
        """An account's password is another, or the first again."""
        provider = self._providers[name]
        changed = {
            user: (password or PASSWORD, whose) for user, (_, whose) in provider.accounts.items() if whose == account
        }
        provider.accounts = {**provider.accounts, **changed}

    def closed(self, name: str, closed: bool) -> None:
        """Connections are refused, or taken again."""
        provider = self._providers[name]
        if closed:
            provider.close()
        else:
            provider.listen()

    def dead(self, name: str) -> list[str]:
        """The families that are ended."""
        provider = self._providers[name]
        with provider.lock:
            return sorted(provider.dead_families)

    def end(self, name: str) -> None:
        """It is needed no more."""
        self._providers.pop(name).close()


def main() -> None:
    """Carry out orders until nobody gives any more."""
    hub = Hub()
    for line in sys.stdin:
        order = json.loads(line)
        print(json.dumps(getattr(hub, order.pop("do"))(**order)), flush=True)


if __name__ == "__main__":
    main()
