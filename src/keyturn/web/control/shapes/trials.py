"""A trial of a connector as callers get it: rows, masked, and what is asked at the moment.

Rule 1: a trace is masked before it gets here; nothing that was typed has a member.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from keyturn.core.messages import TransportFacts
from keyturn.engine.builder.trial_trace import Phase, Row, Suggestion, TrialRun
from keyturn.web.control.shapes.answers import Time
from keyturn.web.control.shapes.challenges import QuestionAnswer, question_answer
from keyturn.web.control.shapes.requests import Address, FieldValue, Members, SecretText, Text
from keyturn.web.control.shapes.showing import time_of


class NewTrial(Members):
    """What somebody typed for a trial; `source` is the text that is tried, the draft where it is left out.

    `client_address`: of whoever tries, for a connector with `client_address_header`. `hold`: where a step after the
    login fails, hold the tokens for ten minutes at most, to go on with a mended text.
    """

    username: Text = Field(repr=False)
    password: SecretText | None = Field(default=None, repr=False)
    fields: dict[str, FieldValue] = Field(default_factory=dict, repr=False, max_length=100)
    source: str | None = Field(default=None, repr=False, max_length=262_144)
    client_address: Address | None = Field(default=None, repr=False)
    hold: bool = False


class MendedText(Members):
    """What a trial goes on with; `source` is the text, the draft where it is left out."""

    source: str | None = Field(default=None, repr=False, max_length=262_144)


class FoundAnswer(BaseModel):
    """A value that was found, a secret by its name alone, and the path that found it."""

    name: str
    value: str
    path: str


class EditAnswer(BaseModel):
    """An edit of the connector's file. `fill_in`: a place in the value that is left to the author, empty for none."""

    pointer: str
    value: Any
    fill_in: list[str | int]


class TlsAnswer(BaseModel):
    """What was agreed by TLS. `subject`, `issuer`: names out of the certificate, which is valid until `ends_at`.

    `own_authorities`: whether the connector's own authorities were trusted, and not the machine's.
    """

    version: str
    cipher: str
    subject: str
    issuer: str
    ends_at: Time | None
    own_authorities: bool


class TransportAnswer(BaseModel):
    """How a request travelled. `family`: `IPv4` or `IPv6`, empty where the operator's proxy made the connection.

    `private`: whether the address is in a private network. `tls`: None for plain http.
    """

    family: str
    private: bool
    by_proxy: bool
    tls: TlsAnswer | None


class TrialRowAnswer(BaseModel):
    """One step of a trial. `suggestion`: an edit that would mend it, in words; `edit`: the same for programs.

    `transport`: how its request travelled. `redirects_to`: the host that its answer points to; it is never followed.
    """

    mark: Literal["ok", "failed", "skipped"]
    step: int
    title: str
    text: str
    method: str
    url: str
    status: int | None
    ms: int | None
    request: str
    answer: str
    found: list[FoundAnswer]
    diagnosis: str
    suggestion: str | None
    edit: EditAnswer | None = None
    transport: TransportAnswer | None = None
    redirects_to: str | None = None


class TrialAnswer(BaseModel):
    """A trial: `running`, `asking` (answer what is in `ask`), `held` (go on or end it) or `ended`.

    `passed`: every step went well. `failed_step`: the first that did not. `not_reached`: steps that were not tried.
    `ends_at`: when what is asked or held is over.
    `resend`: whether the provider can be asked for another code; `asked_again`: why the same is asked once more.
    """

    id: str
    connector: str
    digest: str
    state: Literal["running", "asking", "held", "ended"]
    passed: bool
    failed_step: int | None
    not_reached: list[int]
    ends_at: Time | None
    started_at: Time
    hosts: list[str]
    ask: list[QuestionAnswer]
    resend: bool
    asked_again: str
    rows: list[TrialRowAnswer]


class ExchangeAnswer(BaseModel):
    """One recorded answer. `request`: which of the connector's; `means`: how the connector reads it."""

    request: str
    method: str
    status: int
    headers: dict[str, str]
    body: str
    means: dict[str, Any]


class FixtureAnswer(BaseModel):
    """A recording of a trial, made up."""

    keyturn_fixture: int
    connector: str
    digest: str
    exchanges: list[ExchangeAnswer]
    left_off: list[str]


def trial_answer(run: TrialRun) -> TrialAnswer:
    """Show a run as far as it is."""
    return TrialAnswer(
        id=run.id,
        connector=run.connector,
        digest=run.digest,
        state=run.phase.value,
        passed=run.passed,
        failed_step=run.failed.step if run.failed else None,
        not_reached=list(run.not_reached),
        ends_at=None if run.ends_at is None else time_of(run.ends_at),
        started_at=time_of(run.started_at),
        hosts=list(run.hosts),
        ask=[question_answer(each) for each in run.ask],
        resend=run.phase is Phase.ASKING and run.resendable,
        asked_again=run.asked_again,
        rows=[_row(each) for each in run.rows],
    )


def _row(row: Row) -> TrialRowAnswer:
    return TrialRowAnswer(
        mark=row.mark.value,
        step=row.step,
        title=row.title,
        text=row.text,
        method=row.method,
        url=row.url,
        status=row.status,
        ms=row.ms,
        request=row.request,
        answer=row.answer,
        found=[FoundAnswer(name=name, value=value, path=path) for name, value, path in row.found],
        diagnosis=row.diagnosis,
        suggestion=row.suggestion.words if row.suggestion else None,
        edit=_edit(row.suggestion) if row.suggestion else None,
        transport=_transport(row.transport) if row.transport else None,
        redirects_to=row.redirects_to or None,
    )


def _transport(facts: TransportFacts) -> TransportAnswer:
    tls = facts.tls
    agreed = None if tls is None else TlsAnswer(
        version=tls.version, cipher=tls.cipher, subject=tls.subject, issuer=tls.issuer,
        ends_at=None if tls.ends_at is None else time_of(tls.ends_at), own_authorities=tls.own_authorities,
    )  # fmt: skip
    return TransportAnswer(family=facts.family, private=facts.private, by_proxy=facts.by_proxy, tls=agreed)


def _edit(suggestion: Suggestion) -> EditAnswer:
    left = list(suggestion.blank.at) if suggestion.blank else []
    return EditAnswer(pointer=suggestion.pointer, value=suggestion.value, fill_in=left)
