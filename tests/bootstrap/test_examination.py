"""What is wrong on a machine is found, and looking changes nothing."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from keyturn.adapters.store.rows.set_aside import SetAside
from keyturn.bootstrap.examination import RELEASED_AT, examine
from keyturn.bootstrap.initialise import initialise
from keyturn.bootstrap.settings import Settings, read_settings
from keyturn.bootstrap.upkeep.check import Check, Grade
from keyturn.bootstrap.upkeep.rows import put_back

NOW = 4_000_000_000.0


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of a data directory that was made and used."""
    monkeypatch.setattr("keyturn.bootstrap.initialise.harden_process", lambda: None)  # it is for good, this process too
    found = read_settings(data=tmp_path / "data", listen="127.0.0.1:0")
    asyncio.run(initialise(found))
    return found


def look(settings: Settings, *, now: float = NOW, environment: dict[str, str] | None = None) -> dict[str, Check]:
    """Every check by its name; of several with one name the last."""
    return {each.name: each for each in examine(settings, environment=environment or {}, now=now)}


def record_at(settings: Settings, at: float) -> None:
    """Write an audit record of that time."""
    with closing(sqlite3.connect(settings.data / "keyturn.db")) as connection:
        connection.execute(
            "INSERT INTO audit (project, at, action, actor, outcome, facts) VALUES ('default', ?, '', '', 'ok', '{}')",
            (at,),
        )
        connection.commit()


def change(settings: Settings, statement: str) -> None:
    """Do something to the database that keyturn would not."""
    with closing(sqlite3.connect(settings.data / "keyturn.db")) as connection:
        connection.execute(statement)
        connection.commit()


def test_all_is_well(settings: Settings) -> None:
    """A fresh data directory has no finding."""
    assert {Grade.OK} == {each.grade for each in look(settings).values()}


def test_nothing_is_made(tmp_path: Path) -> None:
    """Where nothing is, nothing is afterwards."""
    found = look(read_settings(data=tmp_path / "data", listen="127.0.0.1:0"))

    assert {Grade.OK} == {each.grade for each in found.values()}
    assert [] == list(tmp_path.iterdir())


def damage(settings: Settings) -> None:
    """Overwrite every page but the first."""
    path = settings.data / "keyturn.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(path.read_bytes())
    content[4096:] = b"\x5a" * (len(content) - 4096)
    path.write_bytes(bytes(content))


@pytest.mark.parametrize(
    ("spoil", "name", "words"),
    [
        pytest.param(lambda s: s.data.chmod(0o750), "file modes", "chmod 700", id="folder open to the group"),
        pytest.param(lambda s: (s.data / "keyturn.db").chmod(0o604), "file modes", "chmod 600", id="database open"),
        pytest.param(lambda s: (s.data / "spill").chmod(0o701), "file modes", "chmod 700", id="spill folder open"),
        pytest.param(lambda s: (s.data / "keyturn.key").chmod(0o640), "key", "0600", id="key file open"),
        pytest.param(lambda s: (s.data / "keyturn.key").unlink(), "key", "back-up", id="key gone"),
        pytest.param(lambda s: (s.data / "keyturn.key").write_text("x"), "key", "no key", id="no key in the file"),
        pytest.param(
            lambda s: change(s, "UPDATE meta SET value = 'x' WHERE name = 'key_fingerprint'"), "key", "sealed",
            id="another key",
        ),
        pytest.param(
            lambda s: change(s, "UPDATE alembic_version SET version_num = '9999'"), "schema", "newer release",
            id="a newer release's tables",
        ),
        pytest.param(damage, "database", "back-up", id="a damaged file"),
        pytest.param(
            lambda s: (s.data / "keyturn.db").write_bytes(b"x" * 9000), "database", "NOTADB", id="no database"
        ),
        pytest.param(
            lambda s: record_at(s, NOW + 61), "clock", "61 s later", id="a record from later than now",
        ),
    ],
)  # fmt: skip
def test_problem(settings: Settings, spoil: Callable[[Settings], object], name: str, words: str) -> None:
    """Each is a problem with words and a fix."""
    spoil(settings)
    found = look(settings)[name]

    assert Grade.PROBLEM == found.grade
    assert words in f"{found.found} {found.fix}"
    assert found.fix


@pytest.mark.parametrize(
    ("now", "expected"),
    [(RELEASED_AT - 1, Grade.PROBLEM), (NOW, Grade.OK)],
    ids=["before this release was made", "later"],
)
def test_clock(settings: Settings, now: float, expected: Grade) -> None:
    """A clock that stands before the release is wrong."""
    change(settings, "DELETE FROM audit")

    assert expected == look(settings, now=now)["clock"].grade


def test_a_clock_a_minute_behind_is_borne(settings: Settings) -> None:
    """Two machines are never quite alike."""
    record_at(settings, NOW + 59)

    assert Grade.OK == look(settings)["clock"].grade


def test_older_tables_are_no_problem(settings: Settings) -> None:
    """The next start brings them up."""
    change(settings, "UPDATE alembic_version SET version_num = '0000'")

    assert Grade.OK == look(settings)["schema"].grade


def test_no_secret_is_said(settings: Settings) -> None:
    """Neither the key nor its fingerprint nor a setting's value stands in the report."""
    key = (settings.data / "keyturn.key").read_text().split()[-1]
    report = repr(look(settings, environment={"KEYTURN_LISTN": "hunter2", "KEYTURN_ADMIN_API_KEY_FILE": "hunter2"}))

    assert key not in report
    assert "hunter2" not in report


def test_the_first_key_is_made_once(settings: Settings) -> None:
    """A second time nothing is made."""
    again = asyncio.run(initialise(settings))

    assert (None, None) == (again.api_key, again.new_key_file)


LATE_CONNECTION = (
    "INSERT INTO connections (id, project, connector, connector_version, owner, name, unique_id, is_unique,"  # noqa: S608
    " unique_hash, created_at, updated_at, state, paused, unconfirmed, revision, generation, renews_at, refreshable,"
    " password_rejected, fields, sealed_field_names, hosts, failures_in_a_row, revocation) VALUES ('c', 'default', 'a',"
    f" 1, 'o', 'n', 'u', 1, x'00', 1, 1, 'active', 0, 0, 1, 1, {NOW - 7200}, 1, 0, '{{}}', '[]', '[]', 0, '{{}}')"
)
STUCK_JOB = (
    "INSERT INTO jobs (id, project, kind, state, created_at, created_by, run_at, arguments, cursor, tries, done,"  # noqa: S608
    f" failures, report, seen_at, revision) VALUES ('j', 'default', 'k', 'running', 1, 'o', 1, '{{}}', '{{}}', 1, 0,"
    f" '{{}}', '{{}}', {NOW - 3600}, 1)"
)


@pytest.mark.parametrize(
    ("statement", "name", "words"),
    [
        pytest.param(LATE_CONNECTION, "renewals", "oldest by 2 h", id="a renewal that is late"),
        pytest.param(LATE_CONNECTION, "back-up", "keyturn backup", id="no back-up"),
        pytest.param(LATE_CONNECTION, "audit log", "never verified", id="an audit log that nobody looked at"),
        pytest.param(STUCK_JOB, "jobs", "1 jobs were begun", id="a job that nobody runs"),
    ],
)
def test_what_the_data_tells(settings: Settings, statement: str, name: str, words: str) -> None:
    """How the data is looked after is a warning with a fix."""
    change(settings, statement)
    check = look(settings)[name]

    assert Grade.WARNING == check.grade
    assert words in f"{check.found} {check.fix}"
    assert check.fix


def test_rows_that_are_set_aside(settings: Settings) -> None:
    """Each is named with the class of its error, and put back by one option, if it can be read."""
    assert Grade.OK == look(settings)["rows"].grade
    change(settings, LATE_CONNECTION)
    change(settings, "UPDATE connections SET parked_at = 1, parked_why = 'row_broken'")
    check = look(settings)["rows"]
    back = asyncio.run(put_back(settings))

    assert Grade.WARNING == check.grade
    assert "is set aside: row_broken." in check.found
    assert "keyturn doctor --unpark" in check.fix
    assert SetAside(1, 0) == back
    assert Grade.OK == look(settings)["rows"].grade
    change(settings, "UPDATE connections SET parked_at = 1, parked_why = 'row_broken', hosts = '['")
    assert SetAside(0, 0) == asyncio.run(put_back(settings))
    assert Grade.WARNING == look(settings)["rows"].grade


@pytest.mark.parametrize(
    ("age_s", "grade"), [pytest.param(3600, Grade.OK, id="of today"), pytest.param(3 * 86_400, Grade.WARNING, id="old")]
)
def test_the_age_of_back_up_and_verification(settings: Settings, age_s: float, grade: Grade) -> None:
    """Old ones are told from new ones."""
    change(settings, LATE_CONNECTION)
    change(settings, f"INSERT INTO meta (name, value) VALUES ('backup_made_at', CAST('{NOW - age_s}' AS BLOB))")  # noqa: S608
    change(settings, f"INSERT INTO audit_marks (name, seq, at) VALUES ('verified', 1, {NOW - 4 * age_s})")  # noqa: S608
    found = look(settings)

    assert [grade, grade] == [found[name].grade for name in ("back-up", "audit log")]


@pytest.mark.parametrize(
    ("url", "grade", "words"),
    [
        pytest.param("https://nowhere.invalid", Grade.PROBLEM, "not known", id="a name that nobody knows"),
        pytest.param("http://192.0.2.1", Grade.PROBLEM, "without TLS", id="plain HTTP for others"),
        pytest.param("http://127.0.0.1:8800", Grade.OK, "this machine alone", id="plain HTTP for this machine"),
        pytest.param("https://127.0.0.1:1", Grade.WARNING, "does not answer", id="nobody there"),
    ],
)
def test_the_public_address(settings: Settings, url: str, grade: Grade, words: str) -> None:
    """What people will meet there."""
    check = look(settings.model_copy(update={"public_url": url}))["public address"]

    assert grade == check.grade
    assert words in check.found


def test_a_time_zone_that_is_not_known_here(settings: Settings) -> None:
    """Quiet hours are not kept by it, and somebody believes that they are."""
    rows = [(name, f'{{"zone": "{name}", "windows": []}}') for name in ("Europe/Berlin", "Europe/Atlantis")]
    values = ", ".join(f"('default', '{name}', '{hours}', 0, 'key:1')" for name, hours in rows)
    change(settings, f"INSERT INTO quiet_hours VALUES {values}")  # noqa: S608
    found = look(settings)["quiet hours"]

    assert (Grade.PROBLEM, True, True) == (found.grade, "Europe/Atlantis" in found.found, "tzdata" in found.fix)
