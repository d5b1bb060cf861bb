"""The overview's figures: how renewals went, who broke when, what is due, and what only a person can do.

Rule 1: it is read from the audit log and the connections' rows, so that every process shows the same.
Rule 2: "nothing was recorded" is said as that (`recorded_since`), never as a zero.
Rule 3: one reading serves everybody who asks within a few seconds.

Source: the interfaces, "Operator dashboard".
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from keyturn.core.audit.kinds import WELL
from keyturn.engine.observing.call_times import CallTime, CallTimes
from keyturn.engine.overview.attention_bounds import ReadAttentionBounds
from keyturn.engine.overview.troubles import CLIENT_MISSING, LOOK_BACK_S, RENEWED, needs_client, open_troubles
from keyturn.engine.provider_gate import ProviderGate
from keyturn.ports.audit import AuditChain
from keyturn.ports.clock import Clock
from keyturn.ports.jobs import Jobs, JobState
from keyturn.ports.key_custody import KeyCustody
from keyturn.ports.overview import Backlog, Ending, Expiry, Need, Overview, Standing, Tally, Trouble
from keyturn.ports.store import ConnectionFilter, ConnectorStore

CACHED_S: Final = 4.0
CACHED_SHARE: Final = 2.0 / 86_400  # of a range's length: what changes slowly, and costs more, is read less often
HOUR_S: Final = 3600.0
AHEAD_S: Final = 48 * 3600.0
ENDING_S: Final = 30 * 86_400.0
RECENT_S: Final = 3600.0
FEWEST: Final = 5  # sends, before their share says anything of a connector
LIMIT: Final = 0.5
ROWS: Final = 12  # of the heat grid
LOST: Final = "connection.needs_reconnect"


@dataclass(frozen=True, slots=True)
class Range:
    """How far back is looked, and in which steps; both in seconds."""

    key: str
    words: str
    length_s: float
    step_s: float


RANGES: Final[Mapping[str, Range]] = MappingProxyType(
    {
        each.key: each
        for each in (
            Range("1h", "1 hour", 3600.0, 300.0),
            Range("24h", "24 hours", 86_400.0, 3600.0),
            Range("7d", "7 days", 7 * 86_400.0, 6 * 3600.0),
            Range("30d", "30 days", 30 * 86_400.0, 86_400.0),
        )
    }
)
USUAL: Final = "24h"


@dataclass(frozen=True, slots=True)
class Step:
    """Renewals in the time that begins at `start`: that brought a token, that failed for now, that lost the grant."""

    start: float
    renewed: int = 0
    retried: int = 0
    lost: int = 0


@dataclass(frozen=True, slots=True)
class HeatRow:
    """A connector's sends by step: (failed, all)."""

    connector: str
    cells: tuple[tuple[int, int], ...]

    @property
    def failed(self) -> int:
        """How many failed in all."""
        return sum(failed for failed, _ in self.cells)

    @property
    def sent(self) -> int:
        """How many there were in all."""
        return sum(sent for _, sent in self.cells)


@dataclass(frozen=True, slots=True)
class Failing:
    """A connector that fails: by an alarm of this process, or by the share of its latest sends."""

    connector: str
    code: str
    alarm: bool


@dataclass(frozen=True, slots=True)
class Board:
    """Everything at one moment, `at`, in Unix seconds. Counts of `steps`, `heat`, `sends` are of `range` up to `until`.

    `sends`: connector → how many renewals failed, and how many there were. `troubles`: set-ups that are wrong.
    `attention`: how many connections need a look although they work. `key_since`: since when the encryption key is the
    current one. `call_times`: how long calls took, by connector and step; steps of an hour at least, of the last 168
    hours at most.
    """

    at: float
    range: Range
    since: float
    until: float
    recorded_since: float | None
    standing: Standing
    attention: int
    steps: tuple[Step, ...]
    heat: tuple[HeatRow, ...]
    sends: Mapping[str, tuple[int, int]]
    codes: tuple[tuple[str, int], ...]
    expiries: tuple[Expiry, ...]
    needs: tuple[Need, ...]
    endings: tuple[Ending, ...]
    failing: tuple[Failing, ...]
    troubles: tuple[Trouble, ...]
    backlog: Backlog
    key_since: float
    jobs_running: int
    audit_verified_at: float | None
    call_times: tuple[CallTime, ...]

    @property
    def by_state(self) -> Mapping[str, int]:
        """State as shown → how many."""
        counted: Counter[str] = Counter()
        for (_, state), number in self.standing.connections.items():
            counted[state] += number
        return counted

    @property
    def alarms(self) -> tuple[Failing, ...]:
        """Those whose set-up is wrong."""
        return tuple(each for each in self.failing if each.alarm)


class ReadBoard:
    """Reads the board, and lends it to whoever asks a moment later."""

    def __init__(
        self,
        overview: Overview,
        gate: ProviderGate,
        jobs: Jobs,
        chain: AuditChain,
        keys: KeyCustody,
        connectors: ConnectorStore,
        bounds: ReadAttentionBounds,
        clock: Clock,
        call_times: CallTimes,
    ) -> None:
        self._overview = overview
        self._gate = gate
        self._jobs = jobs
        self._chain = chain
        self._keys = keys
        self._connectors = connectors
        self._bounds = bounds
        self._clock = clock
        self._call_times = call_times
        self._kept: dict[str, tuple[float, Board]] = {}
        self._one_by_one = asyncio.Lock()

    async def __call__(self, key: str = USUAL) -> Board:
        """The board of a range of `RANGES`; an unknown key is the usual one. StoreUnavailable."""
        wanted = RANGES.get(key, RANGES[USUAL])
        async with self._one_by_one:
            now = self._clock.monotonic()
            kept = self._kept.get(wanted.key)
            if kept is None or now - kept[0] >= max(CACHED_S, wanted.length_s * CACHED_SHARE):
                kept = self._kept[wanted.key] = (now, await self._read(wanted))
            return kept[1]

    async def _read(self, wanted: Range) -> Board:
        overview, now = self._overview, self._clock.now()
        until = (now // wanted.step_s + 1) * wanted.step_s
        since = until - wanted.length_s
        tallies = await overview.renewals(since, until, wanted.step_s)
        heat = heat_of(tallies, since, wanted)
        recent = await overview.renewals(now - RECENT_S, now + 1.0, RECENT_S + 1.0)
        running, _ = await self._jobs.list(state=JobState.RUNNING, limit=100)
        return Board(
            at=now,
            range=wanted,
            since=since,
            until=until,
            recorded_since=await overview.recorded_since(),
            standing=await overview.standing(now),
            attention=await self._attention(),
            steps=steps_of(tallies, since, wanted),
            heat=heat[:ROWS],
            sends={row.connector: (row.failed, row.sent) for row in heat},
            codes=codes_of(tallies),
            expiries=tuple(await overview.expiries(now, now + AHEAD_S)),
            needs=tuple(await overview.needs()),
            endings=tuple(await overview.endings(now, now + ENDING_S)),
            failing=self._failing(recent),
            troubles=await self._troubles(now, (*tallies, *recent)),
            backlog=await overview.backlog(),
            key_since=await self._keys.current_since(),
            jobs_running=len(running),
            audit_verified_at=await self._chain.verified_at(),
            call_times=await self._times(until, wanted),
        )

    async def _attention(self) -> int:
        """As many as the list of connections shows when it is asked for them."""
        found = await self._overview.states(ConnectionFilter(attention=await self._bounds()))
        return sum(found.values())

    async def _troubles(self, now: float, tallies: Sequence[Tally]) -> tuple[Trouble, ...]:
        """Set-ups that are wrong, those that were never made first."""
        found = await self._overview.troubles(now - LOOK_BACK_S)
        mended: Mapping[tuple[str, str], float] = {}
        if found:
            since = min(each.last for each in found)
            mended = await self._overview.mended({each.connector for each in found}, since)
        missing = []
        for each in await self._connectors.list():
            if each.client_id_set or each.latest_version is None:
                continue
            version = await self._connectors.version(each.id)
            if version is not None and needs_client(version.connector, client_set=False):
                at = version.published_at
                missing.append(Trouble(each.id, CLIENT_MISSING, 0, at, at))
        return (*missing, *open_troubles(found, mended, tallies))

    async def _times(self, until: float, wanted: Range) -> tuple[CallTime, ...]:
        """By the range's steps, or by hours where those are shorter; the hour that is under way among them."""
        step_s = max(wanted.step_s, HOUR_S)
        since = (until - wanted.length_s) // step_s * step_s
        return tuple(await self._call_times.read(since, until, step_s))

    def _failing(self, recent: Sequence[Tally]) -> tuple[Failing, ...]:
        found = {}
        for connector in self._gate.alarms():
            alarm = self._gate.alarmed(connector)
            if alarm is not None:
                found[connector] = Failing(connector, alarm[0], alarm=True)
        failed, sent, codes = Counter[str](), Counter[str](), dict[str, Counter[str]]()
        for each in recent:
            if _is_send(each):
                sent[each.connector] += each.count
                if _has_failed(each):
                    failed[each.connector] += each.count
                    codes.setdefault(each.connector, Counter())[each.outcome] += each.count
        for connector, count in failed.items():
            if sent[connector] >= FEWEST and count / sent[connector] >= LIMIT and connector not in found:
                found[connector] = Failing(connector, codes[connector].most_common(1)[0][0], alarm=False)
        return tuple(found[name] for name in sorted(found))


def steps_of(tallies: Sequence[Tally], since: float, wanted: Range) -> tuple[Step, ...]:
    """Renewals by step. A send that failed is `lost` where a record says that the person is needed, else `retried`."""
    renewed, failed, lost = Counter[int](), Counter[int](), Counter[int]()
    for each in tallies:
        index = _index(each, since, wanted)
        if each.action == RENEWED:
            renewed[index] += each.count
        elif each.action == LOST:
            lost[index] += each.count
        elif _has_failed(each):
            failed[index] += each.count
    return tuple(
        Step(since + n * wanted.step_s, renewed[n], max(0, failed[n] - lost[n]), lost[n]) for n in range(_steps(wanted))
    )


def heat_of(tallies: Sequence[Tally], since: float, wanted: Range) -> tuple[HeatRow, ...]:
    """Sends by connector and step; those that failed most come first."""
    failed: dict[str, Counter[int]] = {}
    sent: dict[str, Counter[int]] = {}
    for each in tallies:
        if _is_send(each):
            index = _index(each, since, wanted)
            sent.setdefault(each.connector, Counter())[index] += each.count
            failed.setdefault(each.connector, Counter())[index] += each.count if _has_failed(each) else 0
    rows = [
        HeatRow(name, tuple((failed[name][n], sent[name][n]) for n in range(_steps(wanted)))) for name in sorted(sent)
    ]
    return tuple(sorted(rows, key=lambda row: -row.failed))


def codes_of(tallies: Sequence[Tally]) -> tuple[tuple[str, int], ...]:
    """Code → how many sends failed with it, most first."""
    counted: Counter[str] = Counter()
    for each in tallies:
        if _is_send(each) and _has_failed(each):
            counted[each.outcome] += each.count
    return tuple(sorted(counted.items(), key=lambda pair: (-pair[1], pair[0])))


def _is_send(each: Tally) -> bool:
    return each.action != LOST and each.outcome != "not_sent" and not (each.action != RENEWED and each.outcome == "ok")


def _has_failed(each: Tally) -> bool:
    return each.action not in (RENEWED, LOST) and each.outcome not in WELL


def _index(each: Tally, since: float, wanted: Range) -> int:
    return min(max(0, round((each.start - since) / wanted.step_s)), _steps(wanted) - 1)


def _steps(wanted: Range) -> int:
    return round(wanted.length_s / wanted.step_s)
