"""What the audit log and `why` say of a provider's answer: its status, its code, its members' names; never its text.

Rule: what stands here may be read by people who may read no secret. A value of an answer is none of it, and a name that
may be a value is left out.
"""

from __future__ import annotations

import re
from typing import Any, Final

from keyturn.core.answers.answer_body import Body, BodyKind
from keyturn.core.errors import MfaUnsupported
from keyturn.core.problems import Cause
from keyturn.core.redaction.values import looks_random
from keyturn.core.renewal.plan import SendOutcome
from keyturn.engine.send import Sent

MOST_MEMBERS: Final = 8
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,31}")


def answer_facts(sent: Sent) -> dict[str, Any]:
    """Say what was answered to a send that brought no token; nothing where there was no answer.

    Returns:
        `status`; `error`: the OAuth error's code, if it is a plain word; `failure`: the class of the connector's own
        failure that matched; else, of what nothing describes, `members`: the names in a JSON object or form; `cut`: it
        broke off, or is too large; `unreadable`: it is neither JSON nor a form nor one line of text.
    """
    if sent.outcome is SendOutcome.TOKEN or sent.answer is None:
        return {}
    facts: dict[str, Any] = {"status": sent.answer.status}
    provider = sent.error.extensions.get("provider", {}) if sent.error is not None else {}
    code = provider.get("error")
    if code is not None and not looks_random(code):
        facts["error"] = code
    if sent.failure is not None:
        facts["failure"] = sent.failure.value
    if sent.outcome in (SendOutcome.UNCLASSIFIED, SendOutcome.UNCLASSIFIED_SUCCESS):
        if names := _names_in(sent.body):
            facts["members"] = names
        if not sent.answer.complete:
            facts["cut"] = True
        elif not sent.body.readable:
            facts["unreadable"] = True
    return facts


def answered_as(sent: Sent, *, refresh: bool = False) -> str:
    """Name an answer as the audit log does: `ok`, or a code; a further step that is asked for is no failure.

    `refresh`: a refresh token was sent, so that no password was refused.
    """
    if refresh and sent.outcome is SendOutcome.REJECTED:
        return Cause.GRANT_LOST.value
    if sent.challenge is not None or isinstance(sent.error, MfaUnsupported):
        return Cause.CHALLENGE_REQUIRED.value
    return sent.error.code if sent.error is not None else "ok"


def _names_in(body: Body) -> list[str]:
    if body.kind not in (BodyKind.JSON, BodyKind.FORM) or not isinstance(body.value, dict):
        return []
    names = (name for name in body.value if _NAME.fullmatch(name) and not looks_random(name))
    return sorted(names)[:MOST_MEMBERS]
