"""Randomness that is the same in every run."""

from __future__ import annotations

import base64
import random


class FakeEntropy:
    """Values drawn from a seed; `fraction` can be nailed to a number."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)
        self.fixed_fraction: float | None = None

    def token(self, n_bytes: int = 32) -> str:
        """URL-safe text from so many bytes."""
        return base64.urlsafe_b64encode(self._random.randbytes(n_bytes)).rstrip(b"=").decode()

    def identifier(self, prefix: str) -> str:
        """A new id: the prefix, an underscore and 128 bits."""
        return f"{prefix}_{self._random.randbytes(16).hex()}"

    def fraction(self) -> float:
        """A number in [0, 1)."""
        return self._random.random() if self.fixed_fraction is None else self.fixed_fraction
