"""How each fault is brought about, at its step, while the workload is under way."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from typing import Any

from tests.end_to_end.running import wait_for
from tests.end_to_end.scripted.connectors import sign_in
from tests.faults.runs.armed_server import ALIVE_FOR_S
from tests.faults.runs.bench import Forked
from tests.faults.runs.story import QUICK_S, Story

NOTE: dict[str, Any] = {"point": "send.before", "do": "note"}  # says which process sends
DATABASE_BACK_AFTER_S = 1.3
KILLED_AFTER_S = 0.6  # within a second of the answer
IMPATIENT_S = 2.5
WAIT_S = 1.2


def strike(story: Story) -> None:
    """Run the workload and the fault; afterwards nothing is spoilt any more and every process runs."""
    STRIKES[story.run.fault.name](story)
    story.order("honest_again")
    story.bench.disarm()
    story.bench.all_up()
    story.recover()


def arm(story: Story, *entries: dict[str, Any]) -> None:
    """Arm points for this run's connection, or for all of a fleet."""
    alone = None if story.run.fleet else story.connections[0]["id"]
    story.bench.arm(entries, connection=alone, host=story.host)


def began_at(story: Story, do: str, **more: Any) -> Forked:
    """Begin, and wait until a process has come to the fault's step; gives its server.

    While the provider holds the answer, that process is the one that sent; what befalls it is then the caller's to do.
    """
    step = story.run.fault.step
    if step == "held":
        arm(story, NOTE)
        story.spoil("hold")
        story.start()
        story.held()
        return taker(story, 0)
    point = "settle.before" if step == "fleet" else step
    failing = [{"point": "settle.before", "do": "fail"}] if step.startswith("spill") else []
    arm(story, *failing, {"point": point, "do": do, **more})
    story.start()
    return taker(story, len(failing))


def taker(story: Story, entry: int) -> Forked:
    """The server that came to an armed point."""
    return story.bench.server_of(wait_for(lambda: story.bench.taken(entry), QUICK_S, 0.01))


def kill(story: Story) -> None:
    """SIGKILL; the others are asked to renew before it is started again."""
    server = began_at(story, "die")
    story.dead.add(server.port)
    if story.run.fault.step == "held":
        time.sleep(story.run.event_after_s)
        server.kill()
    wait_for(lambda: not server.alive, QUICK_S, 0.01)
    story.killed_at.append(time.monotonic())
    story.rivals()


def sleep(story: Story) -> None:
    """SIGSTOP until past the lease, while the others are asked; then SIGCONT."""
    server = began_at(story, "stop")
    story.dead.add(server.port)
    if story.run.fault.step == "held":
        os.kill(server.pid, signal.SIGSTOP)
    fell_asleep = time.monotonic()
    try:
        time.sleep(ALIVE_FOR_S / 2)
        story.order("honest_again")
        while time.monotonic() < fell_asleep + ALIVE_FOR_S + 1.5:
            story.rivals()
            time.sleep(0.3)
    finally:
        server.wake()
    story.slept = (fell_asleep, time.monotonic() + 0.5)


def database(story: Story) -> None:
    """Each try at this step fails for a while."""
    began_at(story, "fail")
    time.sleep(DATABASE_BACK_AFTER_S)


def disk_full(story: Story) -> None:
    """Neither the database nor a spill file can be written."""
    arm(story, {"point": "settle.before", "do": "fail"}, {"point": "spill.before", "do": "fail"})
    story.start()
    server = taker(story, 0)
    time.sleep(KILLED_AFTER_S if story.run.fault.name == "disk_full_kill" else DATABASE_BACK_AFTER_S)
    if story.run.fault.name == "disk_full_kill":
        story.dead.add(server.port)
        server.kill()
        story.killed_at.append(time.monotonic())


def term(story: Story) -> None:
    """SIGTERM: what is under way ends first."""
    server = began_at(story, "wait", s=WAIT_S)
    os.kill(server.pid, signal.SIGTERM)
    time.sleep(max(story.run.event_after_s, 0.1))
    story.order("honest_again")
    status = server.ended(30)
    if status != 0:
        story.wrong.append(f"I15: SIGTERM ended in {status}")
        server.kill()
    server.pid = 0
    if story.run.workload != "crowd" and "cut" in story.callers[0].answers.get(server.port, []):
        story.wrong.append("I15: a request was ended half way")
    story.dead.add(server.port)


def wire(story: Story) -> None:
    """The provider, or the way to it, spoils one answer."""
    if story.run.fault.name in ("hang", "hang_after", "drip", "endless"):
        story.bench.knobs(timeout_s=IMPATIENT_S)
    story.spoil(story.run.fault.name)
    story.start()
    wait_for(lambda: not story.order("state")["left"], QUICK_S, 0.02)
    wait_for(lambda: not story.order("state")["spoilt"], QUICK_S, 0.02)


def refused(story: Story) -> None:
    """Nobody listens at the provider's port."""
    story.order("closed", closed=True)
    story.start()
    time.sleep(DATABASE_BACK_AFTER_S)
    story.order("closed", closed=False)


def in_the_middle(what: Callable[[Story], None]) -> Callable[[Story], None]:
    """Somebody does something through another process while the renewal is out."""

    def middle(story: Story) -> None:
        began_at(story, "wait", s=WAIT_S)
        time.sleep(story.run.event_after_s)
        asked_at = time.monotonic()
        what(story)
        story.event = (asked_at, time.monotonic())
        story.order("honest_again")

    return middle


def disconnect(story: Story) -> None:
    """DELETE."""
    reply = story.another.ask("DELETE", f"/v1/connections/{story.connections[0]['id']}")
    if reply.status != 200:
        story.wrong.append(f"I13: disconnect answered {reply.status} {reply.code}")


def pause(story: Story) -> None:
    """POST …/pause."""
    reply = story.another.ask("POST", f"/v1/connections/{story.connections[0]['id']}/pause")
    if reply.status != 200:
        story.wrong.append(f"pause answered {reply.status} {reply.code}")


def reconnect(story: Story) -> None:
    """The person logs in anew."""
    connection = story.connections[0]
    keep: dict[str, Any] = {"keep_password": True} if story.run.grant in ("kept", "password") else {}
    reply = sign_in(story.another, story.connector, "u0", owner=connection["owner"], **keep)
    if (reply.status, reply.json().get("id")) != (200, connection["id"]):
        story.wrong.append(f"a new login answered {reply.status} {reply.code}")


def many(story: Story) -> None:
    """A crowd, and nothing else."""
    story.start()


def hang_up(story: Story) -> None:
    """Half of the crowd hangs up while the provider holds the answer."""
    story.spoil("hold")
    story.start(hang_up=True)
    story.held()
    time.sleep(0.5 + story.run.event_after_s)
    story.order("honest_again")


def grant_over(story: Story) -> None:
    """The provider has ended the grant."""
    story.order("end_grants", account="id-0")
    story.start()
    story.settle()


def password_over(story: Story) -> None:
    """The provider has ended the grant, and the password is another."""
    story.order("password", password="another-password-canary", account="id-0")
    grant_over(story)


def clock(story: Story) -> None:
    """The wall clock is set, and set back when all has settled."""
    by_s = {"clock+1h": 3600.0, "clock-1h": -3600.0}[story.run.fault.name]
    if story.run.fault.step == "held":
        began_at(story, "wait")
        story.bench.knobs(clock_s=by_s)
        story.order("honest_again")
    else:
        story.bench.knobs(clock_s=by_s)
        story.start()
    for callers in story.callers:
        callers.join()
    story.rivals()
    time.sleep(1.2)  # the scheduler looks once a second
    story.bench.knobs()


ON_THE_WIRE = (
    *"lost reset hang hang_after drip slow half endless garbage error500".split(),
    *"plain500 unavailable limited scope client unreadable400".split(),
)
STRIKES: dict[str, Callable[[Story], None]] = {
    "kill": kill,
    "sleep": sleep,
    "database": database,
    "disk_full": disk_full,
    "disk_full_kill": disk_full,
    "term": term,
    **dict.fromkeys(ON_THE_WIRE, wire),
    "refused": refused,
    "disconnect": in_the_middle(disconnect),
    "pause": in_the_middle(pause),
    "reconnect": in_the_middle(reconnect),
    "many": many,
    "hang_up": hang_up,
    "grant_over": grant_over,
    "password_over": password_over,
    "clock+1h": clock,
    "clock-1h": clock,
    "none": many,
}
