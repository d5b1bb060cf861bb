"""`keyturn connection test | renew | reconnect | migrate | person-link | pause | resume | disconnect`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from keyturn.cli.api_client import connect, path_of
from keyturn.cli.command import command
from keyturn.cli.commands.connection_views import show_connection
from keyturn.cli.commands.jobs.bulk import connection_or_all
from keyturn.cli.commands.link import show_link
from keyturn.cli.failures import OK, UNEXPECTED, Failure, exit_code_of
from keyturn.cli.options import connection_argument, json_option, spoken_to, spoken_to_options
from keyturn.cli.output import details, one_line, say, say_json, show_request, state_words, tell
from keyturn.cli.terminal import confirm
from keyturn.cli.times import when


@command("connection test")
@connection_or_all("test")
@click.option("--dry-run", is_flag=True, help="Send nothing; show the request with its secrets masked.")
@json_option
def test(connection: str, dry_run: bool, as_json: bool) -> int:
    """Run the connector's test call. A test that fails ends with the exit code of its problem code."""
    found = connect().send(
        "POST", path_of("connections", connection, "test"), query={"dry_run": "true" if dry_run else None}
    )
    if as_json:
        say_json(found.document)
    elif dry_run:
        show_request(found.members)
    if dry_run:
        return OK
    tested = found.members.get("last_test")
    verdict: Mapping[str, Any] = tested if isinstance(tested, Mapping) else {}
    passed = verdict.get("passed") is True
    if not as_json:
        status = f" (HTTP {one_line(verdict['status'])})" if verdict.get("status") else ""
        say(f"passed{status}" if passed else f"failed{status}: {one_line(verdict.get('code'))}")
    return OK if passed else exit_code_of(str(verdict.get("code") or "connection_test_failed"))


@command("connection renew")
@connection_or_all("renew")
@json_option
def renew(connection: str, as_json: bool) -> None:
    """Whoever asks at the same moment gets the result of the same renewal."""
    found = connect().send("POST", path_of("connections", connection, "renew"))
    if as_json:
        say_json(found.document)
        return
    details(
        [
            ("renewed", found.members.get("id")),
            ("generation", found.members.get("generation")),
            ("token ends", when(found.members.get("expires_at"))),
            ("renews", when(found.members.get("renews_at"))),
        ]
    )


@command("connection reconnect")
@connection_or_all("reconnect_links")
@click.option("--return-url", metavar="URL", help="Where the person goes afterwards.")
@spoken_to_options
@json_option
def reconnect(
    connection: str, return_url: str | None, app_name: str | None, owner_label: str | None, as_json: bool
) -> None:
    """Print a link for the person whose account it is: opened once, it repairs this connection.

    With several, or --all, a job makes one for each that needs its person; “job links” shows them.
    """
    document = spoken_to(return_url, app_name, owner_label) or None
    show_link(connect().send("POST", path_of("connections", connection, "reconnect"), document), as_json=as_json)


@command("connection migrate")
@connection_or_all("migrate", alone=False)
@json_option
def migrate(connection: str, as_json: bool) -> None:
    """Each one's test call is sent as its connector's newest version says; those that pass go over to it.

    “connector migrate ID --dry-run” says beforehand what the newest version changes.
    """


@command("connection person-link")
@connection_argument
@click.option("--days", type=click.IntRange(1, 366), help="Ends after so many days (7).")
@click.option("--take-back", is_flag=True, help="Make none; all that were made lead nowhere afterwards.")
@json_option
def person_link(connection: str, days: int | None, take_back: bool, as_json: bool) -> None:
    """Print a link for the person: it shows the connection, and what is stored, and can end it. Shown this once."""
    client, path = connect(), path_of("connections", connection, "person-link")
    if take_back:
        client.send("DELETE", path)
        if as_json:
            say_json({"id": connection, "person_links": "taken back"})
        else:
            tell("Taken back.")
        return
    ends = datetime.now(UTC) + timedelta(days=days) if days is not None else None
    made = client.send("POST", path, {"expires_at": ends.strftime("%Y-%m-%dT%H:%M:%SZ")} if ends else None)
    if as_json:
        say_json(made.document)
        return
    say(one_line(made.members.get("url")))
    tell(f"Good until {when(made.members.get('expires_at'))}. Whoever has it can end the connection.")


@command("connection pause")
@connection_or_all("pause")
@json_option
def pause(connection: str, as_json: bool) -> None:
    """Refuse calls until it is resumed. Pausing twice is fine."""
    show_connection(connect().send("POST", path_of("connections", connection, "pause")).members, as_json=as_json)


@command("connection resume")
@connection_or_all("resume")
@json_option
def resume(connection: str, as_json: bool) -> None:
    """Take calls again. Resuming twice is fine."""
    show_connection(connect().send("POST", path_of("connections", connection, "resume")).members, as_json=as_json)


@command("connection disconnect")
@connection_or_all("disconnect")
@click.option("--forget-now", is_flag=True, help="Tell the provider once, and don't try again for a day.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@json_option
def disconnect(connection: str, forget_now: bool, yes: bool, as_json: bool) -> None:
    """Calls are refused and secrets destroyed at once; then the provider is told. There is no way back."""
    client = connect()
    path = path_of("connections", connection)
    if not yes:
        about = client.get(path).members
        what = f"This ends {one_line(about.get('name'))} ({one_line(about.get('connector'))}) for good:"
        words = f"{what} calls are refused, its secrets destroyed, the provider is told."
        if not confirm(words, instead="Give --yes to disconnect without being asked."):
            raise Failure("Nothing was done.", UNEXPECTED)
    found = client.send("DELETE", path, query={"forget": "now" if forget_now else None})
    if as_json:
        say_json(found.document)
        return
    revocation = found.members.get("revocation")
    told = revocation.get("result") if isinstance(revocation, Mapping) else None
    details([("state", state_words(str(found.members.get("state")))), ("revocation", told)])
    if found.members.get("state") == "disconnecting":
        tell(f"The provider is still being told: keyturn connection why {connection}")
