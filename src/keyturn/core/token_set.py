"""What one successful login or refresh left in hand.

Rule 1: a token set never changes; the next one has the next generation.
Rule 2: `now` is a parameter, in Unix seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from keyturn.core.secret import Secret


@dataclass(frozen=True, slots=True)
class TokenSet:
    """An access token, perhaps a refresh token, and what came with them.

    `expires_at`: Unix seconds, None where the provider gave no lifetime. `issued_at`: when the answer came.
    `refresh_expires_at`: when the refresh token ends, where that is known.
    `scope`: None means as requested. `kept`: further values of the answer ({{ token.NAME }}), sealed at rest.
    """

    access_token: Secret
    issued_at: float
    refresh_token: Secret | None = None
    token_type: str = "Bearer"  # noqa: S105
    expires_at: float | None = None
    scope: tuple[str, ...] | None = None
    kept: Mapping[str, Any] = field(default_factory=dict, repr=False)
    refresh_expires_at: float | None = None

    def ended(self, now: float) -> bool:
        """Whether the access token's own lifetime is over."""
        return self.expires_at is not None and now >= self.expires_at
