"""A password, token or key that cannot be printed or pickled by accident."""

from __future__ import annotations

import hmac
from typing import NoReturn


class Secret:
    """Hold text and give it up only to `reveal()`, whose callers a test keeps in a list."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Give the text up. Each file that calls this stands in `tests/house/test_reveal.py`."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return "Secret(…)"

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        # Constant time; defining it alone also makes a Secret unhashable, so that none ends up as a key.
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(
            self._value.encode("utf-8", "surrogatepass"), other._value.encode("utf-8", "surrogatepass")
        )

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is sealed, not pickled")
