"""`keyturn webhook list | create | show | edit | enable | disable | delete | roll | test | deliveries | replay`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from keyturn.cli.api_client import connect, path_of
from keyturn.cli.command import command
from keyturn.cli.failures import SOME_FAILED
from keyturn.cli.options import json_option, page_options
from keyturn.cli.output import details, one_line, say, say_json, state_words, table, tell
from keyturn.cli.times import when

webhook_argument = click.argument("webhook", metavar="WEBHOOK")


@command("webhook list")
@json_option
def list_webhooks(as_json: bool) -> None:
    """Oldest first."""
    found = connect().get("/v1/webhooks")
    if as_json:
        say_json(found.document)
        return
    rows = [(row.get("id"), _standing(row), _events(row), row.get("url")) for row in found.rows()]
    table(("WEBHOOK", "STATE", "EVENTS", "URL"), rows)


@command("webhook create")
@click.argument("url", metavar="URL")
@click.option("--event", "events", multiple=True, metavar="TYPE", help="A type, or connection.*; all usual ones.")
@click.option("--description", default="", metavar="TEXT", help="What it is, for those who read the list.")
@json_option
def create(url: str, events: tuple[str, ...], description: str, as_json: bool) -> None:
    """The secret is written alone to standard output, this once; the receiver verifies each message with it."""
    made = connect().send("POST", "/v1/webhooks", {"url": url, "events": list(events), "description": description})
    _say_secret(made.members, made.document, as_json)


@command("webhook show")
@webhook_argument
@json_option
def show(webhook: str, as_json: bool) -> None:
    """Without its secret."""
    found = connect().get(path_of("webhooks", webhook))
    if as_json:
        say_json(found.document)
        return
    row = found.members
    details(
        [
            ("webhook", row.get("id")),
            ("url", row.get("url")),
            ("description", row.get("description")),
            ("events", _events(row)),
            ("state", _standing(row)),
            ("failing since", when(row.get("failing_since"))),
            ("old secret until", when(row.get("old_secret_until"))),
            ("made", f"{when(row.get('created_at'))} by {one_line(row.get('created_by'))}"),
        ]
    )


@command("webhook edit")
@webhook_argument
@click.option("--url", metavar="URL", help="Deliver to this address from now on.")
@click.option(
    "--event", "events", multiple=True, metavar="TYPE", help="A type, or connection.*; instead of those before."
)
@click.option("--usual-events", is_flag=True, help="All usual ones again.")
@click.option("--description", metavar="TEXT", help="What it is, for those who read the list.")
@json_option
def edit(
    webhook: str, url: str | None, events: tuple[str, ...], usual_events: bool, description: str | None, as_json: bool
) -> None:
    """What is not named stays. Its secret stays as well."""
    if events and usual_events:
        raise click.UsageError("Give events, or --usual-events.")
    wanted = {"url": url, "description": description, "events": list(events) if events or usual_events else None}
    changed = {name: value for name, value in wanted.items() if value is not None}
    if not changed:
        raise click.UsageError("Say what is to change.")
    saved = connect().send("PATCH", path_of("webhooks", webhook), changed)
    if as_json:
        say_json(saved.document)
    else:
        row = saved.members
        tell(f"{one_line(row.get('id'))} delivers {_events(row)} to {one_line(row.get('url'))}.")


@command("webhook enable")
@webhook_argument
def enable(webhook: str) -> None:
    """What was not delivered meanwhile can be replayed."""
    connect().send("PATCH", path_of("webhooks", webhook), {"enabled": True})
    tell(f"{webhook} gets events from now on.")


@command("webhook disable")
@webhook_argument
def disable(webhook: str) -> None:
    """What waits for it is dropped."""
    connect().send("PATCH", path_of("webhooks", webhook), {"enabled": False})
    tell(f"{webhook} gets nothing more.")


@command("webhook delete")
@webhook_argument
def delete(webhook: str) -> None:
    """Its deliveries go with it."""
    connect().send("DELETE", path_of("webhooks", webhook))
    tell(f"{webhook} is gone.")


@command("webhook roll")
@webhook_argument
@json_option
def roll(webhook: str, as_json: bool) -> None:
    """The new secret is written alone to standard output; for 24 hours the old one counts as well."""
    made = connect().send("POST", path_of("webhooks", webhook, "roll"), {})
    _say_secret(made.members, made.document, as_json)


@command("webhook test")
@webhook_argument
@json_option
def test(webhook: str, as_json: bool) -> None:
    """Says what the receiver answered; exit code 9 where it was no 2xx."""
    found = connect().send("POST", path_of("webhooks", webhook, "test"), {})
    if as_json:
        say_json(found.document)
    else:
        _say_delivery(found.members)
    if found.members.get("state") != "delivered":
        raise click.exceptions.Exit(SOME_FAILED)


@command("webhook deliveries")
@webhook_argument
@page_options
@json_option
def deliveries(webhook: str, limit: int | None, cursor: str | None, as_json: bool) -> None:
    """Newest first; they are kept for thirty days."""
    found = connect().get(path_of("webhooks", webhook, "deliveries"), {"limit": limit, "cursor": cursor})
    if as_json:
        say_json(found.document)
        return
    names = ("id", "state", "type", "status", "tries", "code", "created_at")
    rows = [
        (row[0], state_words(str(row[1])), *row[2:6], when(row[6]))
        for row in ([each.get(name) for name in names] for each in found.rows())
    ]
    table(("DELIVERY", "STATE", "EVENT", "STATUS", "TRIES", "CODE", "MADE"), rows)
    if found.members.get("next_cursor"):
        tell(f"More: --cursor {one_line(found.members['next_cursor'])}")


@command("webhook replay")
@webhook_argument
@click.argument("delivery", metavar="DELIVERY")
def replay(webhook: str, delivery: str) -> None:
    """As a delivery of its own, with the same webhook-id."""
    made = connect().send("POST", path_of("webhooks", webhook, "deliveries", delivery, "replay"), {})
    tell(f"{one_line(made.members.get('id'))} is on its way.")


def _say_secret(row: Mapping[str, Any], document: object, as_json: bool) -> None:
    if as_json:
        say_json(document)
        return
    tell(f"{one_line(row.get('id'))} delivers to {one_line(row.get('url'))}.")
    say(one_line(row.get("secret")))
    if row.get("old_secret_until"):
        tell(f"The old secret counts until {when(row.get('old_secret_until'))}.")
    tell("This is the secret; it is not shown again.")


def _say_delivery(row: Mapping[str, Any]) -> None:
    details(
        [
            ("state", state_words(str(row.get("state")))),
            ("status", row.get("status")),
            ("took", f"{row.get('took_s')} s"),
            ("code", row.get("code")),
        ]
    )


def _standing(row: Mapping[str, Any]) -> str:
    if not row.get("enabled"):
        return f"disabled ({one_line(row.get('disabled_code'))})" if row.get("disabled_code") else "disabled"
    return "failing" if row.get("failing_since") else "enabled"


def _events(row: Mapping[str, Any]) -> str:
    return ", ".join(map(str, row.get("events") or ())) or "all usual ones"
