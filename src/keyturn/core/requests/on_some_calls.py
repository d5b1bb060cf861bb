"""Which of `request.only` a call is meant by, and what is then put on it.

Rule 1: a value for some calls stands in the place of one of the same name for all.
Rule 2: a path is compared as it is sent, from the host on; what the API reads differently gets nothing put on.

Source: the connector format, "request.only".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

from keyturn.core.connector import OnSomeCalls, RequestParameters

_ANY_SEGMENT: Final = "[^/]+"


def is_meant(some: OnSomeCalls, method: str, path: str) -> bool:
    """Say whether a call is one of those; `path` as it is sent, normalised. GET stands for HEAD as well."""
    by_method = not some.methods or method in some.methods or (method == "HEAD" and "GET" in some.methods)
    return by_method and (not some.paths or _pattern(some.paths).match(path) is not None)


def meant_by(parameters: RequestParameters, method: str, path: str) -> tuple[int, ...]:
    """The places in `only` of what is put on this call."""
    return tuple(index for index, each in enumerate(parameters.only) if is_meant(each, method, path))


def put_together(parameters: RequestParameters, which: tuple[int, ...]) -> RequestParameters:
    """The parameters of every call with those of `only` in these places over them, in the author's order."""
    made = parameters
    for each in (parameters.only[index] for index in which):
        made = replace(
            made,
            headers=_over(made.headers, each.headers, fold_case=True),
            query=_over(made.query, each.query),
            body=_over(made.body, each.body),
        )
    return replace(made, only=())


def _over(below: Mapping[str, Any], above: Mapping[str, Any], *, fold_case: bool = False) -> dict[str, Any]:
    def same(name: str) -> str:
        return name.lower() if fold_case else name

    taken = {same(name) for name in above}
    return {name: each for name, each in below.items() if same(name) not in taken} | {**above}


@lru_cache(maxsize=1_024)
def _pattern(paths: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{_one(path)})" for path in paths))


def _one(path: str) -> str:
    segments = "/".join(_ANY_SEGMENT if each == "*" else re.escape(each) for each in path.split("/"))
    return segments if path.endswith("/") else rf"{segments}(?:/|\Z)"
