"""What a connector says to people and changes nothing of what is sent: it can be corrected after publishing.

Source: the connector format, "retires, failures, links, notes".
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Links:
    """Where a page may send the person for what keyturn can't do; advice, correctable after publishing."""

    reset_password: str | None = None
    unlock: str | None = None
    app_password: str | None = None


@dataclass(frozen=True, slots=True)
class Notes:
    """What the pages say besides; advice, correctable after publishing. `access`: what a connection can be used for."""

    access: str = ""
    setup: str = ""
    warning: str = ""
    disconnect: str = ""


@dataclass(frozen=True, slots=True)
class Retirement:
    """When the provider ends this way of connecting, where it says so, and what takes its place; advice."""

    on: date
    source: str | None = None
    successor: str | None = None  # a connector's id or a URL
