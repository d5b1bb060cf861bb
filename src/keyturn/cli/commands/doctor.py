"""`keyturn doctor`: what is wrong here and how it is mended, without a secret in it."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from keyturn.cli.api_client import ApiClient, connect
from keyturn.cli.command import command
from keyturn.cli.failures import OK, UNEXPECTED, UNREACHABLE, Failure, ProblemAnswered, sentences_of
from keyturn.cli.options import json_option
from keyturn.cli.output import one_line, say, say_json, styled, write_styled
from keyturn.core.errors import KeyturnError, SettingsInvalid

if TYPE_CHECKING:
    from keyturn.bootstrap.upkeep.check import Check

CLOCKS_APART_S: Final = 30.0
_ALARM: Final = re.compile(r'^keyturn_connector_alarm\{connector="([^"\\]*)"\} 1', re.MULTILINE)
_DOWN: Final = re.compile(r'^keyturn_provider_closed\{host="([^"\\]*)",why="down"\} 1', re.MULTILINE)
_MARKS: Final = {"ok": ("✓", "green"), "warning": ("▲", "yellow"), "problem": ("✗", "red")}


@command("doctor")
@click.option("--data", type=click.Path(path_type=Path), metavar="DIR", help="Data directory (KEYTURN_DATA).")
@click.option("--listen", metavar="HOST:PORT", help="Where keyturn is to listen (KEYTURN_LISTEN).")
@click.option("--unpark", is_flag=True, help="First let rows that were set aside be tried again.")
@json_option
def doctor(data: Path | None, listen: str | None, unpark: bool, as_json: bool) -> int:
    """Looks at versions, file modes, key, database, disk, clock, port, settings, quiet hours, late renewals, rows
    that can't be read or opened, stuck jobs, back-ups, the audit log, the public address, and the server of KEYTURN_URL
    and its clock.

    Nothing is changed, except by --unpark. The report holds no secret, so that it can be passed on. Exit code 1
    where there is a problem; a warning is none.
    """
    checks = [*(_put_back(data, listen) if unpark else ()), *_here(data, listen), *_server()]
    problems = sum(each.grade == "problem" for each in checks)
    if as_json:
        rows = [{"name": each.name, "grade": each.grade, "found": each.found, "fix": each.fix} for each in checks]
        say_json({"version": version("keyturn"), "ok": not problems, "checks": rows})
    else:
        _show(checks, problems)
    return UNEXPECTED if problems else OK


def _here(data: Path | None, listen: str | None) -> Iterator[Check]:
    from keyturn.bootstrap.examination import examine, unknown_settings
    from keyturn.bootstrap.settings import read_settings
    from keyturn.bootstrap.upkeep.check import Check, Grade

    try:
        settings = read_settings(data=data, listen=listen)
    except SettingsInvalid as error:
        for sentence in sentences_of(error):
            yield Check("settings", Grade.PROBLEM, sentence, "Correct it; nothing else could be looked at here.")
        yield from unknown_settings()
        return
    yield from examine(settings)


def _put_back(data: Path | None, listen: str | None) -> Iterator[Check]:
    """Let what was set aside be tried again, and say how many."""
    import asyncio

    from keyturn.bootstrap.settings import read_settings
    from keyturn.bootstrap.upkeep.check import Check, Grade
    from keyturn.bootstrap.upkeep.rows import put_back

    try:
        back = asyncio.run(put_back(read_settings(data=data, listen=listen)))
    except SettingsInvalid:
        return  # the look at the settings says it
    except KeyturnError as error:
        words = f"Nothing was put back: {one_line(error.detail)}."
        yield Check("put back", Grade.PROBLEM, words, "See what is said of the database.")
        return
    words = f"{back.connections} connections and {back.revocations} revocations are tried again."
    yield Check("put back", Grade.OK, words)


def _server() -> Iterator[Check]:
    from keyturn.bootstrap.upkeep.check import Check, Grade

    try:
        client = connect()
        client.send("GET", "/healthz", keyless=True)
    except Failure as failure:
        away = failure.exit_code == UNREACHABLE
        fix = "Fine if it is not meant to run now." if away else "Another program may have its port; see KEYTURN_URL."
        yield Check("server", Grade.WARNING if away else Grade.PROBLEM, str(failure), fix)
        return
    except (ProblemAnswered, KeyturnError) as error:
        words = error.detail if isinstance(error, KeyturnError) else "The server answers, but not that it is well."
        yield Check("server", Grade.PROBLEM, words, "Correct KEYTURN_URL, or look at the server's log.")
        return
    yield _release(client)
    yield _ready(client)
    yield from _clocks(client)
    yield from _alarms(client)


def _release(client: ApiClient) -> Check:
    from keyturn.bootstrap.upkeep.check import Check, Grade

    about = client.send("GET", "/openapi.json", keyless=True).members.get("info")
    theirs = str(about.get("version", "")) if isinstance(about, dict) else ""
    if theirs != version("keyturn"):
        words = f"The server answers; it is of release {one_line(theirs)}, this program of {version('keyturn')}."
        return Check("server", Grade.WARNING, words, "Use the same release on both sides.")
    return Check("server", Grade.OK, f"The server answers, of release {theirs}.")


def _ready(client: ApiClient) -> Check:
    from keyturn.bootstrap.upkeep.check import Check, Grade

    try:
        client.send("GET", "/readyz", keyless=True)
    except ProblemAnswered as answered:
        parts = answered.document.get("parts")
        wrong = ", ".join(f"{name}: {word}" for name, word in parts.items()) if isinstance(parts, dict) else ""
        return Check(
            "ready", Grade.PROBLEM, f"The server can't serve now ({one_line(wrong)}).", "See the server's log."
        )
    return Check("ready", Grade.OK, "The server can serve requests.")


def _clocks(client: ApiClient) -> Iterator[Check]:
    """How far the server's clock is from this one, as its answers' `Date` has it; nothing where none says."""
    from email.utils import parsedate_to_datetime

    from keyturn.bootstrap.upkeep.check import Check, Grade

    with client.stream("GET", "/healthz", {}, None, keyless=True) as answer:
        said, now = answer.header("Date"), time.time()
    try:
        apart = parsedate_to_datetime(said).timestamp() - now
    except (TypeError, ValueError):
        return
    words = f"The server's clock is {abs(apart):.0f} s {'ahead of' if apart > 0 else 'behind'} this machine's."
    if abs(apart) > CLOCKS_APART_S:
        fix = "Set both by NTP: tokens end by the clock, and two servers of one database have to agree."
        yield Check("server's clock", Grade.WARNING, words, fix)
    else:
        yield Check("server's clock", Grade.OK, "The server's clock and this machine's agree.")


def _alarms(client: ApiClient) -> Iterator[Check]:
    """What the server has found out of connectors and providers since it started."""
    from keyturn.bootstrap.upkeep.check import Check, Grade

    with client.stream("GET", "/metrics", {}, None, keyless=True) as answer:
        text = answer.all().decode("utf-8", "replace") if answer.status == 200 else ""  # a proxy may keep it back
    for connector in sorted(set(_ALARM.findall(text))):
        words = f"The provider of {one_line(connector)} refuses the connector's own set-up."
        yield Check("connectors", Grade.PROBLEM, words, f"keyturn connector set-client {one_line(connector)}")
    for host in sorted(set(_DOWN.findall(text))):
        words = f"{one_line(host)} does not answer."
        yield Check("providers", Grade.WARNING, words, "See the provider's status page; it is asked again by itself.")


def _show(checks: Sequence[Check], problems: int) -> None:
    for each in checks:
        mark, style = _MARKS[each.grade]
        write_styled(f"{styled(mark, style)} {each.name:<15} {one_line(each.found)}")
        if each.fix:
            write_styled(f"  {'':<15} {styled('→ ' + one_line(each.fix), 'dim')}")
    say()
    warnings = sum(each.grade == "warning" for each in checks)
    say(f"{problems} problem{'' if problems == 1 else 's'}, {warnings} warning{'' if warnings == 1 else 's'}.")
