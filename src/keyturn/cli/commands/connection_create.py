"""`keyturn connection create`: connect an account from here, with its username and password."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from keyturn.cli.api_client import ApiClient, connect, path_of
from keyturn.cli.challenges import Course, FromStdin, given_answers, refuse_shown
from keyturn.cli.command import command
from keyturn.cli.commands.connection_views import show_connection
from keyturn.cli.failures import ProblemAnswered
from keyturn.cli.options import answer_option, client_address_option, json_option
from keyturn.cli.secret_input import given_secret, one_secret, secrets_in
from keyturn.cli.terminal import ask, ask_secret
from keyturn.core.connector import Connector, Field, FieldType
from keyturn.core.secret import Secret

_NOT_SHOWN: Final = frozenset({FieldType.SECRET, FieldType.OTP, FieldType.TOTP_SEED})
_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WAYS: Final = "Give --password-stdin, --password-fd or --secrets-file."
_FIELD_WAYS: Final = "Give it by --field KEY=VALUE, or a secret one by --secrets-file."


@command("connection create")
@click.argument("connector", metavar="CONNECTOR")
@click.option("--owner", required=True, metavar="TEXT", help="Your own id for the person or tenant.")
@click.option("--username", metavar="TEXT", help="Asked for where it is left out.")
@click.option("--field", "fields", multiple=True, metavar="KEY=VALUE", help="A field of the connect form; no secret.")
@one_secret("password")
@click.option(
    "--secrets-file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help='A file of mode 0600: {"password": "…", "KEY OF A SECRET FIELD": "…"}.',
)
@click.option("--keep-password", is_flag=True, help="Keep the password sealed, where the connector offers it.")
@click.option("--keep-totp-seed", is_flag=True, help="Keep the seed of one-time codes sealed, if one is given.")
@client_address_option
@answer_option
@json_option
def create(
    connector: str,
    owner: str,
    username: str | None,
    fields: tuple[str, ...],
    from_stdin: bool,
    from_fd: int | None,
    secrets_file: Path | None,
    keep_password: bool,
    keep_totp_seed: bool,
    client_address: str | None,
    answers: tuple[str, ...],
    as_json: bool,
) -> int:
    """The password is asked for without being shown, and so is each secret field. It is used once and forgotten.

    What the provider asks in between, such as a code, is asked for here; without a terminal the command ends with exit
    code 10 and “keyturn connection answer” goes on.

    Only for accounts that are yours to use; other people connect theirs by a link.
    """  # fmt: skip
    given = given_answers(answers)
    if from_stdin and any(isinstance(each, FromStdin) for each in given.values()):
        raise click.UsageError("Standard input brings the password or answers; give the other in another way.")
    client = connect()
    form = _form_of(client, connector)
    plain = _plain_fields(fields, form)
    asked = [each for challenge in form.challenges for each in challenge.ask] if form else []
    refuse_shown(given, {each.key: each.type.value for each in asked})
    secrets = secrets_in(secrets_file) if secrets_file is not None else {}
    password = given_secret(from_stdin, from_fd)
    if password is not None and "password" in secrets:
        raise click.UsageError("The password has one source; two are named.")
    username = username or ask(form.username.label if form else "Username", instead="Give --username.")
    values = _asked_fields(form, {**plain, **{name: each for name, each in secrets.items() if name != "password"}})
    password = password or secrets.get("password")
    if password is None:
        password = ask_secret(form.password.label if form else "Password", instead=_WAYS)
    document: dict[str, Any] = {
        "connector": connector,
        "owner": owner,
        "username": username,
        "password": password,
        "fields": values,
        "keep_password": keep_password,
    }
    if keep_totp_seed:
        document["keep_totp_seed"] = True
    if client_address is not None:
        document["client_address"] = client_address
    course = Course(client, show_connection, as_json, given, client_address=client_address)
    return course.go_on(client.send("POST", path_of("connections"), document))


def _form_of(client: ApiClient, connector: str) -> Connector | None:
    """What the connector asks for; None where the key may not read connectors."""
    from keyturn.bootstrap.offline import read_connector_text

    try:
        found = client.get(path_of("connectors", connector))
    except ProblemAnswered as answered:
        if answered.document.get("code") == "forbidden_scope":
            return None
        raise
    version = found.members.get("version")
    source = version.get("source") if isinstance(version, Mapping) else None
    return read_connector_text(source) if isinstance(source, str) else None


def _plain_fields(given: tuple[str, ...], form: Connector | None) -> dict[str, object]:
    known = {field.key: field for field in form.fields} if form else {}
    found: dict[str, object] = {}
    for each in given:
        key, sign, value = each.partition("=")
        if not sign or not _KEY.fullmatch(key):
            raise click.UsageError("A field is written KEY=VALUE.")
        if form is not None and key not in known:
            names = ", ".join(known) or "none"
            raise click.UsageError(f"The connector has no such field; it has: {names}.")
        if key in known and known[key].type in _NOT_SHOWN:
            raise click.UsageError(
                f"{key} is a secret, and a command line is seen by every program of this machine: leave it out to be"
                " asked, or put it into --secrets-file."
            )
        if key in found:
            raise click.UsageError(f"{key} is given twice.")
        found[key] = _typed(value, known.get(key))
    return found


def _typed(value: str, field: Field | None) -> object:
    """The JSON value of a text, by the field's type."""
    if field is not None and field.type is FieldType.BOOLEAN and value.lower() in ("true", "yes", "false", "no"):
        return value.lower() in ("true", "yes")
    if field is not None and field.type is FieldType.NUMBER and re.fullmatch(r"-?[0-9]{1,15}(\.[0-9]{1,15})?", value):
        return float(value) if "." in value else int(value)
    return value


def _asked_fields(form: Connector | None, given: dict[str, object]) -> dict[str, object]:
    """What was given, and the answers to what is required and still missing."""
    values = dict(given)
    for field in form.fields if form else ():
        if field.key in values or field.default is not None or not field.required:
            continue
        answer: str | Secret
        if field.type in _NOT_SHOWN:
            answer = ask_secret(field.label, instead=_FIELD_WAYS)
        else:
            choices = f" ({', '.join(field.choices)})" if field.choices else ""
            answer = ask(f"{field.label}{choices}", instead=_FIELD_WAYS)
        if answer:
            values[field.key] = answer if isinstance(answer, Secret) else _typed(answer, field)
    return values
