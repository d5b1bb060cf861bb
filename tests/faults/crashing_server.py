"""keyturn with bugs on demand: `python tests/faults/crashing_server.py ORDERS --data DIR --listen HOST:PORT`.

ORDERS is a file with one line, `port.method canary`: the next call of that method raises an exception that is none of
ours, with the canary and everything that the method was handed in its message. The line is taken out then.
"""

from __future__ import annotations

import argparse
import inspect
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from keyturn.bootstrap.assembly import Ports
from keyturn.bootstrap.runtimes import prepare_process, run, serve
from keyturn.bootstrap.settings import read_settings
from keyturn.core.secret import Secret

WATCHED = (
    "connections", "renewals", "revocations", "connectors", "logins", "audit", "api_keys", "sessions", "idempotency",
    "spill", "lease", "egress", "upstream", "catalogue", "chain", "challenges", "people", "keys", "jobs",
)  # fmt: skip


def spelt_out(value: object) -> str:
    """What a careless message would hold: every secret in it revealed."""
    if isinstance(value, Secret):
        return value.reveal()
    if is_dataclass(value) and not isinstance(value, type):
        return " ".join(spelt_out(getattr(value, each.name)) for each in fields(value))
    if isinstance(value, dict):
        return " ".join(f"{name}: {spelt_out(each)}" for name, each in value.items())
    if isinstance(value, list | tuple | set | frozenset):
        return " ".join(spelt_out(each) for each in value)
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


class Buggy:
    """Stands before a port and raises when it was told to."""

    def __init__(self, name: str, inner: Any, orders: Path) -> None:
        self._name = name
        self._inner = inner
        self._orders = orders

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._inner, name)
        if not callable(method) or name.startswith("_"):
            return method
        if not inspect.iscoroutinefunction(method):

            def watched_plain(*args: Any, **kwargs: Any) -> Any:
                self._raise(name, args, kwargs)
                return method(*args, **kwargs)

            return watched_plain

        async def watched(*args: Any, **kwargs: Any) -> Any:
            self._raise(name, args, kwargs)
            return await method(*args, **kwargs)

        return watched

    def _raise(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        point, _, canary = self._orders.read_text().strip().partition(" ")
        if point == f"{self._name}.{method}":
            self._orders.write_text("")
            password = canary  # a local variable, as a traceback with locals would show it
            try:
                raise ValueError(f"{password} {spelt_out(kwargs)}")
            except ValueError as error:
                raise RuntimeError(f"{password} {spelt_out(args)}", password) from error


def buggy(ports: Ports, orders: Path) -> Ports:
    """The ports with bugs on demand."""
    return replace(ports, **{each: Buggy(each, getattr(ports, each), orders) for each in WATCHED})  # type: ignore[arg-type]


def main() -> None:
    """Serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("orders", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--listen")
    given = parser.parse_args()
    settings = read_settings(data=given.data, listen=given.listen)
    known = prepare_process(settings)
    run(serve(settings, known, wrap=lambda ports: buggy(ports, given.orders)))


if __name__ == "__main__":
    main()
