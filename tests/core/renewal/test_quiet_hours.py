"""Times in which a provider is left alone, also where clocks are changed and past midnight."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from keyturn.core.errors import ValidationFailed
from keyturn.core.renewal.quiet_hours import (
    MARGIN_S,
    QuietHours,
    Window,
    days_in,
    next_allowed,
    placed,
    read_quiet_hours,
    span_at,
)

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = [BERLIN, ZoneInfo("UTC"), ZoneInfo("America/New_York"), ZoneInfo("Asia/Kathmandu"),
         ZoneInfo("Australia/Lord_Howe")]  # fmt: skip
NIGHT = QuietHours("Europe/Berlin", (Window(120, 240),))


def at(text: str) -> float:
    """Unix seconds of a time in UTC, `2030-01-31 01:00`."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def shown(hours: QuietHours, when: str) -> tuple[str, str] | None:
    """The quiet time at an instant in UTC, as its ends in UTC."""
    span = span_at(hours, BERLIN, at(when))
    if span is None:
        return None
    begins, ends = (datetime.fromtimestamp(each, UTC).strftime("%d %H:%M") for each in (span.begins, span.ends))
    return begins, ends


@pytest.mark.parametrize(
    ("windows", "when", "expected"),
    [
        pytest.param("02:00-04:00", "2030-01-31 00:59", None, id="a minute before, in winter"),
        pytest.param("02:00-04:00", "2030-01-31 01:00", ("31 01:00", "31 03:00"), id="its first instant"),
        pytest.param("02:00-04:00", "2030-01-31 03:00", None, id="its end is free"),
        pytest.param("02:00-04:00", "2030-07-31 00:00", ("31 00:00", "31 02:00"), id="an hour earlier in summer"),
        pytest.param("02:00-04:00", "2030-03-31 01:30", ("31 01:00", "31 02:00"), id="begins in the hour left out"),
        pytest.param("02:30-02:45", "2030-03-31 01:10", ("31 01:00", "31 01:45"), id="lies in the hour left out"),
        pytest.param("01:30-02:30", "2030-03-31 01:20", ("31 00:30", "31 01:30"), id="ends in the hour left out"),
        pytest.param("02:15-02:45", "2030-10-27 01:00", ("27 00:15", "27 01:45"), id="in the hour that comes twice"),
        pytest.param("22:00-06:00", "2030-01-31 02:00", ("30 21:00", "31 05:00"), id="past midnight"),
        pytest.param("00:00-24:00 sun", "2030-02-02 23:00", ("02 23:00", "03 23:00"), id="a whole day"),
        pytest.param("22:00-02:00 fri", "2030-02-01 23:30", ("01 21:00", "02 01:00"), id="its day is the first one"),
        pytest.param("22:00-02:00 fri", "2030-01-31 23:30", None, id="not on the night before"),
    ],
)
def test_spans(windows: str, when: str, expected: tuple[str, str] | None) -> None:
    """A window is read by the provider's clock."""
    time, _, days = windows.partition(" ")
    begins, ends = time.split("-")
    row: dict[str, Any] = {"from": begins, "to": ends}
    hours = read_quiet_hours({"zone": "Europe/Berlin", "windows": [row | ({"days": days_in(days)} if days else {})]})

    assert expected == shown(hours, when)


def test_windows_that_touch_are_one() -> None:
    """Otherwise what is moved to the end of one would stand in the next."""
    hours = QuietHours("Europe/Berlin", (Window(120, 240), Window(240, 300), Window(200, 250)))

    assert ("31 01:00", "31 04:00") == shown(hours, "2030-01-31 02:00")


INSTANTS = st.integers(int(at("2029-01-01 00:00")), int(at("2031-12-31 00:00")))
NEAR_CHANGES = st.builds(
    lambda base, off: int(at(base)) + off,
    st.sampled_from(["2030-03-31 01:00", "2030-10-27 01:00", "2030-03-10 07:00", "2030-11-03 06:00",
                     "2030-04-06 15:00"]),
    st.integers(-3 * 3600, 3 * 3600),
)  # fmt: skip
WINDOWS = st.builds(
    Window,
    st.integers(0, 1439),
    st.integers(0, 1440),
    st.sets(st.integers(0, 6), min_size=1).map(frozenset),
).filter(lambda window: window.begins != window.ends)


@given(
    st.lists(WINDOWS, min_size=1, max_size=3), st.sampled_from(ZONES), st.one_of(INSTANTS, NEAR_CHANGES)
)  # fmt: skip
@settings(max_examples=100, deadline=None)
@example([Window(120, 180)], BERLIN, int(at("2030-10-27 01:30")))
@example([Window(0, 1440, frozenset({6})), Window(0, 1440, frozenset({0}))], BERLIN, int(at("2030-10-27 12:00")))
def test_what_the_clock_shows_is_quiet(windows: list[Window], zone: ZoneInfo, when: int) -> None:
    """Whatever the wall clock shows within a window is quiet; the next free instant is free, and the first."""
    hours = QuietHours("any", tuple(windows))
    assume(sum(each.minutes * len(each.days) for each in windows) < 6 * 1440)
    wall = datetime.fromtimestamp(when, UTC).astimezone(zone)
    minute = wall.hour * 60 + wall.minute
    yesterday = (wall - timedelta(days=1)).weekday()
    within = any(
        (wall.weekday() in each.days and each.begins <= minute < (each.ends if each.ends > each.begins else 1440))
        or (each.ends <= each.begins and yesterday in each.days and minute < each.ends)
        for each in windows
    )
    span, free = span_at(hours, zone, when), next_allowed(hours, zone, when)

    assert span is not None or not within
    assert (when if span is None else span.ends) == free
    assert span_at(hours, zone, free) is None
    assert span is None or (span.begins <= when < span.ends and span_at(hours, zone, span.begins - 1) is None)


@given(
    due=st.floats(-4000, 12_000),
    life=st.floats(60, 30_000),
    age=st.floats(0, 1),
    refresh_left=st.none() | st.floats(1, 20_000),
    fraction=st.floats(0, 1, exclude_max=True),
)
@settings(max_examples=150, deadline=None)
def test_a_renewal_is_never_placed_where_it_may_not_be(
    due: float, life: float, age: float, refresh_left: float | None, fraction: float
) -> None:
    """Out of quiet hours, not in the past, late only where it has to be; else it is one that can't wait."""
    begins = at("2030-01-31 01:00")
    ends = begins + 7200.0
    due += begins
    issued_at = due - life * age
    now = issued_at + (due - issued_at) / 2
    ends_at, lost_at = issued_at + life, None if refresh_left is None else due + refresh_left
    found = placed(
        NIGHT, BERLIN, due=due, now=now, issued_at=issued_at, ends_at=ends_at, lost_at=lost_at, fraction=fraction
    )

    if span_at(NIGHT, BERLIN, due) is None:
        assert due == found
        return
    if found == due:
        assert lost_at is not None
        assert lost_at <= ends + MARGIN_S
        return
    assert now <= found <= ends + 1800.0
    assert span_at(NIGHT, BERLIN, found) is None
    # It waits for the end of the quiet hours alive, or would not have lived to see it however early it was renewed.
    assert found < begins or found <= ends_at or ends_at <= ends + MARGIN_S


def test_a_young_token_is_not_renewed_again_and_again() -> None:
    """A token that lives shorter than the quiet hours is renewed a few times at most before they begin."""
    begins, life = at("2030-01-31 01:00"), 3600.0
    issued_at, renewals = begins - 2700.0, 0
    while renewals < 10:
        found = placed(
            NIGHT, BERLIN, due=issued_at + life - 360.0, now=issued_at, issued_at=issued_at, ends_at=issued_at + life,
            lost_at=None, fraction=0.5,
        )  # fmt: skip
        if found >= begins:
            break
        issued_at, renewals = found, renewals + 1

    assert renewals <= 2


def test_a_fleet_is_spread() -> None:
    """Neither before nor after the quiet hours all at once."""
    begins = at("2030-01-31 01:00")

    def fleet(life: float) -> list[float]:
        return [
            placed(
                NIGHT, BERLIN, due=begins + 600.0, now=begins - 7200.0, issued_at=begins - 7200.0,
                ends_at=begins - 7200.0 + life, lost_at=None, fraction=n / 100,
            )
            for n in range(100)
        ]  # fmt: skip

    early, late = fleet(8000.0), fleet(30_000.0)

    assert begins - 1860.0 <= min(early) < max(early) <= begins - 60.0
    assert begins + 7200.0 <= min(late) < max(late) <= begins + 9000.0
    assert max(early) - min(early) > 1700.0 < max(late) - min(late)


@pytest.mark.parametrize(
    ("given_", "pointers"),
    [
        pytest.param({}, ["/zone", "/windows"], id="nothing"),
        pytest.param({"zone": "../etc/passwd", "windows": [{"from": "1:00", "to": "25:00", "days": ["mo"]}]},
                     ["/zone", "/windows/0/from", "/windows/0/to", "/windows/0/days"], id="all of it wrong"),
        pytest.param({"zone": "UTC", "windows": [{"from": "02:00", "to": "02:00"}]}, ["/windows/0/to"], id="no length"),
        pytest.param({"zone": "UTC", "windows": [{"from": "00:00", "to": "24:00"}]}, ["/windows"], id="always"),
        pytest.param({"zone": "UTC", "windows": [{"from": "00:00", "to": "23:52"}]}, ["/windows"], id="56 minutes"),
        pytest.param({"zone": "UTC", "windows": [7]}, ["/windows/0/from", "/windows/0/to"], id="no window"),
        pytest.param({"zone": "UTC", "windows": [{"from": "00:00", "to": "01:00", "days": []}]},
                     ["/windows/0/days"], id="on no day"),
        pytest.param({"zone": "UTC", "windows": [{"from": "00:00", "to": "01:00"}] * 17}, ["/windows"], id="too many"),
    ],
)  # fmt: skip
def test_every_error_at_once(given_: dict[str, Any], pointers: list[str]) -> None:
    """Where, and what would be right."""
    with pytest.raises(ValidationFailed) as caught:
        read_quiet_hours(given_)

    assert pointers == [each.pointer for each in caught.value.errors]


def test_written_and_read_back() -> None:
    """And in words, for people."""
    hours = QuietHours("UTC", (Window(0, 1440, frozenset({6})), Window(1320, 360)), strict=True)

    assert hours == read_quiet_hours(hours.document())
    assert "sun 00:00-24:00, 22:00-06:00 (UTC, strict)" == hours.words()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("mon-fri", "mon tue wed thu fri", id="a range"),
        pytest.param("FRI-mon", "fri sat sun mon", id="past the end of the week"),
        pytest.param("sat,sun, sat", "sat sun", id="a list"),
        pytest.param("weekend", "weekend", id="what is none of them"),
    ],
)
def test_days(text: str, expected: str) -> None:
    """As a command line has them."""
    assert expected.split() == days_in(text)
