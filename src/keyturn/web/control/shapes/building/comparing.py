"""Steps as they would be sent, versions side by side, and what a new connector can begin with, as callers get them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from keyturn.web.control.shapes.answers import PreviewAnswer
from keyturn.web.control.shapes.requests import Members, Number


class StepRequestAnswer(BaseModel):
    """One request of a step; `note` says why it can't be made, where it is None."""

    title: str
    request: PreviewAnswer | None
    note: str | None


class StepAnswer(BaseModel):
    """What a step sends; empty where it sends nothing."""

    step: int
    requests: list[StepRequestAnswer]


class StepQuery(Members):
    """Which of the nine steps; of a published `version`, or of the draft where it is left out."""

    step: Annotated[int, Field(ge=1, le=9, strict=False)]
    version: Number | None = None


class TextStepQuery(Members):
    """Which of the nine steps."""

    step: Annotated[int, Field(ge=1, le=9, strict=False)]


class DiffQuery(Members):
    """Which two are compared.

    `new`: a version, the draft where it is left out. `old`: a version; where it is left out, the one before `new`, or
    of the draft the newest.
    """

    old: Number | None = None
    new: Number | None = None


class ChangeAnswer(BaseModel):
    """One difference in a sentence. `step`: 0 for the connector as a whole. `risky`: it could hurt somebody."""

    step: int
    risky: bool
    sentence: str


class DiffAnswer(BaseModel):
    """What `new` changes of `old`, the risky first; `text` has the lines of a unified difference.

    `old`: None where `new` is the first. `new`: None for the draft. `correction`: what publishing does where only
    advice differs.
    """

    old: int | None
    new: int | None
    changes: list[ChangeAnswer]
    text: list[str]
    correction: str | None


class CatalogueRow(BaseModel):
    """A connector that comes along."""

    id: str
    title: str


class CatalogueList(BaseModel):
    """All of them, by id."""

    data: list[CatalogueRow]
    next_cursor: None = None


class CatalogueAnswer(CatalogueRow):
    """One of them, with its text."""

    source: str


class CurlText(Members):
    """curl commands as somebody pasted them: the one that logs in, and one that calls the API."""

    curl: str = Field(repr=False, max_length=262_144)


class CurlAnswer(BaseModel):
    """The text of a connector, and in sentences what was understood and what is left to do; none has a secret."""

    source: str
    understood: list[str]
    left: list[str]
