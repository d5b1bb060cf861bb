"""A call's body on its way in: read when asked for, merged where the connector says so."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from keyturn.ports.egress import EgressPolicy, UpstreamAnswer, UpstreamRequest
from keyturn.web.dataplane.request_body import MERGED_AT_MOST
from tests.engine.story import token
from tests.fakes.application import make_world
from tests.fakes.egress import FakeUpstream
from tests.web.dataplane.asgi_caller import Exchange, call
from tests.web.dataplane.story import OK, REFUSED, Story, begin

MERGES = 'request: {body: {site: a, key: "{{ access_token }}"}}'
JSON, FORM = (b"content-type", b"application/json"), (b"content-type", b"application/x-www-form-urlencoded")


class Unasking(FakeUpstream):
    """An API that answers without reading the body."""

    async def open(
        self, request: UpstreamRequest, body: AsyncIterator[bytes] | bytes | None, policy: EgressPolicy
    ) -> UpstreamAnswer:
        """Reads a body only where it is here."""
        return await super().open(request, body if isinstance(body, bytes) else None, policy)


async def test_an_empty_body_keeps_its_length(story: Story) -> None:
    """`Content-Length: 0` is not the same as none to some servers."""
    story.world.upstream.will_reply(OK)
    await call(story.app, "POST", f"{story.path}/x", [(b"content-length", b"0")])

    assert (0, False) == (story.sent[0].request.content_length, story.sent[0].request.has_body)


async def test_a_large_body_is_streamed(story: Story) -> None:
    """Its length is told beforehand, its pieces come as they come."""
    story.world.upstream.will_reply(OK)
    pieces = [b"a" * 40_000, b"b" * 40_000]
    await Exchange(story.app, "POST", f"{story.path}/x", [(b"content-length", b"80000")], pieces).done()

    assert (80_000, True) == (story.sent[0].request.content_length, story.sent[0].request.has_body)
    assert b"".join(pieces) == story.sent[0].body


async def test_a_body_that_is_shorter_than_it_says(story: Story) -> None:
    """It is no body."""
    got = await Exchange(story.app, "POST", f"{story.path}/x", [(b"content-length", b"5")], [b"abc"]).done()

    assert (400, []) == (got.status, story.sent)


EXPECTS = [(b"expect", b"100-Continue"), (b"content-length", b"4")]


async def test_expect_is_handed_on_and_the_body_not_asked_for() -> None:
    """The API decides whether it wants the body; a caller that is refused never sends it."""
    world = make_world(upstream=Unasking())
    story = await begin(world=world)
    world.upstream.will_reply(OK)
    got = await Exchange(story.app, "PUT", f"{story.path}/x", EXPECTS, [b"body"]).done()

    assert (b"expect", b"100-continue") in story.sent[0].request.headers
    assert (200, 0) == (got.status, got.received)


async def test_a_body_that_was_expected_is_asked_for_by_the_replay() -> None:
    """Where the API refuses the token before the body came, the body is read then and sent with the new one."""
    world = make_world(upstream=Unasking())
    story = await begin(world=world)
    world.egress.will_reply(token(2, at=world.clock.now()))
    world.upstream.will_reply(REFUSED, OK)
    got = await Exchange(story.app, "PUT", f"{story.path}/x", EXPECTS, [b"body"]).done()

    assert (200, b"body") == (got.status, story.sent[1].body)
    assert b"expect" not in dict(story.sent[1].request.headers)


async def test_another_expectation_is_not_handed_on(story: Story) -> None:
    """There is only one that HTTP knows."""
    story.world.upstream.will_reply(OK)
    await call(story.app, "PUT", f"{story.path}/x", [(b"expect", b"the-worst")])

    assert b"expect" not in dict(story.sent[0].request.headers)


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        pytest.param(JSON, b'{"a":1}', b'{"a":1,"site":"a","key":"access-1"}', id="JSON"),
        pytest.param(
            (b"content-type", b"application/vnd.api+json; v=1"), b"{}", b'{"site":"a","key":"access-1"}', id="kin"
        ),
        pytest.param(FORM, b"a=1", b"a=1&site=a&key=access-1", id="form"),
    ],
)
async def test_parameters_are_put_into_bodies(kind: tuple[bytes, bytes], body: bytes, expected: bytes) -> None:
    """The API gets the connector's body parameters with the caller's own, and the length of both."""
    story = await begin(more=MERGES)
    story.world.upstream.will_reply(OK)
    await call(story.app, "POST", f"{story.path}/x", [kind], body=body)

    assert expected == story.sent[0].body
    assert story.sent[0].request.content_length is None


async def test_a_merged_body_is_merged_anew_for_the_replay() -> None:
    """The second time it holds the new token."""
    story = await begin(more=MERGES)
    story.world.egress.will_reply(token(2, at=story.world.clock.now()))
    story.world.upstream.will_reply(REFUSED, OK)
    await call(story.app, "POST", f"{story.path}/x", [JSON], body=b'{"key":"mine"}')

    assert [b'{"site":"a","key":"access-1"}', b'{"site":"a","key":"access-2"}'] == [each.body for each in story.sent]


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        pytest.param([(b"content-type", b"text/plain")], b"{}", id="another kind"),
        pytest.param([], b"{}", id="no kind"),
        pytest.param([JSON], b"[]", id="no object"),
        pytest.param([JSON, (b"content-encoding", b"gzip")], b"{}", id="compressed"),
    ],
)
async def test_a_body_that_takes_no_parameters(headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    """It is refused rather than sent without them."""
    story = await begin(more=MERGES)
    got = await call(story.app, "POST", f"{story.path}/x", headers, body=body)

    assert (422, "body_not_mergeable", []) == (got.status, got.problem["code"], story.sent)


async def test_a_body_too_large_to_merge_is_not_read() -> None:
    """Its length says enough."""
    story = await begin(more=MERGES)
    length = (b"content-length", str(MERGED_AT_MOST + 1).encode())
    got = await Exchange(story.app, "POST", f"{story.path}/x", [JSON, length], [b"{"], more_comes=True).done()

    assert (413, MERGED_AT_MOST, 0) == (got.status, got.problem["limit"], got.received)


async def test_a_body_that_grows_too_large_to_merge() -> None:
    """Without a length it is counted."""
    story = await begin(more=MERGES)
    chunked = (b"transfer-encoding", b"chunked")
    pieces = [b" " * (MERGED_AT_MOST - 2)]
    fits = Exchange(story.app, "POST", f"{story.path}/x", [JSON, chunked], [*pieces, b"{}"])
    story.world.upstream.will_reply(OK)
    await fits.done()
    got = await Exchange(story.app, "POST", f"{story.path}/x", [JSON, chunked], [*pieces, b" {}"]).done()

    assert (200, 413) == (fits.status, got.status)


async def test_a_call_without_a_body_takes_no_parameters() -> None:
    """A GET is not given a body."""
    story = await begin(more=MERGES)
    story.world.upstream.will_reply(OK)
    got = await call(story.app, "GET", f"{story.path}/x")

    assert (200, b"") == (got.status, story.sent[0].body)
