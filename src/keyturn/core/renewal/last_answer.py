"""What the provider answered to a renewal, in words, and the condition by which a connector would know it again.

Rule: an answer is known here by its facts: status, the code of its error, the names of its members. Nothing else of it.

Source: the renewal design, "Outcomes other than a token", for what nothing describes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

# Members by which an answer says no, the plainest first; any other may stand in a good answer as well.
_SAYING: Final = ("error", "errors", "error_code", "errorCode", "code", "reason", "message", "msg", "detail", "title")


def answer_words(answer: Mapping[str, Any]) -> str:
    """Say what was answered, as a sentence; empty where nothing is known. `answer`: as `answer_facts` has it."""
    status = answer.get("status")
    if status is None:
        return ""
    if "error" in answer:
        said = f" and the error {answer['error']}"
    elif "failure" in answer:
        said = f", which the connector takes for {str(answer['failure']).replace('_', ' ')}"
    elif answer.get("cut"):
        said = ", and the answer broke off"
    elif answer.get("unreadable"):
        said = " and an answer that can't be read"
    elif answer.get("members"):
        said = f" and an answer that has: {', '.join(answer['members'])}"
    else:
        said = ""
    return f"The provider answered with status {status}{said}."


def rejected_when(answer: Mapping[str, Any]) -> dict[str, Any] | None:
    """The `rejected_when` that this answer meets, for an author to judge; None where it may be no refusal.

    A refusal of a token is a 4xx; the wait of a 429 is none, nor is what the connector describes already.
    """
    status = answer.get("status")
    if not isinstance(status, int) or not 400 <= status < 500 or status == 429 or "failure" in answer:
        return None
    if answer.get("error"):
        return {"status": [status], "body": f"error == '{answer['error']}'"}
    members = answer.get("members") or ()
    name = next((each for each in _SAYING if each in members), None)
    return {"status": [status], "body": name} if name is not None else {"status": [status]}


def rejected_when_text(when: Mapping[str, Any]) -> str:
    """The condition as it stands in a connector's file."""
    body = f', body: "{when["body"]}"' if "body" in when else ""
    return f"refresh.rejected_when: {{status: {when['status']}{body}}}"
