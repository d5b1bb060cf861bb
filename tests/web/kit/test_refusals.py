"""Refusals in the log: bounded, counted, and without what was sent."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from keyturn.core.errors import ForbiddenScope, NotFound, ProviderTimeout, RateLimited, Unauthenticated, UrlNotAllowed
from keyturn.core.problems import PROBLEMS
from keyturn.web.kit.refusals import CALLERS, EVENTS, Refusals

ROUTE = "/v1/proxy/{connection}/{path}"


def scope(address: str = "192.0.2.1") -> dict[str, Any]:
    """A request from there."""
    return {
        "client": (address, 1),
        "headers": [],
        "method": "GET",
        "path": "/v1/proxy/canary",
        "query_string": b"canary",
    }


async def test_a_flood_from_one_caller_is_two_lines() -> None:
    """The first at once, with all that is known; then how many more came."""
    refusals = Refusals()
    with capture_logs() as lines:
        for n in range(5000):
            refusals.note(Unauthenticated(logged={"why": "unknown"}), scope(), route=ROUTE, request_id=f"r{n}")
        refusals.tell()
    facts = {
        "event": "key_refused", "log_level": "warning", "code": "unauthenticated", "why": "unknown", "route": ROUTE,
        "method": "GET", "address": "192.0.2.1",
    }  # fmt: skip

    assert [{**facts, "request_id": "r0", "count": 1}, {**facts, "count": 4999, "more_within_s": 60.0}] == lines


async def test_a_flood_from_everywhere_is_bounded() -> None:
    """Each event has lines for so many callers, then one count; one event's flood hides no other event."""
    refusals = Refusals()
    with capture_logs() as lines:
        for n in range(3000):
            refusals.note(Unauthenticated(), scope(f"10.0.{n // 250}.{n % 250}"), route=ROUTE, request_id="r")
        refusals.note(ForbiddenScope(), scope("10.9.9.9"), route=ROUTE, request_id="r", actor="key:key_1")
        refusals.tell()
        refusals.tell()
    last = lines[-1]

    assert CALLERS + 2 == len(lines)
    assert ("key_refused", "others", 3000 - CALLERS) == (last["event"], last["callers"], last["count"])
    assert ["key:key_1"] == [each["actor"] for each in lines if each["event"] == "scope_refused"]


async def test_the_count_is_told_by_itself() -> None:
    """At the end of the window; the next refusal begins a new one."""
    refusals = Refusals(window_s=0.01)
    with capture_logs() as lines:
        for _ in range(3):
            refusals.note(RateLimited(extensions={"policy": "proxy"}), scope(), route=ROUTE, request_id="r", actor="k")
        async with asyncio.timeout(30):
            while len(lines) < 2:  # noqa: ASYNC110  (what waits is the loop's own timer)
                await asyncio.sleep(0.005)
        refusals.note(RateLimited(extensions={"policy": "proxy"}), scope(), route=ROUTE, request_id="r", actor="k")

    assert [1, 2, 1] == [each["count"] for each in lines]
    assert {"proxy"} == {each["why"] for each in lines}


@pytest.mark.parametrize(
    ("error", "by_link", "expected"),
    [
        pytest.param(
            UrlNotAllowed(extensions={"reason": "host"}), False, ("destination_refused", "host"), id="where to"
        ),
        pytest.param(
            ForbiddenScope(extensions={"required_scope": "call"}), False, ("scope_refused", "call"), id="scope"
        ),
        pytest.param(NotFound(logged={"why": "limits"}), False, ("object_refused", "limits"), id="beyond the limits"),
        pytest.param(NotFound(), True, ("link_refused", None), id="no such link"),
        pytest.param(NotFound(), False, None, id="a wrong id is no refusal"),
        pytest.param(ProviderTimeout(), False, None, id="nor is what a provider does"),
        pytest.param(ValueError("canary"), False, None, id="nor is a mistake of ours"),
    ],
)
async def test_which_event_it_is(error: Exception, by_link: bool, expected: tuple[str, str | None] | None) -> None:
    """By the code, and by what only the log is told."""
    with capture_logs() as lines:
        Refusals().note(error, scope(), route=ROUTE, request_id="r", by_link=by_link)

    assert ([expected] if expected else []) == [(each["event"], each.get("why")) for each in lines]
    assert "canary" not in str(lines)


async def test_a_revoked_key_is_named_by_its_id() -> None:
    """Of one that was good once the id is known, and so it is the caller."""
    with capture_logs() as lines:
        error = Unauthenticated(logged={"why": "revoked", "key": "key_7"})
        Refusals().note(error, scope(), route=ROUTE, request_id="r")

    assert ["key:key_7"] == [each["actor"] for each in lines]


async def test_they_are_counted() -> None:
    """Each one, whether it has a line or not."""
    refusals = Refusals()
    with capture_logs():
        for _ in range(7):
            refusals.note(Unauthenticated(), scope(), route=ROUTE, request_id="r")
    samples = [each for family in refusals.collect() for each in family.samples]

    assert [({"event": "key_refused", "code": "unauthenticated"}, 7.0)] == [
        (each.labels, each.value) for each in samples
    ]


def test_codes_are_those_of_the_register() -> None:
    """But for the few where there is no problem document, and each belongs to one event."""
    codes = [code for each in EVENTS.values() for code in each]
    own = {"foreign_form", "stale_form", "head_too_long", "head_too_slow", "malformed_http"}

    assert own == set(codes) - set(PROBLEMS)
    assert len(set(codes)) == len(codes)
