"""`keyturn connector save | publish | list | show | set-client`: connectors on a server."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from keyturn.cli.api_client import Answer, ApiClient, connect, path_of
from keyturn.cli.command import command
from keyturn.cli.commands.connector_files import read_file
from keyturn.cli.options import json_option
from keyturn.cli.output import details, one_line, say, say_json, table, tell
from keyturn.cli.secret_input import given_secret, one_secret
from keyturn.cli.terminal import ask_secret
from keyturn.cli.times import when
from keyturn.cli.words.named import on_server
from keyturn.core.secret import Secret

note_option = click.option("--note", metavar="TEXT", help="One line on what it is for, kept with the version.")


@command("connector save")
@click.argument("file", type=click.Path(path_type=Path), metavar="FILE")
@click.option("--publish", "publish_it", is_flag=True, help="Publish it as well.")
@note_option
@json_option
def save(file: Path, publish_it: bool, note: str | None, as_json: bool) -> None:
    """The file is read here first; with an error nothing is sent. Findings of the linter do not hold a draft up."""
    if note is not None and not publish_it:
        raise click.UsageError("A note goes with what is published: --publish is not there.")
    read = read_file(file)
    client = connect()
    connector = read.connector.id
    saved = client.send("PUT", path_of("connectors", connector), raw=read.text, media_type="application/yaml")
    published = publish_draft(client, connector, note=note) if publish_it else None
    if as_json:
        say_json({"connector": saved.document, "published": published.document if published else None})
        return
    draft = saved.members.get("draft")
    revision = draft.get("revision") if isinstance(draft, Mapping) else None
    say(f"{connector}: draft saved, revision {one_line(revision)}")
    findings = saved.members.get("findings")
    if isinstance(findings, list) and findings:
        words = "1 finding" if len(findings) == 1 else f"{len(findings)} findings"
        tell(f"{words} of the linter: keyturn connector lint {file}")
    if published is not None:
        tell_published(connector, published)


@command("connector publish")
@click.argument("connector", metavar="ID")
@click.option("--corrects", type=click.IntRange(1), metavar="N", help="Only correct the advice of version N.")
@note_option
@json_option
def publish(connector: str, corrects: int | None, note: str | None, as_json: bool) -> None:
    """The draft becomes the next version. The same text again gives the same version.

    Where only advice differs from the newest version (failures, links, notes, retires), that one is corrected in place.
    """
    published = publish_draft(connect(), connector, corrects, note)
    if as_json:
        say_json(published.document)
    else:
        tell_published(connector, published)


def publish_draft(client: ApiClient, connector: str, corrects: int | None = None, note: str | None = None) -> Answer:
    """Publish what the draft says."""
    given = {name: value for name, value in (("corrects", corrects), ("note", note)) if value is not None}
    return client.send("POST", path_of("connectors", connector, "publish"), given or None)


def tell_published(connector: str, published: Answer) -> None:
    """Say what became of it."""
    version, keys = one_line(published.members.get("version")), published.members.get("corrected")
    match published.members.get("result"):
        case "corrected":
            names = ", ".join(one_line(each) for each in keys) if isinstance(keys, list) else ""
            say(f"{connector}: version {version} is corrected, for its connections at once ({names}); no new version")
        case "unchanged":
            say(f"{connector}: version {version} says the same already; nothing was published")
        case _:
            say(f"{connector}: version {version} is published")


@command("connector list")
@json_option
def list_connectors(as_json: bool) -> None:
    """By id."""
    found = connect().get(path_of("connectors"))
    if as_json:
        say_json(found.document)
        return
    rows = found.rows()
    if not rows:
        tell("No connector. “keyturn connector new ID” writes a first file.")
        return
    table(
        ("ID", "TITLE", "VERSION", "DRAFT", "CLIENT"),
        [
            (
                row.get("id"),
                row.get("title"),
                row.get("latest_version"),
                row.get("has_draft"),
                "set" if row.get("client_id_set") else "not set",
            )
            for row in rows
        ],
    )


@command("connector show")
@click.argument("connector", metavar="ID[@N]")
@click.option("--yaml", "as_yaml", is_flag=True, help="Write the newest published text (else the draft's), as written.")
@json_option
def show(connector: str, as_yaml: bool, as_json: bool) -> None:
    """ID@3 shows its third version. Client id and secret are never shown, only whether they are set."""
    wanted = on_server(connector)
    if wanted.version is not None:
        _show_version(wanted.connector, wanted.version, as_yaml=as_yaml, as_json=as_json)
        return
    found = connect().get(path_of("connectors", connector))
    document = found.members
    draft, version = _part(document, "draft"), _part(document, "version")
    if as_json:
        say_json(found.document)
    elif as_yaml:
        say(str((version or draft).get("source", "")).rstrip("\n"))
    else:
        details(
            [
                ("id", document.get("id")),
                ("title", document.get("title")),
                ("version", version.get("version")),
                ("published", _publication(version)),
                ("note", version.get("note")),
                ("draft", f"revision {draft['revision']}, {when(draft.get('updated_at'))}" if draft else None),
                ("client", "set" if document.get("client_id_set") else "not set"),
                ("retires", _part(document, "retires").get("on")),
                ("successor", _part(document, "retires").get("successor")),
                ("findings", len(document.get("findings") or ())),
            ]
        )


def _show_version(connector: str, version: int, *, as_yaml: bool, as_json: bool) -> None:
    found = connect().get(path_of("connectors", connector, "versions", str(version)))
    if as_json:
        say_json(found.document)
    elif as_yaml:
        say(str(found.members.get("source", "")).rstrip("\n"))
    else:
        published, digest = _publication(found.members), found.members.get("digest")
        note = found.members.get("note")
        details([("id", connector), ("version", version), ("published", published), ("note", note), ("digest", digest)])


def _publication(version: Mapping[str, Any]) -> str | None:
    by = version.get("published_by")
    return when(version.get("published_at")) + (f", by {one_line(by)}" if by else "") if version else None


def _part(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name)
    return found if isinstance(found, Mapping) else {}


@command("connector set-client")
@click.argument("connector", metavar="ID")
@click.option("--client-id", required=True, metavar="TEXT", help="The application's id, as the provider gave it.")
@one_secret("secret")
@click.option("--no-secret", is_flag=True, help="The client has no secret.")
def set_client(connector: str, client_id: str, from_stdin: bool, from_fd: int | None, no_secret: bool) -> None:
    """The secret is asked for without being shown, sealed on the server, and never shown again."""
    secret: Secret | None = given_secret(from_stdin, from_fd)
    if no_secret and secret is not None:
        raise click.UsageError("A client has a secret or none; both are said.")
    if secret is None and not no_secret:
        secret = ask_secret("Client secret", instead="Give --secret-stdin, --secret-fd or --no-secret.")
    document = {"client_id": client_id, "client_secret": secret or None}
    connect().send("PUT", path_of("connectors", connector, "client"), document)
    say(f"{connector}: client set")
