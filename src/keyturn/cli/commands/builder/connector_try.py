"""`keyturn connector try`: a trial of a draft or of a file, its rows as they are made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import click

from keyturn.cli.api_client import ApiClient, connect, path_of
from keyturn.cli.command import command
from keyturn.cli.commands.connector_files import read_file
from keyturn.cli.failures import FINDINGS, OK, USAGE, Failure, ProblemAnswered, show_problem
from keyturn.cli.options import client_address_option, json_option
from keyturn.cli.output import one_line, say, say_json, styled, tell, write_styled
from keyturn.cli.secret_input import given_secret, one_secret
from keyturn.cli.terminal import ask, ask_secret

_MARKS: Final = {"ok": ("✓", "green"), "failed": ("✗", "red"), "skipped": ("–", "dim")}
_SHOWN: Final = frozenset({"text", "choice", "number", "boolean", "url", "email", "host"})


@command("connector try")
@click.argument("what", metavar="ID|FILE")
@click.option("--username", metavar="TEXT", help="Asked for where it is left out.")
@one_secret("password")
@client_address_option
@click.option("--verbose", is_flag=True, help="Show each request and answer, masked, and its TLS.")
@click.option(
    "--save-fixture", type=click.Path(path_type=Path), metavar="FILE", help="Record what is exchanged, made up."
)
@click.option("--hold", is_flag=True, help="Where a step after the login fails, wait for a mended text.")
@json_option
def try_it(
    what: str,
    username: str | None,
    from_stdin: bool,
    from_fd: int | None,
    client_address: str | None,
    verbose: bool,
    save_fixture: Path | None,
    hold: bool,
    as_json: bool,
) -> int:
    """It signs in for real, and wrong tries can lock the account. Nothing that is typed is kept.

    A FILE is tried as it is, without being stored; its client id and secret are those set on the server under its id.
    With --hold the tokens are held for ten minutes at most: mend the file, and go on without another login.
    Exit code 6 where a step fails. A fixture has nobody's secret or name in it; “connector lint --fixtures” reads it.
    """
    from keyturn.bootstrap.offline import read_connector_text

    client, path = connect(), Path(what)
    if path.suffix in (".yaml", ".yml", ".json") or path.exists():
        read = read_file(path)
        connector, source = read.connector, read.text.decode("utf-8-sig")
    else:
        draft = client.get(path_of("connectors", what)).members
        stored = draft.get("draft") or draft.get("version") or {}
        connector, source = read_connector_text(str(stored.get("source", ""))), None
    tell(f"This signs in to {connector.token.url.source} for real. Wrong tries can lock the account.")
    document: dict[str, Any] = {"username": username or ask(connector.username.label, instead="Give --username.")}
    document["fields"] = {
        each.key: _asked(each.label, each.type.value)
        for each in connector.fields
        if each.required and each.default is None
    }
    password = given_secret(from_stdin, from_fd)
    ways = "Give --password-stdin or --password-fd."
    document["password"] = password if password is not None else ask_secret(connector.password.label, instead=ways)
    if source is not None:
        document["source"] = source
    if client_address is not None:
        document["client_address"] = client_address
    if hold:
        document["hold"] = True
    run = client.send("POST", path_of("connectors", connector.id, "trials"), document).members
    run = _follow(client, run, verbose=verbose, quiet=as_json, path=None if source is None else path)
    if save_fixture is not None:
        _save(client, run, save_fixture)
    if as_json:
        say_json(run)
    else:
        say("The trial passed." if run.get("passed") else "The trial failed.")
    return OK if run.get("passed") else FINDINGS


def _save(client: ApiClient, run: Mapping[str, Any], path: Path) -> None:
    found = client.get(path_of("trials", str(run.get("id")), "fixture")).members
    try:
        path.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise Failure(f"{path} can't be written: {error.strerror}.", USAGE) from None
    tell(f"Recorded in {path}.")


def _follow(
    client: ApiClient, run: Mapping[str, Any], *, verbose: bool, quiet: bool, path: Path | None
) -> Mapping[str, Any]:
    """Show rows as they come and answer what is asked, until it ends."""
    shown = 0
    while True:
        rows = run.get("rows") or []
        for row in rows[shown:] if not quiet else ():
            _show(row, verbose=verbose)
        shown = len(rows)
        if run.get("state") == "ended":
            return run
        place = path_of("trials", str(run.get("id")))
        if run.get("state") == "asking":
            run = _answered(client, run, place)
        elif run.get("state") == "held":
            run = _gone_on(client, run, place, path)
            shown = len(run.get("rows") or [])
        else:
            run = client.get(place, {"after": str(shown)}).members


def _gone_on(client: ApiClient, run: Mapping[str, Any], place: str, path: Path | None) -> Mapping[str, Any]:
    """Wait until the text is mended, then go on with it; anything but Enter ends the trial."""
    step, what = run.get("failed_step"), "the draft" if path is None else str(path)
    said = ask(
        f"Mend {what}, then press Enter to go on from step {step}; type end to stop", instead="Leave out --hold."
    )
    if said.strip():
        return client.send("POST", f"{place}/end").members
    try:
        mended = {} if path is None else {"source": path.read_text(encoding="utf-8-sig")}
        return client.send("POST", f"{place}/continue", mended).members
    except OSError as error:
        tell(f"{path} can't be read: {error.strerror}.")
    except UnicodeDecodeError:
        tell(f"{path} is no text in UTF-8.")
    except ProblemAnswered as problem:
        show_problem(problem.document, as_json=False)
    return client.get(place).members


def _answered(client: ApiClient, run: Mapping[str, Any], place: str) -> Mapping[str, Any]:
    """Ask what the trial asks; a code that is left empty asks for another, where there is a way to."""
    if run.get("asked_again"):
        tell(one_line(run["asked_again"]))
    resend = run.get("resend") is True
    answers: dict[str, Any] = {}
    for each in run.get("ask") or []:
        label, kind = str(each["label"]), str(each["type"])
        again = resend and kind == "otp"
        value = _asked(f"{label} (Enter alone asks for another)" if again else label, kind)
        if again and not value:
            return client.send("POST", f"{place}/resend").members
        answers[str(each["key"])] = value
    return client.send("POST", place, {"answers": answers}).members


def _asked(label: str, kind: str) -> Any:
    if kind in _SHOWN:
        return ask(label, instead="This needs a terminal.")
    return ask_secret(label, instead="This needs a terminal.")


def _show(row: Mapping[str, Any], *, verbose: bool) -> None:
    mark, style = _MARKS.get(str(row.get("mark")), ("?", "dim"))
    parts = [str(row.get("step") or ""), row.get("title"), row.get("method"), row.get("url"), row.get("status")]
    line = " ".join(one_line(each) for each in parts if each not in (None, ""))
    took = f" {row['ms']} ms" if row.get("ms") is not None else ""
    write_styled(f"{styled(mark, style)} {line}{styled(took, 'dim')}")
    for name in ("text", "diagnosis"):
        if row.get(name):
            write_styled(f"      {one_line(row[name])}")
    if row.get("suggestion"):
        write_styled(f"      {styled('try: ' + one_line(row['suggestion']), 'cyan')}")
        edit = row.get("edit") or {}
        if edit:
            value = json.dumps(edit.get("value"), ensure_ascii=False)
            write_styled(f"      {styled(one_line(str(edit.get('pointer')) + ': ' + value), 'dim')}")
    if row.get("redirects_to"):
        write_styled(f"      points to {one_line(row['redirects_to'])}; not followed")
    for name in ("request", "answer") if verbose else ():
        for text in str(row.get(name) or "").splitlines():
            write_styled(f"      {styled(one_line(text), 'dim')}")
    if verbose and row.get("transport"):
        write_styled(f"      {styled(one_line(_travelled(row['transport'])), 'dim')}")


def _travelled(facts: Mapping[str, Any]) -> str:
    """How a request travelled, in a line."""
    tls = facts.get("tls") or {}
    ends = str(tls.get("ends_at") or "")[:10]
    issued = f" issued by {tls.get('issuer')}" if tls.get("issuer") else ""
    until = f" until {ends}" if ends else ""
    parts = (
        facts.get("family"),
        "private network" if facts.get("private") else "",
        "by the operator's proxy" if facts.get("by_proxy") else "",
        f"{tls.get('version')} {tls.get('cipher')}" if tls else "plain http",
        f"certificate of {tls.get('subject')}{issued}{until}" if tls.get("subject") else "",
        "trusted by the connector's own authorities" if tls.get("own_authorities") else "",
    )
    return ", ".join(str(each) for each in parts if each)
