"""How a caller stands with a limit, as headers and as a refusal.

Source: RateLimit header fields for HTTP (draft-ietf-httpapi-ratelimit-headers); RFC 6585 section 4 (429).
"""

from __future__ import annotations

import math
from typing import Final

from keyturn.core.errors import RateLimited
from keyturn.engine.abuse.rate_limits import Standing
from keyturn.web.kit.headers import Headers

_OURS: Final = frozenset((b"ratelimit", b"ratelimit-policy"))


def standing_headers(standings: list[Standing]) -> Headers:
    """`RateLimit-Policy` and `RateLimit`, one item for each policy; empty where nothing is limited."""
    if not standings:
        return []
    policies = ", ".join(f'"{each.rate.name}";q={each.rate.quota};w={each.rate.window_s}' for each in standings)
    now = ", ".join(f'"{each.rate.name}";r={each.left};t={math.ceil(each.resets_in_s)}' for each in standings)
    return [(b"ratelimit-policy", policies.encode("ascii")), (b"ratelimit", now.encode("ascii"))]


def beside_the_apis(headers: Headers, standings: list[Standing]) -> Headers:
    """An API's headers and ours; an API that tells of limits of its own is not talked over."""
    if any(name in _OURS for name, _ in headers):
        return headers
    return [*headers, *standing_headers(standings)]


class Standings(list[Standing]):
    """How one request stands with every limit that it was counted for."""

    __slots__ = ()

    def add(self, standing: Standing | None) -> None:
        """Note one; None: there is no such limit.

        Raises:
            RateLimited: with the seconds to wait; `policy` names the limit.
        """
        if standing is None:
            return
        self.append(standing)
        if standing.wait_s > 0:
            raise RateLimited(retry_after_s=standing.wait_s, extensions={"policy": standing.rate.name})
