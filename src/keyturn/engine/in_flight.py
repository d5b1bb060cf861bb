"""Telling the redactor which secrets are in flight, for as long as they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from keyturn.core.secret import Secret


class InFlight(Protocol):
    """The registry of secrets that no sink may show (`core.redaction_known.KnownSecrets`)."""

    def in_flight(self, *secrets: Secret) -> AbstractContextManager[None]:
        """Know these for as long as the block runs."""
        ...


def secrets_among(values: Mapping[str, Any] | list[Any]) -> Iterator[Secret]:
    """The secrets of a step's values, at any depth."""
    for each in values.values() if isinstance(values, Mapping) else values:
        if isinstance(each, Secret):
            yield each
        elif isinstance(each, Mapping | list):
            yield from secrets_among(each)
