"""Whether a run kept the promises, judged by the provider's journal; REST only says which state a connection claims.

What is looked at: I1 one renewal in flight, I2 no answered refresh token again, I3 one renewal for a crowd, I4 the
newest set or a truthful state, I5 and I15 callers are answered, I6 and I7 nothing older after something newer, I8 no
refused password again, I13 what nobody keeps is revoked. Besides: no family that the provider had to end for a second
use, and no storm of requests.
"""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.faults.runs.faults import TRUTHFUL, End, Fate, Grant, Run, allowed
from tests.faults.runs.journal import Asked, Journal
from tests.faults.runs.losses import KILLED_WITHIN_S, Loss, losses
from tests.faults.runs.losses import Verdict as Lost
from tests.faults.runs.neighbours import Neighbours, Told
from tests.faults.runs.story import Story

SOON_S = 2.0  # I7 promises one; the machine is shared
WRITTEN_S = 0.05  # between an answer's last byte and its sender's note of it
MOST_SENDS = 4  # for one connection in one run, before it is probed; those that were asked for not counted


@dataclass(slots=True)
class Verdict:
    """What a run came to."""

    wrong: list[str] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)
    sends: int = 0
    doubled: int = 0
    reused: int = 0  # grants that the provider ended for a second use
    lost: Counter[str] = field(default_factory=Counter)  # by what the journal says of each
    served_s: float = 0.0  # after the fault's end, until every call was served that the provider would serve
    beside: int = 0  # calls of accounts that the fault was not meant for

    @property
    def kept(self) -> int:
        """How many connections work on."""
        return sum(1 for each in self.ends if each not in TRUTHFUL)


def judge(story: Story, dead_families: list[str]) -> Verdict:
    """Judge a run after its end; `dead_families`: as the provider says."""
    journal, verdict = Journal.read(story.journal), Verdict(wrong=list(story.wrong))
    verdict.served_s = story.served_s
    struck = {each["unique_id"] for each in story.struck}
    for connection in story.connections:
        account = connection["unique_id"]
        sent = journal.tokens(account, story.began, story.probed)
        verdict.sends += len(sent)
        _judge_sends(story, journal, account, sent, verdict, alone=account in struck)
        end = _end(story, journal, account, dead_families)
        fate = story.run.fault.fate if account in struck else _fate_beside(story)
        if end not in allowed(fate, story.run.grant):
            seen = story.seen[account]
            verdict.wrong.append(
                f"I4: {account} ended as {end or 'nothing known'}: {seen['state']}, {seen['reason']}, "
                f"renewal {story.last_renewal[account]}, call {story.last_call[account]}"
            )
        verdict.ends += [end] if end else []
        verdict.wrong += _older_after_newer(journal, account)
        if account in struck:
            verdict.wrong += left_open(story, journal, account, dead_families)
    found = losses(journal, story.seen, dead=dead_families, killed_at=story.killed_at)
    neighbours = Neighbours.of(story.bench)
    found += neighbours.losses(story.first, tuple(story.killed_at))
    verdict.lost.update(str(each.verdict) for each in found)
    verdict.wrong += _needless(story, found)
    verdict.doubled += neighbours.newly_doubled()
    verdict.wrong += _callers(story) + _beside(story, verdict)
    for went in story.generations.values():
        if went != sorted(went):
            verdict.wrong.append(f"I6: the generation went {went}")
    return verdict


def _fate_beside(story: Story) -> Fate:
    """What may become of an account that the fault was not meant for: a process that ends takes with it what is out."""
    return Fate.OPEN if story.killed_at or story.slept else Fate.KEPT


def _needless(story: Story, found: list[Loss]) -> list[str]:
    """What was lost though it could have been kept."""
    never = {Lost.DELIVERED, Lost.REFUSED}
    if story.run.grant is Grant.LAST_RESORT:
        never |= {Lost.NEVER_ROTATED}
    return [
        f"{each.account}: lost, {each.verdict}: {each.state}, {each.reason}" for each in found if each.verdict in never
    ]


def _beside(story: Story, verdict: Verdict) -> list[str]:
    """I18: who was not struck noticed nothing."""
    assert story.onlooker is not None
    verdict.beside = len(story.onlooker.told)
    siblings = {each["id"] for each in story.connections}
    wrong = [each for each in story.overlooked() if not _may_notice(story, each, each.connection in siblings)]
    told = Counter((each.status, each.code) for each in wrong)
    whose = Counter("at its provider" if each.connection in siblings else "elsewhere" for each in wrong)
    many = len({each.connection for each in wrong})
    when = f"{wrong[0].began - story.began:.1f} to {wrong[-1].began - story.began:.1f} s" if wrong else ""
    return [f"I18: {many} accounts beside were answered {dict(told)}, {dict(whose)}, {when}"] if wrong else []


def _may_notice(story: Story, told: Told, sibling: bool) -> bool:
    """Whether this fault reaches further than its account: a host that is down, a process that is gone or asleep."""
    fault = story.run.fault
    if fault.name == "refused":
        return sibling
    if fault.name == "database" and story.run.fleet:
        return True
    if story.slept is not None and fault.step.endswith(".mid"):
        return told.code in ("store_unavailable", "renewal_in_progress")  # it holds the one writer's place
    if story.killed_at or story.slept:
        return told.status in (0, 409)
    return False


def _judge_sends(
    story: Story, journal: Journal, account: str, sent: list[Asked], verdict: Verdict, *, alone: bool
) -> None:
    run = story.run
    whole = journal.tokens(account, story.began, float("inf"))
    ours = [each for each in sent if not _by_a_person(each, story)]
    for earlier, later in itertools.combinations(ours, 2):
        until = min([earlier.until, *(at for at in story.killed_at if at > earlier.came)])
        if later.came < until - WRITTEN_S and not _slept_through(earlier, later, story):
            verdict.wrong.append(f"I1: {account}: two in flight, {earlier.grant} and {later.grant}")
    answered: dict[str, bool] = {}  # and whether it is sure that the answer was read and could be kept
    for each in journal.tokens(account, 0, float("inf")):
        if each.grant != "refresh_token":
            continue
        once_more = run.grant is Grant.LAST_RESORT and answered.get(each.token) is False
        if each.token in answered and run.grant is not Grant.STABLE and not once_more:
            verdict.doubled += 1
            verdict.wrong.append(f"I2: {account}: an answered refresh token came again")
        if each.outcome == "token" or each.token in answered:
            killed = any(each.came < at < each.until + KILLED_WITHIN_S for at in story.killed_at)
            answered[each.token] = (each.whole and not killed) or each.token in answered
    if run.grant is not Grant.LAST_RESORT and any(each.outcome == "reuse" for each in whole):
        verdict.reused += 1
        verdict.wrong.append(f"the provider ended a family of {account} for a second use")
    refused = [each.decided for each in sent if each.grant == "password" and each.outcome == "rejected"]
    if refused and any(each.grant == "password" and each.came > refused[0] for each in sent):
        verdict.wrong.append(f"I8: {account}: a refused password was sent again")
    once = run.fault.family in ("callers", "mass expiry") and run.fault.name in ("many", "hang_up", "none")
    if once and alone and len(sent) != 1:
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
    if story.run.fault.fate is Fate.REPLACED and account == story.connections[0]["unique_id"]:
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
        "reused": verdict.reused, "lost": dict(verdict.lost), "served_s": round(verdict.served_s, 1),
        "beside": verdict.beside,
    }  # fmt: skip
