"""What is written is safe for a terminal and right for a pipe."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.cli import output, times
from tests.cli.fake_server import FakeServer
from tests.cli.running import run, run_on_terminal

NOW = datetime(2030, 1, 31, 12, 0, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Zoë 東京 \U0001f511", "Zoë 東京 \U0001f511", id="letters of any script stay"),
        pytest.param("a\tb\nc", "a\tb\nc", id="tab and line end stay"),
        pytest.param("\x1b[31m", "�[31m", id="escape"),
        pytest.param("\x9b31m", "�31m", id="the one-character escape"),
        pytest.param("a\rb", "a�b", id="carriage return"),
        pytest.param("a\x7f\x00", "a��", id="delete and nought"),
        pytest.param("\u202eabc\u2066", "�abc�", id="turning the direction"),
        pytest.param("a\u200bb\ufeff", "a�b�", id="without width"),
        pytest.param("\u00a0\u00ad", "\u00a0\u00ad", id="just outside: no-break blank and soft hyphen"),
    ],
)
def test_clean(text: str, expected: str) -> None:
    """Only what a terminal would obey is replaced."""
    assert expected == output.clean(text)


@given(st.text())
def test_one_line_is_one_line(text: str) -> None:
    """Whatever a provider calls somebody, it stays in its cell."""
    shown = output.one_line(text)

    assert shown
    assert not set(shown) & set("\x1b\r\n\t\x9b\u202e")


@pytest.mark.parametrize("hostile", ["\x1b]0;owned\x07", "\x1b[2Jx", "x\x1b[8m", "\x1b]8;;https://evil.example\x07x"])
@pytest.mark.parametrize("terminal", [True, False])
def test_an_escape_that_came_from_elsewhere_is_no_style_of_ours(
    hostile: str, terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider that names an account so moves no cursor and sets no title, in a list or in a single view."""
    monkeypatch.setattr(output, "in_color", lambda _: terminal)
    output.details([("account", hostile), ("state", output.state_words(hostile))])
    output.table(("ID", "STATE"), [(hostile, output.state_words(hostile))])
    shown = capsys.readouterr().out

    for ours in ("\x1b[2m", "\x1b[0m", "\x1b[1m"):
        shown = shown.replace(ours, "")
    assert "\x1b" not in shown
    assert "\x07" not in shown


@given(
    st.recursive(
        st.none() | st.booleans() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_json_is_the_same_and_safe(value: object) -> None:
    """A JSON document says what it said, and has no control character in it but its line ends."""
    import io

    stream = io.StringIO()
    output.say_json(value, stream=stream)

    assert value == json.loads(stream.getvalue())
    assert output.clean(stream.getvalue()) == stream.getvalue()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("2030-01-31T12:00:00.000Z", "2030-01-31 12:00:00Z (now)", id="now"),
        pytest.param("2030-01-31T13:01:30+01:00", "2030-01-31 12:01:30Z (in 90 s)", id="another zone"),
        pytest.param("2030-01-31T12:02:00Z", "2030-01-31 12:02:00Z (in 2 min)", id="two minutes"),
        pytest.param("2030-01-31T11:58:01Z", "2030-01-31 11:58:01Z (119 s ago)", id="just under two"),
        pytest.param("2030-01-29T12:00:00Z", "2030-01-29 12:00:00Z (2 d ago)", id="days"),
        pytest.param("2030-01-31T12:00:00", "2030-01-31T12:00:00", id="no zone: as it came"),
        pytest.param("soon", "soon", id="no time: as it came"),
        pytest.param(None, "–", id="absent"),
    ],
)
def test_when(text: str | None, expected: str) -> None:
    """An instant is said in UTC, with its distance."""
    assert expected == times.when(text, now=NOW)


def test_colour_only_on_a_terminal(server: FakeServer) -> None:
    """A pipe gets no colour; a terminal does, unless NO_COLOR is set or it can't."""
    server.answer("GET /v1/connections", {"data": [{"id": "cxn_1", "state": "active"}], "next_cursor": None})
    words = ("connection", "list")

    assert "\x1b" not in run(*words).out
    assert "\x1b[" in run_on_terminal(*words).out
    assert "\x1b" not in run_on_terminal(*words, env={"NO_COLOR": "1"}).out
    assert "\x1b" not in run_on_terminal(*words, env={"TERM": "dumb"}).out


def test_a_table_fits_the_terminal_and_keeps_the_id(server: FakeServer) -> None:
    """On 80 columns long names are cut, never the id; in a pipe nothing is."""
    long = {"id": "cxn_" + "5" * 32, "state": "active", "name": "n" * 90, "connector": "c" * 30, "owner": "o" * 90}
    server.answer("GET /v1/connections", {"data": [long], "next_cursor": None})
    words = ("connection", "list")
    lines = run_on_terminal(*words, env={"NO_COLOR": "1"}).out.splitlines()

    assert 2 == len(lines)
    assert max(len(line) for line in lines) <= 80
    assert long["id"] in lines[1]
    assert "…" in lines[1]
    assert long["name"] in run(*words).out
    assert long["owner"] in run(*words).out
