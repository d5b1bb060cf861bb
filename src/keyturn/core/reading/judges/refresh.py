"""How a token set is renewed: what says two things at once.

Source: the connector format, `refresh.with` and `refresh.lifetime`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keyturn.core.connector import Strategy
from keyturn.core.reading.codes import Fault
from keyturn.core.reading.document import pointer_steps
from keyturn.core.reading.names import Kind, Names
from keyturn.core.reading.shapes import Reading


def judge_refresh(reading: Reading, names: Names, tree: Mapping[str, Any]) -> None:
    """What the live token renews needs no refresh token; what only the password renews has none to keep alive."""
    refresh = tree.get("refresh", {})
    if not isinstance(refresh, Mapping):
        return
    by_password = refresh.get("strategy") is Strategy.PASSWORD_ONLY
    if by_password and refresh.get("keep_alive"):
        message = "keep_alive never uses the password; with password_only there is nothing that it could send"
        reading.fault("/refresh/keep_alive", Fault.CONTRADICTION, message)
    if by_password and refresh.get("last_resort"):
        message = "last_resort sends a refresh token; with password_only none is ever sent"
        reading.fault("/refresh/last_resort", Fault.CONTRADICTION, message)
    if "with" not in refresh:
        return
    if refresh.get("last_resort"):
        message = "with: token the live token renews, and last_resort comes only after its end"
        reading.fault("/refresh/last_resort", Fault.CONTRADICTION, message)
    if by_password:
        message = "with: token renews by the live token, and password_only by nothing but the password"
        reading.fault("/refresh/strategy", Fault.CONTRADICTION, message)
    if "lifetime" in refresh:
        message = "with: token no refresh token is used whose life this could be; give token.default_ttl"
        reading.fault("/refresh/lifetime", Fault.CONTRADICTION, message)
    for placed in reading.templates:
        of_refresh = pointer_steps(placed.pointer)[0] == "refresh"
        used = {leaf for path in placed.template.names() for leaf in names.leaves(path)} if of_refresh else ()
        if any(names.kind_of(path) is Kind.REFRESH_TOKEN for path in used):
            message = "with: token the live token renews itself; name {{ access_token }} or a kept value"
            reading.fault(placed.pointer, Fault.CONTRADICTION, message)
