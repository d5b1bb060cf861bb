"""The course of one trial: log in (2), test (5), name (6), identify (8), a sample call (9), refresh (3), revoke (4).

Rule 1: every request is built, booked, guarded and read by the parts that connections use; only what is kept differs:
nothing.
Rule 2: every token that came is revoked at the end, however the trial ends.
Rule 3: the first step that fails ends it; what was not tried is said. After the login its author may mend the text and
go on from there, on the tokens that came: no password is sent again, and none is there any more.

Source: the product's rules for logging in; the interfaces' "Try it".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

from keyturn.core.format.writing import digest
from keyturn.engine.builder.course.login import log_in
from keyturn.engine.builder.course.proof import call_once, identify, prove, renew_once
from keyturn.engine.builder.course.revocation import revoke_all
from keyturn.engine.builder.course.state import Stopped, TrialState
from keyturn.engine.builder.trial_trace import COURSE
from keyturn.engine.template_values import login_values

_AFTER_LOGIN: Final[tuple[tuple[int, Callable[[TrialState], Awaitable[None]]], ...]] = (
    (5, prove), (6, identify), (9, call_once), (3, renew_once)
)  # fmt: skip


async def run_course(state: TrialState) -> bool:
    """Run it; returns whether every step that there is passed."""
    with state.held:
        state.know(login_values(state.fields, state.username, state.password, state.client))
        passed = False
        try:
            await log_in(state)
            passed = await _after_login(state)
        except Stopped:
            pass
        return await revoke_all(state) and passed


async def _after_login(state: TrialState) -> bool:
    """The steps that need no password; from one that failed on once more, as often as its text is mended."""
    begin = COURSE[1]
    while True:
        try:
            for step, run in _AFTER_LOGIN:
                if COURSE.index(step) >= COURSE.index(begin):
                    await run(state)
        except Stopped:
            pass
        failed = state.run.failed
        if failed is None:
            return True
        mended = await state.mend() if failed.step in COURSE[1:] else None
        if mended is None:
            return False
        begin = mended.begin
        _record_again(state, begin)
        state.connector = mended.connector
        state.run.digest = digest(mended.connector)


def _record_again(state: TrialState, begin: int) -> None:
    """Forget what was recorded of a step and those after it."""
    requests = {5: "test", 3: "refresh"}
    gone = {requests[step] for step in COURSE[COURSE.index(begin) :] if step in requests}
    state.exchanges[:] = [each for each in state.exchanges if each.request not in gone]
