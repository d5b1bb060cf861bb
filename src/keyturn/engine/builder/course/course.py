"""The course of one trial: log in (2), test (5), name (6), identify (8), a sample call (9), refresh (3), revoke (4).

Rule 1: every request is built, booked, guarded and read by the parts that connections use; only what is kept differs:
nothing.
Rule 2: every token that came is revoked at the end, however the trial ends.
Rule 3: the first step that fails ends it; what was not tried is said.

Source: the product's rules for logging in; the interfaces' "Try it".
"""

from __future__ import annotations

from keyturn.engine.builder.course.login import log_in
from keyturn.engine.builder.course.proof import call_once, renew_once, test_and_identify
from keyturn.engine.builder.course.revocation import revoke_all
from keyturn.engine.builder.course.state import Stopped, TrialState
from keyturn.engine.template_values import login_values


async def run_course(state: TrialState) -> bool:
    """Run it; returns whether every step that there is passed."""
    with state.held:
        state.know(login_values(state.fields, state.username, state.password, state.client))
        try:
            token_set = await log_in(state)
            await test_and_identify(state, token_set)
            await call_once(state)
            await renew_once(state, token_set)
            passed = True
        except Stopped:
            passed = False
        return await revoke_all(state) and passed
