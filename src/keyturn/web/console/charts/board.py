"""The overview's pictures, made of its figures."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from markupsafe import Markup

from keyturn.engine.overview.board import AHEAD_S, Board
from keyturn.web.console.charts.picture import Picture, link
from keyturn.web.console.charts.shapes import bar, columns, marks, ranked
from keyturn.web.console.places import audit_of, connections_of
from keyturn.web.console.rendering import WORDS

_ORDER: Final = (
    "active", "uncertain", "needs_reconnect", "unreadable", "paused", "unconfirmed", "disconnecting", "disconnected",
)  # fmt: skip
_HOUR_S: Final = 3600.0


def moment(at: float, *, day: bool = True) -> str:
    """A time of an axis, UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%b %d, %H:%M" if day else "%H:%M")


def states_bar(board: Board) -> tuple[tuple[tuple[str, int], ...], Markup | None]:
    """The states that there are, in order, and all of them as one bar."""
    return bar_of(board.by_state)


def bar_of(by_state: Mapping[str, int], name: str = "bar") -> tuple[tuple[tuple[str, int], ...], Markup | None]:
    """The states that there are, in order, and all of them as one bar. `name`: the page's own for this drawing."""
    parts = tuple((each, by_state[each]) for each in _ORDER if by_state.get(each))
    said = ", ".join(f"{count} {WORDS[state]}" for state, count in parts)
    return parts, bar(f"Connections by state: {said}.", parts, name=name) if parts else None


def pictures(board: Board) -> tuple[Picture, ...]:
    """All of them, in the order in which they stand."""
    return (_renewals(board), _expiries(board))


def _nothing_since(board: Board) -> str:
    if board.recorded_since is None:
        return "No data: no renewal has been recorded yet."
    return f"No data: nothing was recorded in the last {board.range.words}."


def _axis(board: Board) -> tuple[str, str]:
    return f"{moment(board.since)} UTC", f"{moment(board.until)} UTC"


def _renewals(board: Board) -> Picture:
    title, steps = "Renewals", board.steps
    renewed, retried, lost = (sum(getattr(each, name) for each in steps) for name in ("renewed", "retried", "lost"))
    if not (renewed or retried or lost):
        return Picture("renewals", title, _nothing_since(board))
    summary = (
        f"{renewed} renewed, {retried} tried again and {lost} ended with the person in the last {board.range.words}."
    )
    kinds = ("renewed", "retried", "lost")
    values = [(each.renewed, each.retried, each.lost) for each in steps]
    spans = [(each.start, each.start + board.range.step_s) for each in steps]
    links = [
        (audit_of(*span), f"{moment(span[0])}: {a} renewed, {b} tried again, {c} need the person")
        for span, (a, b, c) in zip(spans, values, strict=True)
    ]
    return Picture(
        "renewals",
        title,
        summary,
        columns("renewals", summary, kinds, values, links),
        ("From (UTC)", "Renewed", "Tried again", "Needs the person"),
        tuple(_renewals_row(span, counts) for span, counts in zip(spans, values, strict=True)),
        _axis(board),
        (("renewed", "renewed"), ("retried", "failed, tried again"), ("lost", "needs the person")),
    )


def _renewals_row(span: tuple[float, float], counts: tuple[int, int, int]) -> tuple[object, ...]:
    """A row of the table. A number leads to the records that it counts; of those tried again no filter tells."""
    renewed, retried, lost = counts
    return (
        link(audit_of(*span), moment(span[0])),
        link(audit_of(*span, action="connection.renewed"), renewed) if renewed else 0,
        retried,
        link(audit_of(*span, action="connection.needs_reconnect"), lost) if lost else 0,
    )


def heat(board: Board) -> tuple[str, tuple[tuple[str, Markup, int, int], ...]]:
    """Connector by time: one sentence, and for each connector its row of marks, how many failed, of how many."""
    if not board.heat:
        return _nothing_since(board), ()
    most = max(sent for row in board.heat for _, sent in row.cells)
    rows = []
    for row in board.heat:
        sent = sum(sent for _, sent in row.cells)
        said = f"{row.connector}: {row.failed} of {sent} sends failed."
        rows.append((row.connector, marks(said, row.cells, most), row.failed, sent))
    failed = [row for row in board.heat if row.failed]
    if not failed:
        return f"No send failed in the last {board.range.words}.", tuple(rows)
    worst = failed[0]
    return f"Most failures: {worst.connector}, {worst.failed} in the last {board.range.words}.", tuple(rows)


def codes(board: Board) -> tuple[str, tuple[tuple[Markup, Markup, Markup], ...]]:
    """Failures by code, most first: one sentence, and for each code its bar and how many.

    A code leads to the connections that have it now, its number to the records that it counts.
    """
    if not any(each.renewed or each.retried or each.lost for each in board.steps):
        return _nothing_since(board), ()
    if not board.codes:
        return f"No send failed in the last {board.range.words}.", ()
    whole, most = sum(number for _, number in board.codes), board.codes[0][1]
    rows = [
        (
            link(connections_of(state="uncertain") if code == "unknown" else connections_of(error=code), said(code)),
            ranked(f"{said(code)}: {count} of {whole} failures.", count, most),
            link(audit_of(board.since, board.until, outcome=code), count),
        )
        for code, count in board.codes
    ]
    sends = "1 send" if whole == 1 else f"{whole} sends"
    return f"{sends} failed; most often {said(board.codes[0][0])} ({most}).", tuple(rows)


def said(outcome: str) -> str:
    """An outcome as people read it: a send whose answer is not known has no code."""
    return "no answer" if outcome == "unknown" else outcome


def _expiries(board: Board) -> Picture:
    title = "Tokens that end in the next 48 hours"
    if not board.standing.connections:
        return Picture("expiries", title, "No data: there is no connection yet.")
    if not board.expiries:
        return Picture("expiries", title, "No token of a connection ends in the next 48 hours.")
    hours = [(0, 0)] * round(AHEAD_S / _HOUR_S)
    for each in board.expiries:
        hours[round((each.start - board.at) / _HOUR_S)] = (each.count - each.alone, each.alone)
    whole, alone = sum(each.count for each in board.expiries), sum(each.alone for each in board.expiries)
    peak = max(board.expiries, key=lambda each: each.count)
    peaks = f"most ({peak.count}) in the hour from {moment(peak.start)} UTC"
    summary = f"{whole} end, {alone} of them can't be renewed without the person; {peaks}."
    return Picture(
        "expiries",
        title,
        summary,
        columns("expiries", summary, ("renewed", "alone"), hours),
        ("Hour from (UTC)", "Renewable", "Only by the person"),
        tuple((moment(each.start), each.count - each.alone, each.alone) for each in board.expiries),
        ("now", "in 48 hours"),
        (("renewed", "renewable"), ("alone", "only by the person")),
        (connections_of(ends_before=board.at + AHEAD_S), "Those that only the person can renew") if alone else ("", ""),
    )
