"""`keyturn person list | add | role | invite | remove | link | sessions | sign-out`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from keyturn.cli.api_client import connect, path_of
from keyturn.cli.command import command
from keyturn.cli.commands.serve import usable_data
from keyturn.cli.failures import NOT_FOUND, Failure
from keyturn.cli.options import json_option
from keyturn.cli.output import one_line, say, say_json, table, tell
from keyturn.cli.times import when

ROLES = ("viewer", "author", "operator", "admin")
person_argument = click.argument("person", metavar="PERSON")


def _openid(row: Mapping[str, Any]) -> str:
    return "linked" if row.get("linked") else "invited" if row.get("email") else ""


@command("person list")
@json_option
def list_people(as_json: bool) -> None:
    """By name."""
    found = connect().get("/v1/people")
    if as_json:
        say_json(found.document)
        return
    table(
        ("PERSON", "NAME", "ROLE", "LAST SIGN-IN", "OPENID"),
        [
            (row.get("id"), row.get("name"), row.get("role"), when(row.get("signed_in_at")), _openid(row))
            for row in found.rows()
        ],
    )


@command("person add")
@click.argument("name", metavar="NAME")
@click.option("--role", type=click.Choice(ROLES), required=True, help="What this person may do.")
@click.option("--email", metavar="EMAIL", help="Invite by the e-mail that the OpenID provider has verified; no link.")
@json_option
def add(name: str, role: str, email: str | None, as_json: bool) -> None:
    """The link that signs the person in is written alone to standard output; it works once, for 10 minutes.

    With --email no link is made: the person signs in through the OpenID provider.
    """
    client = connect()
    made = client.send("POST", "/v1/people", {"name": name, "role": role, **({"email": email} if email else {})})
    if email:
        if as_json:
            say_json({"person": made.document})
        else:
            tell(f"{one_line(name)} is {one_line(made.members.get('id'))}, {role}, invited by e-mail.")
        return
    link = client.send("POST", path_of("people", str(made.members.get("id")), "sign-in-links"), {})
    if as_json:
        say_json({"person": made.document, "sign_in_link": link.document})
        return
    tell(f"{one_line(made.members.get('name'))} is {one_line(made.members.get('id'))}, {role}.")
    say(one_line(link.members.get("url")))
    tell(f"Works once, until {when(link.members.get('expires_at'))}.")


@command("person role")
@person_argument
@click.argument("role", type=click.Choice(ROLES))
def role(person: str, role: str) -> None:
    """The person's sessions end: they sign in anew."""
    connect().send("PATCH", path_of("people", person), {"role": role})
    tell(f"{person} is {role} now.")


@command("person invite")
@person_argument
@click.argument("email", metavar="EMAIL")
def invite(person: str, email: str) -> None:
    """Who was linked until now is so no more; "" takes an invitation back."""
    connect().send("PATCH", path_of("people", person), {"email": email})
    tell(f"{person} may come through the OpenID provider." if email else f"{person} is not invited any more.")


@command("person remove")
@person_argument
def remove(person: str) -> None:
    """The person is signed out everywhere; the audit log keeps what was done."""
    connect().send("DELETE", path_of("people", person))
    tell(f"{person} can't sign in any more.")


@command("person link")
@click.argument("name", metavar="NAME")
@click.option("--role", type=click.Choice(ROLES), default="admin", help="Of somebody who is not there yet (admin).")
@click.option("--data", type=click.Path(path_type=Path), metavar="DIR", help="Data directory (KEYTURN_DATA).")
@click.option("--url", metavar="URL", help="Where this instance is reached (KEYTURN_PUBLIC_URL).")
@click.option("--open", "open_it", is_flag=True, help="Open the link in a browser here.")
def link(name: str, role: str, data: Path | None, url: str | None, open_it: bool) -> None:
    """Works on the data directory itself, beside a running server: whoever may read it may sign in.

    NAME may be an id as well. A person with this name is made where there is none. The link is written alone to
    standard output.
    """
    import asyncio

    from keyturn.bootstrap.settings import read_settings
    from keyturn.engine.people.people import ID_PREFIX

    settings = read_settings(data=data, public_url=url)
    if name.startswith(ID_PREFIX) and not settings.data.exists():
        raise Failure(
            f"There is no data in {settings.data}, so nobody has this id there: name the server's own with --data.",
            NOT_FOUND,
        )
    with usable_data():
        from keyturn.bootstrap.initialise import sign_in_link

        made, new = asyncio.run(sign_in_link(settings, name, role))
    if new:
        tell(f"{one_line(name)} was added, with the role {role}.")
    say(made.reveal())
    tell("Works once, for 10 minutes.")
    if open_it:
        click.launch(made.reveal())


@command("person sessions")
@person_argument
@json_option
def sessions(person: str, as_json: bool) -> None:
    """Newest first; those that have ended are not among them."""
    found = connect().get(path_of("people", person, "sessions"))
    if as_json:
        say_json(found.document)
        return
    rows = found.rows()
    if not rows:
        tell("Nowhere signed in.")
        return
    table(
        ("SESSION", "BROWSER", "SINCE", "LAST SEEN", "ENDS"),
        [
            (
                row.get("id"), row.get("agent"), when(row.get("created_at")), when(row.get("seen_at")),
                when(row.get("expires_at")),
            )
            for row in rows
        ],
    )  # fmt: skip


@command("person sign-out")
@person_argument
@click.argument("session", metavar="[SESSION]", required=False)
@click.option("--all", "everywhere", is_flag=True, help="All of the person's browsers.")
@json_option
def sign_out(person: str, session: str | None, everywhere: bool, as_json: bool) -> None:
    """The browser is asked to sign in at its next step. To keep somebody out for good: “person remove”."""
    if (session is None) != everywhere:
        raise click.UsageError("Name a session, or give --all.")
    connect().send("DELETE", path_of("people", person, "sessions", *([session] if session is not None else [])))
    if as_json:
        say_json({"person": person, "session": session, "state": "ended"})
    else:
        tell("Signed out everywhere." if session is None else "Signed out.")
