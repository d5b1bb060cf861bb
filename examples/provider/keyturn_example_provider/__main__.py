"""The command line: `python -m keyturn_example_provider --port 8801`."""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
from collections.abc import Sequence
from typing import TextIO

from .app import make_app, make_provider
from .serving import LOOPBACK, bind, serve
from .settings import ID_VARIABLE, SECRET_VARIABLE, Settings, read_client


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until told to stop; return 0, or 1 when the port or the log file can't be had."""
    options = _parser().parse_args(argv)
    client_id, client_secret = read_client(os.environ)
    settings = Settings(
        options.access_ttl,
        options.refresh_ttl,
        client_id,
        client_secret,
        options.debug_endpoints,
        options.max_sessions,
    )
    with contextlib.ExitStack() as stack:
        try:
            sink = stack.enter_context(_open_log(options.log)) if options.log else None
            sock = stack.enter_context(contextlib.closing(bind(options.port)))
        except OSError as error:
            print(f"example provider: cannot start: {error}", file=sys.stderr)
            return 1
        port = sock.getsockname()[1]
        serve(
            make_app(make_provider(settings, sink)),
            sock,
            announce=lambda: print(f"example provider on http://{LOOPBACK}:{port}", flush=True),
            until_stdin_closes=options.exit_with_parent,
        )
    return 0


def _open_log(path: str) -> TextIO:
    return open(path, "a", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="keyturn_example_provider",
        description="A small OAuth 2.0 password-grant server in memory, on 127.0.0.1 only, to try keyturn against.",
        epilog=f"The client is set by the environment variables {ID_VARIABLE} and {SECRET_VARIABLE}.",
    )
    parser.add_argument("--port", type=_port, default=8801, help="0 picks a free one (default: %(default)s)")
    parser.add_argument("--access-ttl", type=_seconds, default=60, metavar="S", help="seconds (default: %(default)s)")
    parser.add_argument(
        "--refresh-ttl", type=_seconds, default=86_400, metavar="S", help="seconds (default: %(default)s)"
    )
    parser.add_argument(
        "--max-sessions", type=_sessions, default=0, metavar="N", help="of one account at once; 0: any (the default)"
    )
    parser.add_argument("--log", metavar="FILE", help="append each request as a line of JSON, without secrets")
    parser.add_argument("--debug-endpoints", action="store_true", help="serve /debug: the log and the fault knobs")
    parser.add_argument("--exit-with-parent", action="store_true", help="end when standard input ends")
    return parser


def _port(text: str) -> int:
    port = int(text)
    if not 0 <= port <= 65_535:
        raise ValueError
    return port


def _seconds(text: str) -> int:
    seconds = int(text)
    if seconds < 1:
        raise ValueError
    return seconds


def _sessions(text: str) -> int:
    sessions = int(text)
    if sessions < 0:
        raise ValueError
    return sessions


if __name__ == "__main__":
    raise SystemExit(main())
