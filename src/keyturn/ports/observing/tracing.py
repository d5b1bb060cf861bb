"""Spans: what was done, when, and within what. Promises: `tests/adapters/tracing`.

Rule 1: a span holds words of closed lists, templates, hosts, numbers and ids of connectors: no other id, no name, no
path, no query, no value that was sent. So nothing can stand in it that may not stand in a metric's label.
Rule 2: where nobody wants spans there are none, and it costs nothing where calls are made.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from enum import Enum
from typing import Final, Protocol

from keyturn.core.errors import KeyturnError


class SpanKind(Enum):
    """Whose work a span is about."""

    SERVER = "server"
    CLIENT = "client"
    INTERNAL = "internal"


class Span(Protocol):
    """One span that is under way."""

    @property
    def traceparent(self) -> str:
        """Its name for others (W3C Trace Context), as a header's value."""
        ...

    def name(self, text: str) -> None:
        """Call it so, now that this is known."""
        ...

    def note(self, **facts: str | int) -> None:
        """Add facts; an underscore in a fact's name stands for a dot."""
        ...


class Tracing(Protocol):
    """Makes spans."""

    def span(
        self, name: str, kind: SpanKind = SpanKind.INTERNAL, *, link: str = "", **facts: str | int
    ) -> AbstractContextManager[Span]:
        """A span within the one that is under way; of kind SERVER one of its own.

        `link`: a `traceparent` that a caller sent; it is linked, and decides nothing.
        """
        ...

    async def close(self) -> None:
        """Hand over what was not handed over yet."""
        ...


class NoSpan:
    """A `Span` that is none."""

    traceparent: Final = ""

    def name(self, text: str) -> None:
        """See `Span`."""

    def note(self, **facts: str | int) -> None:
        """See `Span`."""


class NoTracing:
    """A `Tracing` that makes none."""

    @contextmanager
    def span(
        self, name: str, kind: SpanKind = SpanKind.INTERNAL, *, link: str = "", **facts: str | int
    ) -> Iterator[Span]:
        """See `Tracing`."""
        yield NoSpan()

    async def close(self) -> None:
        """See `Tracing`."""


NO_TRACING: Final = NoTracing()


@contextmanager
def coded(span: Span) -> Iterator[None]:
    """Note the code of an error of ours that ends the block, and nothing else of it."""
    try:
        yield
    except KeyturnError as error:
        span.note(error_type=error.code)
        raise
