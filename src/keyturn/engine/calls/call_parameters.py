"""The request parameters of a connection, call by call: those for all, and those for some over them.

Rule 1: a connector without `request.only` costs a call nothing; with it, each combination is made once.
Rule 2: a value that isn't there fails the calls that it is for, and no others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keyturn.core.connector import RequestParameters
from keyturn.core.requests.on_some_calls import meant_by, put_together
from keyturn.engine.calls.request_parameters import RenderedParameters, rendered


class CallParameters:
    """Holds a connection's values in the clear: never logged, never stored."""

    __slots__ = ("_made", "_parameters", "_values", "always")

    def __init__(self, parameters: RequestParameters, values: Mapping[str, Any]) -> None:
        """Make those of every call; raises as `rendered`."""
        self._parameters = parameters
        self._values = values if parameters.only else {}
        self.always = rendered(parameters, values)
        self._made: dict[tuple[int, ...], RenderedParameters] = {(): self.always}

    @property
    def by_call(self) -> bool:
        """Whether it matters which call it is."""
        return bool(self._parameters.only)

    def of(self, method: str, path: str) -> RenderedParameters:
        """What is put on this call; `path` as it is sent. Raises as `rendered`."""
        if not self._parameters.only:
            return self.always
        return self._rendered(meant_by(self._parameters, method, path))

    def for_some(self) -> list[RenderedParameters]:
        """What each of `only` would put on by itself, in the author's order. Raises as `rendered`."""
        return [rendered(_alone(self._parameters, index), self._values) for index in range(len(self._parameters.only))]

    def _rendered(self, which: tuple[int, ...]) -> RenderedParameters:
        found = self._made.get(which)
        if found is None:
            found = self._made[which] = rendered(put_together(self._parameters, which), self._values)
        return found


def _alone(parameters: RequestParameters, index: int) -> RequestParameters:
    some = parameters.only[index]
    return RequestParameters(
        parameters.base_url, headers=some.headers, query=some.query, body=some.body, locked=parameters.locked
    )
