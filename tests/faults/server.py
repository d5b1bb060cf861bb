"""keyturn with fault points: `python tests/faults/server.py POINT --data DIR --listen HOST:PORT`.

The points are where the engine meets its ports; only this wiring can reach them. At the point the process kills
itself with SIGKILL, as a machine that loses power would.
"""

from __future__ import annotations

import argparse
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

from keyturn.bootstrap.assembly import Ports
from keyturn.bootstrap.runtimes import prepare_process, run, serve
from keyturn.bootstrap.settings import read_settings
from keyturn.ports.store import UNCHANGED

RENEWAL_POINTS = (
    "claim.before",
    "claim.after",
    "send.before",
    "send.after",
    "keep.before",
    "keep.after",
)
# Of a login at a provider that allows few sessions: declared, logged out, that written, logged in.
SESSION_POINTS = (
    "declared.before", "declared.after", "logout.before", "logout.after", "over.before", "over.after", "send.before",
    "send.after",
)  # fmt: skip
LOGIN_POINTS = (
    "reserve.after", "send.before", "send.after", "settle.before", "test.before", "test.after", "insert.before",
    "insert.after",
)  # fmt: skip


def die() -> NoReturn:
    """End at once, with nothing tidied up."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("a killed process goes on")


class Deadly:
    """Stands before a port, and ends the process before or after a call that a rule names."""

    def __init__(self, inner: Any, rules: dict[str, Any]) -> None:
        self._inner = inner
        self._rules = rules

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        rule = self._rules.get(name)
        if rule is None:
            return method

        async def watched(*args: Any, **kwargs: Any) -> Any:
            if rule(args, kwargs) == "before":
                die()
            result = await method(*args, **kwargs)
            if rule(args, kwargs) == "after":
                die()
            return result

        return watched


def deadly(point: str, ports: Ports) -> Ports:
    """The ports with one fault point armed. Points named alike differ by what was asked for: `login:send.before`."""
    story, _, step = point.partition(":")
    name, _, when = step.partition(".")
    grant = "grant_type=refresh_token" if story == "renewal" else "grant_type=password"

    connected: list[bool] = []

    def on(wanted: bool) -> str:
        return when if wanted else ""

    def inserts(_args: tuple[Any, ...], _kwargs: Any) -> str:
        connected.append(True)
        return on(name == "insert")

    def saves(args: tuple[Any, ...], kwargs: Any) -> str:
        connection = args[0]
        if story == "session":
            over = "sealed" in kwargs and kwargs["sealed"].token_set is not UNCHANGED
            return on(connection.intent is not None and name == ("over" if over else "declared"))
        return ""

    def claims(_args: tuple[Any, ...], _kwargs: Any) -> str:
        return on(name == ("declared" if story == "session" else "claim"))

    def settles(args: tuple[Any, ...], kwargs: Any) -> str:
        if story == "session":
            sealed = kwargs.get("sealed")
            over = sealed is not None and sealed.token_set is not UNCHANGED and bool(kwargs.get("goes_on"))
            return on(over and name == "over")
        return on(name == "keep" and not kwargs.get("goes_on") and args[1].generation > 1)

    def sends(args: tuple[Any, ...], _: Any) -> str:
        body = args[0].body.decode("latin-1")
        if name == "send":
            return on(grant in body and (story != "session" or bool(connected)))
        if name == "logout":
            return on(args[0].url.endswith("/oauth/revoke"))
        if name == "test":
            return on(args[0].method == "GET")
        return ""

    def always(wanted: str) -> Any:
        return lambda _args, _kwargs: on(name == wanted)

    return replace(
        ports,
        connections=Deadly(ports.connections, {"save": saves, "insert": inserts}),
        egress=Deadly(ports.egress, {"send": sends}),
        renewals=Deadly(ports.renewals, {"claim": claims, "settle": settles}),
        logins=Deadly(ports.logins, {"reserve": always("reserve"), "settle": always("settle")}),
    )


def main() -> None:
    """Serve with the point armed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("point")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--listen")
    given = parser.parse_args()
    settings = read_settings(data=given.data, listen=given.listen)
    known = prepare_process(settings)
    run(serve(settings, known, wrap=lambda ports: deadly(given.point, ports)))


if __name__ == "__main__":
    main()
