"""Quiet hours, as they are sent and answered."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from keyturn.web.control.shapes.answers import Time
from keyturn.web.control.shapes.requests import Members, Text


class QuietWindowOrder(Members):
    """A time of day, `02:00` to `04:00`; an end at or before the begin is on the next day.

    `days`: on which it begins, `mon` to `sun`; all where none are named.
    """

    from_: Annotated[Text, Field(alias="from")]
    to: Text
    days: Annotated[list[Text] | None, Field(max_length=7)] = None


class QuietHoursOrder(Members):
    """Quiet hours. `zone`: an IANA name. `strict`: calls cause no renewal either."""

    zone: Text
    windows: Annotated[list[QuietWindowOrder], Field(max_length=16)]
    strict: bool = False


class QuietWindow(BaseModel):
    """A time of day, and the days on which it begins."""

    model_config = ConfigDict(populate_by_name=True, serialize_by_alias=True)

    from_: Annotated[str, Field(alias="from")]
    to: str
    days: list[str]


class QuietHoursAnswer(BaseModel):
    """A connector's quiet hours; no windows where it has none. `quiet_until`: None outside of them."""

    connector: str
    zone: str | None
    windows: list[QuietWindow]
    strict: bool
    quiet_until: Time | None
