"""`keyturn connector new | catalogue | lint | schema`: connector files, without a server."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from keyturn.cli.command import command
from keyturn.cli.failures import FINDINGS, OK, USAGE, Failure
from keyturn.cli.options import json_option
from keyturn.cli.output import one_line, say, say_json, styled, table, tell, write_styled
from keyturn.core.errors import ConnectorInvalid

_ID: Final = re.compile(r"[a-z][a-z0-9-]{1,62}")
_MOST_PASTED: Final = 1_048_576
_ORDER: Final = ("error", "warning", "info")
_STYLE: Final = {"error": "red", "warning": "yellow", "info": "cyan"}


@command("connector new")
@click.argument("connector", metavar="ID")
@click.option("--from", "entry", metavar="ENTRY", help="Begin with one that comes along; see “connector catalogue”.")
@click.option(
    "--from-curl", type=click.Path(path_type=Path), metavar="FILE|-", help="Begin with the curl commands in a file."
)
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Where to write (ID.yaml); - for stdout.")
def new(connector: str, entry: str | None, from_curl: Path | None, out: Path | None) -> None:
    """A whole connector with a word on each of the nine steps. No file is overwritten.

    With --from-curl, of the command that logs in, and of one that calls the API; its password and secrets are left out.
    Give them on standard input (-), not in a file that stays.
    """
    from keyturn.bootstrap.offline import renamed_catalogue_text, starter_text

    if not _ID.fullmatch(connector):
        raise click.UsageError("A connector's id has 2 to 63 characters: lower-case letters, digits and hyphens.")
    if entry is not None and from_curl is not None:
        raise click.UsageError("Begin with one of --from and --from-curl.")
    if entry is not None:
        found = renamed_catalogue_text(entry, connector)
        if found is None:
            raise click.UsageError("There is no such connector in the catalogue: keyturn connector catalogue")
        text = found
    else:
        text = starter_text(connector) if from_curl is None else _text_from_curl(connector, from_curl)
    path = out or Path(f"{connector}.yaml")
    if str(path) == "-":
        say(text.rstrip("\n"))
        return
    try:
        with path.open("x", encoding="utf-8") as target:
            target.write(text)
    except FileExistsError:
        raise Failure(f"{path} exists already; nothing was written.", USAGE) from None
    except OSError as error:
        raise Failure(f"{path} can't be written: {error.strerror}.", USAGE) from None
    say(f"{path}")
    tell(f"Next: edit it, then keyturn connector lint {path}")


def _text_from_curl(connector: str, source: Path) -> str:
    from keyturn.bootstrap.offline import curl_text
    from keyturn.core.building.curl_words import CurlUnreadable

    try:
        pasted = sys.stdin.read(_MOST_PASTED) if str(source) == "-" else source.read_text("utf-8")
        text, reading = curl_text(connector, pasted)
    except CurlUnreadable as error:
        raise Failure(f"Line {error.line}, column {error.column}: {error}", USAGE) from None
    except UnicodeDecodeError:
        raise Failure("The curl commands are no text in UTF-8.", USAGE) from None
    except OSError as error:
        raise Failure(f"{source} can't be read: {error.strerror}.", USAGE) from None
    for sentence in (*reading.understood, *reading.left):
        tell(sentence)
    return text


@command("connector catalogue")
@json_option
def catalogue(as_json: bool) -> None:
    """Without a server: those of this release. “connector new ID --from ENTRY” begins with one."""
    from keyturn.bootstrap.offline import catalogue_rows

    rows = catalogue_rows()
    if as_json:
        say_json({"data": [{"id": name, "title": title} for name, title in rows.items()]})
    else:
        table(("ENTRY", "TITLE"), list(rows.items()))


@command("connector lint")
@click.argument("files", nargs=-1, required=True, metavar="FILE…", type=click.Path(path_type=Path))
@click.option("--fixtures", is_flag=True, help="Replay what trials recorded: NAME*.fixture.json beside each file.")
@json_option
def lint(files: tuple[Path, ...], fixtures: bool, as_json: bool) -> int:
    """Every finding as FILE:LINE:COLUMN, the gravest first. Exit code 6 where there are errors."""
    findings = [finding for path in files for finding in _findings_of(path)]
    if fixtures:
        findings += [finding for path in files for finding in _replayed(path)]
    if as_json:
        say_json({"findings": findings})
    else:
        _show(findings, many=len(files))
    return FINDINGS if any(each["severity"] == "error" for each in findings) else OK


def read_file(path: Path) -> Any:
    """Read a connector file; a file that can't be read is a usage error."""
    from keyturn.bootstrap.offline import read_connector_file

    try:
        return read_connector_file(path)
    except OSError as error:
        raise Failure(f"{path} can't be read: {error.strerror}.", USAGE) from None


def _findings_of(path: Path) -> list[dict[str, Any]]:
    """Errors of reading, or else what the linter finds, each with its place."""
    from keyturn.core.lint import lint as lint_connector

    try:
        read = read_file(path)
    except ConnectorInvalid as invalid:
        return [{"file": str(path), "severity": "error", **each.as_json()} for each in invalid.errors]
    found = []
    for finding in lint_connector(read.connector):
        line, column = read.document.position(finding.pointer, of_key=True)
        found.append({"file": str(path), **finding.as_json(), "line": line, "column": column})
    return found


def _replayed(path: Path) -> list[dict[str, Any]]:
    """What recorded answers beside a file mean otherwise than when they were recorded."""
    from keyturn.core.building.fixtures import MOST_BYTES, SUFFIX, Differs, check_fixture

    try:
        connector = read_file(path).connector
    except ConnectorInvalid:
        return []  # said already
    recorded = sorted(path.parent.glob(f"{path.stem}*{SUFFIX}"))
    if not recorded:
        tell(f"No fixture beside {path}: keyturn connector try {path} --save-fixture {path.stem}{SUFFIX}")
    found = []
    for each in recorded:
        try:
            text = each.read_text("utf-8") if each.stat().st_size <= MOST_BYTES else ""
            fixture = json.loads(text)
        except (OSError, ValueError):
            fixture = None
        if isinstance(fixture, dict):
            differs = list(check_fixture(connector, fixture))
        else:
            differs = [Differs("", "The file can't be read as a fixture.")]
        remedy = "Mend the connector, or record the trial anew where the provider has changed."
        found += [
            {"file": str(each), "severity": "error", "code": "fixture_differs", "message": one.message,
             "remedy": remedy, "pointer": "", "line": 1, "column": 1}
            for one in differs
        ]  # fmt: skip
    return found


def _show(findings: Sequence[Mapping[str, Any]], *, many: int) -> None:
    for severity in _ORDER:
        group = [each for each in findings if each["severity"] == severity]
        if not group:
            continue
        words = severity if severity == "info" or len(group) == 1 else f"{severity}s"
        write_styled(styled(f"{len(group)} {words}", _STYLE[severity]))
        for each in group:
            place = f"{each['file']}:{each.get('line') or 1}:{each.get('column') or 1}"
            write_styled(f"  {styled(place, 'bold')} {one_line(each['code'])} {one_line(each['message'])}")
            if each.get("remedy"):
                write_styled(f"      {styled(one_line(each['remedy']), 'dim')}")
    if not findings:
        tell("No findings." if many == 1 else f"No findings in {many} files.")


@command("connector schema")
def schema() -> None:
    """For editors: completes and checks connector files."""

    from keyturn.core.schema import connector_schema

    say(json.dumps(connector_schema(), indent=2, ensure_ascii=False))
