"""The operations whose calls are struck, and what each may leave behind.

The provider's journal decides; REST says only what a connection claims, and what a caller gets.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from keyturn.adapters.keys.key_file import read_key_file
from keyturn.core.errors import SettingsInvalid
from tests.end_to_end.running import CHECKOUT, Reply
from tests.end_to_end.scripted.connectors import call, shown
from tests.faults.runs.losses import KILLED_WITHIN_S, LOST_STATES, Verdict, verdict_of
from tests.faults.runs.points import Lane, Operation, Point

SERVED_WITHIN_S = 10.0
STORED_WITHIN_S = 15.0
ROTATED_WITHIN_S = 20.0
QUICK_ROTATION = (sys.executable, str(CHECKOUT / "tests/faults/quick_rotation_server.py"))


def within(check: Callable[[], bool], seconds: float = SERVED_WITHIN_S) -> bool:
    """Wait until a check is true; False if it never is."""
    deadline = time.monotonic() + seconds
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def sound(lane: Lane) -> list[str]:
    """Return what is wrong with the database and the audit log as a whole."""
    wrong = []
    if [("ok",)] != (found := lane.rows("PRAGMA integrity_check")):
        wrong.append(f"integrity_check: {found[:3]}")
    if (reply := lane.server.ask("GET", "/v1/audit/verify")).status != 200 or not reply.json()["ok"]:
        wrong.append(f"audit verify: {reply.body[:300]!r}")
    return wrong


def grant_kept(lane: Lane, point: Point, connection: dict[str, Any]) -> list[str]:
    """Return what is wrong with a connection that no end user has ended: it is kept, or says truthfully why not."""
    account, wrong = connection["unique_id"], []
    if not within(lambda: call(lane.server, connection, "echo").status == 200):
        wrong.append(f"not served within ten seconds: {call(lane.server, connection, 'echo').code}")
    within(lambda: _settled(lane, connection))
    seen = shown(lane.server, connection)
    if seen["state"] == "active":
        wrong += _newest(lane, connection)
    elif not point.killed or seen["state"] not in LOST_STATES:
        wrong.append(f"it is {seen['state']}, {seen['reason']}")
    else:
        wrong += _truthfully_lost(lane, account, seen)
    journal = lane.read(account)
    wrong += ["an answered refresh token came again"] * bool(journal.doubled())
    if any(each.outcome == "reuse" for each in journal.asked):
        wrong.append("the provider ended a family by reuse")
    return wrong


def _settled(lane: Lane, connection: dict[str, Any]) -> bool:
    """True if no request of the account is under way, and no renewal is open."""
    under_way = lane.read(connection["unique_id"]).asked
    open_ones = lane.rows(
        "SELECT 1 FROM connections WHERE id = ? AND intent_attempt IS NOT NULL"
        " AND state NOT IN ('uncertain', 'needs_reconnect')",
        connection["id"],
    )
    return not open_ones and all(each.until < float("inf") for each in under_way)


def _newest(lane: Lane, connection: dict[str, Any]) -> list[str]:
    """Return what is wrong with the set that it has: a call shows the access token, a renewal the refresh token."""
    account, wrong = connection["unique_id"], []
    call(lane.server, connection, "echo")
    journal = lane.read(account)
    used = next(each for each in journal.issued if each.access == journal.carried(account))
    newest = max(each.serial for each in journal.issued if each.account == account)
    if used.serial != newest:
        wrong.append(f"a call carried token set {used.serial}, and {newest} is the newest")
    if used.family in lane.provider.dead_families:
        wrong.append("its grant is ended")
    renewed = lane.server.ask("POST", f"/v1/connections/{connection['id']}/renew")
    if renewed.status != 200:
        wrong.append(f"a renewal afterwards was answered {renewed.status} {renewed.code}")
    return wrong


def _truthfully_lost(lane: Lane, account: str, seen: dict[str, Any]) -> list[str]:
    verdict = verdict_of(
        lane.read(account), account, seen["generation"], dead=lane.provider.dead_families, killed_at=lane.killed_at
    )
    if verdict in (Verdict.DELIVERED, Verdict.REFUSED):
        return [f"it was lost, {verdict}: {seen['state']}, {seen['reason']}"]
    return [] if seen["reason"] == "renewal_outcome_unknown" else [f"it says {seen['reason']}"]


def renew(lane: Lane, connection: dict[str, Any]) -> Reply:
    """Renew a connection."""
    return lane.server.ask("POST", f"/v1/connections/{connection['id']}/renew", timeout_s=30)


def renewal_wrong(lane: Lane, point: Point) -> list[str]:
    """Return what a struck renewal left wrong."""
    connection, wrong = point.subject, []
    if point.reply is not None and point.reply.status not in (200, 503):
        wrong.append("neither done nor refused as store_unavailable")
    answered = point.reply is not None and point.reply.status == 200
    if answered and not within(lambda: shown(lane.server, connection)["generation"] > 1):
        wrong.append("answered as renewed, and ten seconds later it is not")
    return wrong + grant_kept(lane, point, connection) + sound(lane)


def log_in(lane: Lane, number: int) -> Reply:
    """Log an account in."""
    return lane.log_in(number)


def login_wrong(lane: Lane, point: Point) -> list[str]:
    """Return what a struck login left wrong: a token set that no connection has and nothing revokes, or a dead end."""
    number, wrong = point.subject, []
    if point.reply is not None and point.reply.status not in (201, 503):
        wrong.append("neither done nor refused as store_unavailable")
    found = lane.server.ask("GET", f"/v1/connections?owner=o{number}").json()["data"]
    if point.reply is not None and point.reply.status == 201 and not found:
        wrong.append("answered as connected, and there is no connection")
    for connection in found:
        wrong += grant_kept(lane, point, connection)
    wrong += no_set_left(lane, point, f"id-{number}", kept=len(found))
    again = lane.log_in(number)
    if again.status != (200 if found else 201):
        wrong.append(f"the next login was answered {again.status} {again.code}")
    elif call(lane.server, again.json(), "echo").status != 200:
        wrong.append("after the next login a call was not served")
    return wrong + no_set_left(lane, point, f"id-{number}", kept=1) + sound(lane)


def no_set_left(lane: Lane, point: Point, account: str, kept: int) -> list[str]:
    """Return what is wrong if more grants of an account live than connections have, and nothing is due to end them."""

    def left() -> set[str]:
        sets = [each for each in lane.read(account).issued if not _lost_at_a_kill(lane, each.at)]
        return {each.family for each in sets} - lane.provider.dead_families

    if within(lambda: len(left()) <= kept + len(lane.revocations() - point.due_before)):
        return []
    return [f"{len(left())} grants of {account} live, {kept} are kept, and no revocation is due"]


def _lost_at_a_kill(lane: Lane, issued_at: float) -> bool:
    """True if the server was killed within a second of the answer that brought this set."""
    return any(issued_at - KILLED_WITHIN_S < at < issued_at + KILLED_WITHIN_S for at in lane.killed_at)


def disconnect(lane: Lane, connection: dict[str, Any]) -> Reply:
    """Disconnect a connection."""
    return lane.server.ask("DELETE", f"/v1/connections/{connection['id']}", timeout_s=30)


def disconnect_wrong(lane: Lane, point: Point) -> list[str]:
    """Return what a struck disconnect left wrong: the tokens are revoked, or the row that revokes them is still due."""
    connection, wrong = point.subject, []
    if point.reply is not None and point.reply.status not in (200, 503):
        wrong.append("neither done nor refused as store_unavailable")
    state = shown(lane.server, connection)["state"]
    if state == "active":
        if point.reply is not None and point.reply.status == 200:
            wrong.append("answered as disconnected, and it is active")
        wrong += grant_kept(lane, point, connection)
        if (again := disconnect(lane, connection)).status != 200:
            wrong.append(f"the next disconnect was answered {again.status} {again.code}")
    elif state not in ("disconnecting", "disconnected"):
        wrong.append(f"it is {state}")
    if (after := call(lane.server, connection, "echo")).status != 410:
        wrong.append(f"a call afterwards was answered {after.status} {after.code}")
    return wrong + _revoked(lane, connection) + sound(lane)


def _revoked(lane: Lane, connection: dict[str, Any]) -> list[str]:
    """Return what is wrong with the end of a connection's grant."""

    def gone() -> bool:
        families = {each.family for each in lane.read(connection["unique_id"]).issued}
        return families <= lane.provider.dead_families

    def due() -> bool:
        return bool(lane.rows("SELECT 1 FROM revocations WHERE connection = ?", connection["id"]))

    return [] if within(gone, 5.0) or due() else ["the grant lives, and no revocation is due"]


def make_key(lane: Lane, _subject: None = None) -> Reply:
    """Make a wrapping key."""
    return lane.server.ask("POST", "/v1/keys", timeout_s=30)


def make_key_wrong(lane: Lane, point: Point) -> list[str]:
    """Return what a struck making of a key left wrong: no half key file, and a key that was answered is there."""
    wrong = []
    keys = _keys(lane)
    if point.reply is not None and point.reply.status == 201 and not keys[point.reply.json()["id"]]["at_hand"]:
        wrong.append("answered as made, and it is not at hand")
    if any(not each["at_hand"] for each in keys.values()):
        wrong.append("a key that the database names is not at hand")
    for path in lane.server.data.glob("keyturn*.key"):
        try:
            read_key_file(path)
        except SettingsInvalid as error:
            wrong.append(f"half a key file: {error}")
    if left_beside(lane):
        restart_a_minute_later(lane)
        wrong += [f"left in the data directory: {each.name}" for each in left_beside(lane)]
    if (again := make_key(lane)).status != 201:
        wrong.append(f"the next key was answered {again.status} {again.code}")
    return wrong + sound(lane)


def standby(lane: Lane) -> str:
    """Return the id of a key that wraps nothing yet; a connection is there whose data key is to be moved."""
    if not lane.kept:
        lane.kept.append(lane.connected())
    made = make_key(lane)
    assert made.status == 201, made.body
    key_id: str = made.json()["id"]
    return key_id


def rotate(lane: Lane, key_id: str) -> Reply:
    """Make a key current, and wait until the job that moves all data keys has ended, or the server."""
    reply = lane.server.ask("POST", f"/v1/keys/{key_id}/rotate", timeout_s=30)
    within(lambda: lane.dead or _rotated(lane), ROTATED_WITHIN_S)
    return reply


def _rotated(lane: Lane) -> bool:
    """True if no rotation is under way."""
    return not lane.rows("SELECT 1 FROM jobs WHERE kind = 'key.rotate' AND state IN ('queued', 'running')")


def _keys(lane: Lane) -> dict[str, dict[str, Any]]:
    return {each["id"]: each for each in lane.server.ask("GET", "/v1/keys").json()["data"]}


def _others(keys: dict[str, dict[str, Any]], key_id: str) -> list[str]:
    """Return the other keys that still wrap something."""
    return [each["id"] for each in keys.values() if each["data_keys"] and each["id"] != key_id]


def rotation_wrong(lane: Lane, point: Point) -> list[str]:
    """Return what a struck rotation left wrong, after it was asked for once more."""
    key_id, wrong = point.subject, []
    if point.reply is not None and point.reply.status not in (202, 503):
        wrong.append("neither begun nor refused as store_unavailable")
    if not within(lambda: _rotated(lane), ROTATED_WITHIN_S):
        wrong.append("the rotation never ended")
    keys = _keys(lane)
    if keys[key_id]["state"] != "current" or _others(keys, key_id):
        again = rotate(lane, key_id)
        keys = _keys(lane)
        if again.status != 202 or keys[key_id]["state"] != "current":
            wrong.append(f"asked for again: {again.status} {again.code}, the key is {keys[key_id]['state']}")
    wrong += [f"{each} still wraps" for each in _others(keys, key_id)]
    ready = lane.server.ask("GET", "/readyz", key=None)
    if ready.status != 200:
        wrong.append(f"not ready: {ready.json()}")
    for connection in lane.kept:
        wrong += grant_kept(lane, point, connection)
    if lane.log_in(lane.account()).status != 201:
        wrong.append("a login failed, whose connector's client is sealed")
    return wrong + sound(lane)


REFUSES = (
    "CREATE TRIGGER refuses BEFORE UPDATE ON connections WHEN NEW.generation > OLD.generation"
    " BEGIN SELECT RAISE(ABORT, 'refused by a rule'); END"
)


def renew_unstored(lane: Lane, connection: dict[str, Any]) -> Reply:
    """Renew while the database refuses the new set, so that a spill file keeps it; then wait until it is stored."""
    lane.execute(REFUSES)
    reply = renew(lane, connection)
    lane.execute("DROP TRIGGER refuses")
    within(lambda: lane.dead or not spilled(lane), STORED_WITHIN_S)
    return reply


def left_beside(lane: Lane, folder: str = "") -> list[Path]:
    """Return the hidden files that a struck call left beside the place that they were written for."""
    return list((lane.server.data / folder).glob(".*"))


def restart_a_minute_later(lane: Lane) -> None:
    """Start the server again as if a minute had passed since it wrote its files; it removes then what it had left."""
    lane.server.stop()
    for each in (*left_beside(lane), *left_beside(lane, "spill")):
        os.utime(each, (each.stat().st_atime, each.stat().st_mtime - 61))
    lane.server.start()


def spilled(lane: Lane) -> list[str]:
    """Return the names in the folder of spill files."""
    return [each.name for each in (lane.server.data / "spill").iterdir()]


def renew_unstored_wrong(lane: Lane, point: Point) -> list[str]:
    """Return what a struck spill file left wrong: the set that lay in it is stored, and the file is gone."""
    lane.execute("DROP TRIGGER IF EXISTS refuses")
    wrong = renewal_wrong(lane, point)
    if point.struck and spilled(lane):  # the server looks for such files as it starts, and once a minute
        restart_a_minute_later(lane)
    if not within(lambda: not spilled(lane)):
        wrong.append(f"left in the folder of spill files: {spilled(lane)}")
    return wrong


RENEWAL = Operation("renewal", Lane.connected, renew, renewal_wrong)
OPERATIONS = (
    Operation("rotation of the key", standby, rotate, rotation_wrong, QUICK_ROTATION),  # the longest first
    RENEWAL,
    Operation("renewal that is spilled", Lane.connected, renew_unstored, renew_unstored_wrong),
    Operation("login", Lane.account, log_in, login_wrong),
    Operation("disconnect", Lane.connected, disconnect, disconnect_wrong),
    Operation("new key", lambda _: None, make_key, make_key_wrong),
)
