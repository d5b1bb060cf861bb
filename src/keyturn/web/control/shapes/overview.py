"""The overview's figures as callers get them; what was never recorded is None, never zero."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from keyturn.engine.observing.call_times import CallTime, Quantiles
from keyturn.engine.overview.board import USUAL, Board, HeatRow
from keyturn.ports.overview import Trouble
from keyturn.web.control.shapes.answers import HourAnswer, Time
from keyturn.web.control.shapes.requests import Members
from keyturn.web.control.shapes.showing import maybe_time, time_of


class OverviewQuery(Members):
    """How far back is looked."""

    range: Literal["1h", "24h", "7d", "30d"] = USUAL


class StatesAnswer(BaseModel):
    """How many of a connector's connections are in each state."""

    connector: str
    states: dict[str, int]


class WaitingAnswer(BaseModel):
    """The connection whose renewal waits longest."""

    connection: str
    due_at: Time


class NeedAnswer(BaseModel):
    """Connections that need their person, for one reason; `since`: that of the one that waits longest."""

    connector: str
    reason: str
    count: int
    since: Time


class EndingAnswer(BaseModel):
    """Connections that end in the next thirty days without being renewable; `first`: the first of them."""

    connector: str
    count: int
    first: Time


class FailingAnswer(BaseModel):
    """A connector that fails. `alarm`: its set-up is wrong, and nothing of it is renewed until that is mended."""

    connector: str
    code: str
    alarm: bool


class TroubleAnswer(BaseModel):
    """A set-up that is wrong, by its code: how many sends ended so, from `first` to `last`; none: it was never made."""

    connector: str
    code: str
    count: int
    first: Time
    last: Time


class RenewalsAnswer(BaseModel):
    """Renewals from `start` on: that brought a token, failed for now, lost the grant."""

    start: Time
    renewed: int
    retried: int
    lost: int


class SendsAnswer(BaseModel):
    """What was sent to a connector's provider, by the steps of `renewals`: how much of it failed, and all."""

    connector: str
    failed: list[int]
    sent: list[int]


class ExpiriesAnswer(BaseModel):
    """Tokens that end in the hour from `start` on; `alone` of them have nothing that could renew them."""

    start: Time
    count: int
    alone: int


class QuantilesAnswer(BaseModel):
    """Half took no longer than `p50_s`, all but one in twenty no longer than `p95_s`."""

    p50_s: float
    p95_s: float


class CallTimeAnswer(BaseModel):
    """How long a connector's calls took from `start` on: the provider's part, keyturn's own, and the whole.

    `client_errors`, `server_errors`: how many of them the API answered with 4xx and with 5xx.
    """

    connector: str
    start: Time
    count: int
    client_errors: int
    server_errors: int
    provider: QuantilesAnswer
    keyturn: QuantilesAnswer
    whole: QuantilesAnswer


class StatsAnswer(BaseModel):
    """A connection's calls by hour, from `since` on; an hour without a call is not among them."""

    since: Time
    hours: list[HourAnswer]


class OverviewAnswer(BaseModel):
    """How everything stands at `at`. `renewals`, `sends` and `codes` are of `range`, from `since` to `until`.

    `attention`: connections that need a look although they work. `due_soon`: renewals whose time comes within the next
    hour or has come. `overdue`: those whose time was over a minute ago. `webhooks_waiting`: deliveries. `codes`: code →
    how many sends failed with it. `recorded_since`: None where nothing was recorded. `audit_verified_at`: None for
    never.
    """

    at: Time
    range: str
    since: Time
    until: Time
    recorded_since: Time | None
    states: dict[str, int]
    connectors: list[StatesAnswer]
    attention: int
    due_soon: int
    overdue: int
    oldest_overdue: WaitingAnswer | None
    needs: list[NeedAnswer]
    endings: list[EndingAnswer]
    failing: list[FailingAnswer]
    troubles: list[TroubleAnswer]
    renewals: list[RenewalsAnswer]
    sends: list[SendsAnswer]
    codes: dict[str, int]
    expiries: list[ExpiriesAnswer]
    jobs_running: int
    webhooks_waiting: int
    encryption_key_since: Time
    audit_verified_at: Time | None
    call_times: list[CallTimeAnswer]


def overview_answer(board: Board) -> OverviewAnswer:
    """Show the board."""
    standing = board.standing
    by_connector: dict[str, dict[str, int]] = {}
    for (connector, state), number in sorted(standing.connections.items()):
        by_connector.setdefault(connector, {})[state] = number
    waiting = standing.oldest
    return OverviewAnswer(
        at=time_of(board.at),
        range=board.range.key,
        since=time_of(board.since),
        until=time_of(board.until),
        recorded_since=maybe_time(board.recorded_since),
        states=dict(board.by_state),
        connectors=[StatesAnswer(connector=name, states=states) for name, states in by_connector.items()],
        attention=board.attention,
        due_soon=standing.due_soon,
        overdue=standing.overdue,
        oldest_overdue=WaitingAnswer(connection=waiting[0], due_at=time_of(waiting[1])) if waiting else None,
        needs=[
            NeedAnswer(connector=each.connector, reason=each.reason, count=each.count, since=time_of(each.since))
            for each in board.needs
        ],
        endings=[
            EndingAnswer(connector=each.connector, count=each.count, first=time_of(each.first))
            for each in board.endings
        ],
        failing=[FailingAnswer(connector=each.connector, code=each.code, alarm=each.alarm) for each in board.failing],
        troubles=[_trouble(each) for each in board.troubles],
        renewals=[
            RenewalsAnswer(start=time_of(each.start), renewed=each.renewed, retried=each.retried, lost=each.lost)
            for each in board.steps
        ],
        sends=[_sends(each) for each in board.heat],
        codes=dict(board.codes),
        expiries=[
            ExpiriesAnswer(start=time_of(each.start), count=each.count, alone=each.alone) for each in board.expiries
        ],
        jobs_running=board.jobs_running,
        webhooks_waiting=board.backlog.count,
        encryption_key_since=time_of(board.key_since),
        audit_verified_at=maybe_time(board.audit_verified_at),
        call_times=[_call_time(each) for each in board.call_times],
    )


def _trouble(each: Trouble) -> TroubleAnswer:
    return TroubleAnswer(
        connector=each.connector, code=each.code, count=each.count, first=time_of(each.first), last=time_of(each.last)
    )


def _sends(row: HeatRow) -> SendsAnswer:
    failed, sent = [each for each, _ in row.cells], [each for _, each in row.cells]
    return SendsAnswer(connector=row.connector, failed=failed, sent=sent)


def _call_time(each: CallTime) -> CallTimeAnswer:
    return CallTimeAnswer(
        connector=each.connector,
        start=time_of(each.start),
        count=each.count,
        client_errors=each.client_errors,
        server_errors=each.server_errors,
        provider=_quantiles(each.provider),
        keyturn=_quantiles(each.keyturn),
        whole=_quantiles(each.whole),
    )


def _quantiles(found: Quantiles) -> QuantilesAnswer:
    return QuantilesAnswer(p50_s=found.p50_s, p95_s=found.p95_s)
