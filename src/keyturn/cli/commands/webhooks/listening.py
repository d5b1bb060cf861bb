"""`keyturn webhook listen`: events on this machine, without an address that the server could reach.

Rule 1: it asks the server for events and posts them here; nothing is made on the server, so nothing is left behind.
Rule 2: it signs as a webhook does, with a secret of its own that it prints.
Rule 3: it posts to this machine alone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any, Final

import click

from keyturn.cli.api_client import connect
from keyturn.cli.command import command
from keyturn.cli.local_post import check_local, post_here
from keyturn.cli.output import one_line, say, say_json, tell
from keyturn.core.events.catalogue import known, wants
from keyturn.core.events.signing import headers, secret_text

LOOK_EVERY_S: Final = 1.0
SECRET_BYTES: Final = 32


@command("webhook listen")
@click.option("--forward-to", "target", metavar="URL", help="Post each event there, signed; on this machine.")
@click.option("--event", "events", multiple=True, metavar="TYPE", help="A type, or connection.*; all usual ones.")
@click.option("--json", "as_json", is_flag=True, help="Write each event as a JSON document.")
def listen(target: str | None, events: tuple[str, ...], as_json: bool) -> None:
    """Ends with Ctrl-C. Types that are off by default show only where a webhook of the server chose them.

    With --forward-to the secret that signs is written alone to standard output first.
    """
    unknown = [each for each in events if not known(each)]
    if unknown:
        raise click.UsageError("There is no such type of event; docs/reference/webhooks.md lists them.")
    key = os.urandom(SECRET_BYTES)
    if target is not None:
        check_local(target)
        say(secret_text(key))
        tell("This is the secret that signs, as long as this command runs.")
    client = connect()
    after = client.get("/v1/events", {"after": "now"}).members.get("next_cursor")
    tell("Waiting for events; Ctrl-C ends it.")
    while True:
        found = client.get("/v1/events", {"after": after, "limit": 200})
        for event in found.rows():
            if wants(events, str(event.get("type"))):
                _show(event, target, key, as_json)
        after = found.members.get("next_cursor")
        if not found.rows():
            time.sleep(LOOK_EVERY_S)


def _show(event: Mapping[str, Any], target: str | None, key: bytes, as_json: bool) -> None:
    said = ""
    if target is not None:
        import json

        told = {name: each for name, each in event.items() if name != "id"}
        body = json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()
        said = f"  → {post_here(target, headers([key], str(event.get('id')), int(time.time()), body), body)}"
    if as_json:
        say_json(event)
        return
    data = event.get("data") or {}
    about = "  ".join(one_line(data.get(name)) for name in ("id", "state", "code") if data.get(name))
    line = f"{one_line(event.get('timestamp'))}  {one_line(event.get('type'))}  {about}{said}"
    (tell if target is not None else say)(line)
