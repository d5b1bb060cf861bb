"""Whether a run kept the promises, judged by the provider's journal; REST only says which state a connection claims.

What is looked at: I1 one renewal in flight, I2 no answered refresh token again, I3 one renewal for a crowd, I4 the
newest set or a truthful state, I5 and I15 callers are answered, I6 and I7 nothing older after something newer, I8 no
refused password again, I13 what nobody keeps is revoked. Besides: no family that the provider had to end for a second
use, and no storm of requests.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.runs.faults import TRUTHFUL, End, Fate, Grant, Run, allowed
from tests.faults.runs.story import Story

SOON_S = 2.0  # I7 promises one; the machine is shared
WRITTEN_S = 0.05  # between an answer's last byte and its sender's note of it
CUT = frozenset({"reset", "hang", "lost", "hang_after", "half", "drip", "endless", "garbage"})  # nobody could read it
MOST_SENDS = 4  # for one connection in one run, before it is probed; those that were asked for not counted


@dataclass(slots=True)
class Asked:
    """One request, out of its journal rows."""

    number: int
    path: str
    grant: str
    account: str
    token: str
    came: float
    outcome: str = ""
    decided: float = float("inf")
    until: float = float("inf")  # when the answer was out, or its sender gone
    fault: str = ""
    whole: bool = False  # the answer went out, and nobody had hung up
    issued: int = 0  # the serial of the set that was made for it


@dataclass(frozen=True, slots=True)
class Issued:
    """A token set."""

    serial: int
    at: float
    account: str
    family: str
    access: str
    refresh: str


@dataclass(slots=True)
class Journal:
    """What the provider saw and did."""

    asked: list[Asked] = field(default_factory=list)
    issued: list[Issued] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Journal:
        """Read a file of rows."""
        journal = cls()
        by_number: dict[int, Asked] = {}
        for row in map(json.loads, path.read_text().splitlines()):
            event, at = row.pop("event"), row.pop("at")
            if event == "issued":
                for_request = by_number.get(row.pop("n"))
                journal.issued.append(Issued(at=at, **row))
                if for_request is not None:
                    for_request.issued = row["serial"]
            elif event == "came":
                number = row["n"]
                by_number[number] = Asked(number, row["path"], row["grant"], row["account"], row["token"], at)
                journal.asked.append(by_number[number])
            else:
                _note(by_number[row["n"]], event, at, row)
        journal.asked.sort(key=lambda each: each.came)
        return journal

    def tokens(self, account: str, since: float, until: float) -> list[Asked]:
        """The requests for a token of one account."""
        return [
            each for each in self.asked
            if each.path == "/token" and each.account == account and since <= each.came < until
        ]  # fmt: skip

    def doubled(self) -> int:
        """How many refresh tokens came that had been answered with a token."""
        answered: set[str] = set()
        found = 0
        for each in self.asked:
            if each.path == "/token" and each.grant == "refresh_token":
                found += each.token in answered
                answered |= {each.token} if each.outcome == "token" else set()
        return found

    def carried(self, account: str) -> str:
        """The access token of an account's last call."""
        return [each.token for each in self.asked if each.path == "/api/echo" and each.account == account][-1]


@dataclass(slots=True)
class Verdict:
    """What a run came to."""

    wrong: list[str] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)
    sends: int = 0
    doubled: int = 0

    @property
    def kept(self) -> int:
        """How many connections work on."""
        return sum(1 for each in self.ends if each not in TRUTHFUL)


def _note(asked: Asked, event: str, at: float, row: dict[str, Any]) -> None:
    if event == "decided":
        asked.decided, asked.outcome, asked.fault = at, row["outcome"], row["fault"]
        return
    if event == "hung_up" or event == "over" or row.get("whole"):
        asked.until = min(asked.until, at)
    if event == "answers":
        asked.whole = asked.fault not in CUT
    elif event == "hung_up":
        asked.whole = False


def judge(story: Story, dead_families: list[str]) -> Verdict:
    """Judge a run after its end; `dead_families`: as the provider says."""
    journal, verdict = Journal.read(story.journal), Verdict(wrong=list(story.wrong))
    for connection in story.connections:
        account = connection["unique_id"]
        sent = journal.tokens(account, story.began, story.probed)
        verdict.sends += len(sent)
        _judge_sends(story, journal, account, sent, verdict)
        end = _end(story, journal, account, dead_families)
        if end not in allowed(story.run.fault.fate, story.run.grant):
            seen = story.seen[account]
            verdict.wrong.append(
                f"I4: {account} ended as {end or 'nothing known'}: {seen['state']}, {seen['reason']}, "
                f"renewal {story.last_renewal[account]}, call {story.last_call[account]}"
            )
        verdict.ends += [end] if end else []
        verdict.wrong += _older_after_newer(journal, account)
        verdict.wrong += left_open(story, journal, account, dead_families)
    verdict.wrong += _callers(story)
    if story.generations != sorted(story.generations):
        verdict.wrong.append(f"I6: the generation went {story.generations}")
    return verdict


def _judge_sends(story: Story, journal: Journal, account: str, sent: list[Asked], verdict: Verdict) -> None:
    run = story.run
    whole = journal.tokens(account, story.began, float("inf"))
    ours = [each for each in sent if not _by_a_person(each, story)]
    for earlier, later in itertools.combinations(ours, 2):
        if later.came < earlier.until - WRITTEN_S and not _slept_through(earlier, later, story):
            verdict.wrong.append(f"I1: {account}: two in flight, {earlier.grant} and {later.grant}")
    answered: set[str] = set()
    for each in journal.tokens(account, 0, float("inf")):
        if each.grant == "refresh_token" and each.token in answered and run.grant is not Grant.STABLE:
            verdict.doubled += 1
            verdict.wrong.append(f"I2: {account}: an answered refresh token came again")
        if each.outcome == "token" and each.grant == "refresh_token":
            answered.add(each.token)
    if any(each.outcome == "reuse" for each in whole):
        verdict.wrong.append(f"the provider ended a family of {account} for a second use")
    refused = [each.decided for each in sent if each.grant == "password" and each.outcome == "rejected"]
    if refused and any(each.grant == "password" and each.came > refused[0] for each in sent):
        verdict.wrong.append(f"I8: {account}: a refused password was sent again")
    alone = run.fault.family in ("callers", "mass expiry") and run.fault.name in ("many", "hang_up", "none")
    if alone and len(sent) != 1:
        verdict.wrong.append(f"I3: {account}: {len(sent)} renewals where one was due")
    if len(ours) > MOST_SENDS + story.rivals_renewed:
        verdict.wrong.append(f"{account}: a storm of {len(ours)} requests")


def _by_a_person(each: Asked, story: Story) -> bool:
    """Whether this is the login of a reconnect."""
    if story.run.fault.name != "reconnect" or story.event is None:
        return False
    return each.grant == "password" and story.event[0] <= each.came <= story.event[1]


def _slept_through(earlier: Asked, later: Asked, story: Story) -> bool:
    """A process that sleeps can't end its request, so one of another kind may be out beside it; two of one never."""
    if story.slept is None:
        return False
    slept = earlier.came <= story.slept[1] and earlier.until >= story.slept[0]
    return slept and (earlier.token != later.token or story.run.grant is not Grant.STRICT)


def _end(story: Story, journal: Journal, account: str, dead_families: list[str]) -> End | None:
    """What has become of a connection; None for what no promise names."""
    seen, fine = story.seen[account], story.last_call[account] == 200
    if seen["state"] in ("disconnecting", "disconnected"):
        return End.ENDED
    if seen["state"] in ("uncertain", "needs_reconnect") and seen["reason"] in list(End):
        return End(seen["reason"])
    if seen["state"] != "active" or not fine:
        return None
    used = next(each for each in journal.issued if each.access == journal.carried(account))
    if story.run.fault.fate is Fate.REPLACED:
        logins = [each for each in journal.tokens(account, 0, float("inf")) if _by_a_person(each, story)]
        since = min((each.came for each in logins), default=float("inf"))
        return End.LOGIN if used.at >= since and used.family not in dead_families else None
    newest = max(each.serial for each in journal.issued if each.account == account)
    return End.NEWEST if used.serial == newest and used.family not in dead_families else None


def _older_after_newer(journal: Journal, account: str) -> list[str]:
    """I6, I7: no call carries an older token once a newer one was in use for a while."""
    serials = {each.access: each.serial for each in journal.issued}
    calls = [
        (each.came, serials[each.token])
        for each in journal.asked
        if each.path == "/api/echo" and each.account == account
    ]
    newest, since = 0, 0.0
    for came, serial in calls:
        if serial > newest:
            newest, since = serial, came
        elif serial < newest and came > since + SOON_S:
            return [f"I7: {account}: an older token {came - since:.1f} s after a newer one"]
    return []


def left_open(story: Story, journal: Journal, account: str, dead_families: list[str]) -> list[str]:
    """I13: whatever was issued to a connection that ended, or was replaced by a login, is revoked."""
    fate = story.run.fault.fate
    revoked = {each.token for each in journal.asked if each.path == "/revoke"}
    mine = [each for each in journal.issued if each.account == account]
    if fate is Fate.REPLACED:
        if len({each.family for each in mine} - set(dead_families)) > 1:
            return [f"I13: {account}: a replaced grant lives on"]
    elif fate is Fate.DISCONNECTED:
        late = [each for each in mine if each.at > story.began]
        if any(each.refresh not in revoked for each in late) or {each.family for each in mine} - set(dead_families):
            return [f"I13: {account}: a token set of {len(mine)} was not revoked"]
    return []


def _callers(story: Story) -> list[str]:
    """What callers were told: by a process that lived, an answer; where nothing was spoilt, the API's own."""
    told = [
        (port, answer) for callers in story.callers for port, answers in callers.answers.items() for answer in answers
    ]
    wrong = {answer for port, answer in told if answer in (500, 401) or (answer == "cut" and port not in story.dead)}
    if story.run.fault.family == "callers":
        wrong |= {answer for _, answer in told if answer not in (200, "hung up")}
    return [f"callers were answered {sorted(map(str, wrong))}"] if wrong else []


def told(run: Run, verdict: Verdict, seconds: float) -> dict[str, Any]:
    """A run as a row of the report."""
    return {
        "seed": run.seed, "family": run.fault.family, "fault": run.fault.name, "step": run.fault.step,
        "processes": run.processes, "workload": run.workload, "grant": str(run.grant), "title": run.title,
        "connections": len(verdict.ends), "sends": verdict.sends, "doubled": verdict.doubled, "kept": verdict.kept,
        "truthful": len(verdict.ends) - verdict.kept, "wrong": verdict.wrong, "seconds": round(seconds, 1),
    }  # fmt: skip
