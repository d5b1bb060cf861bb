"""From an answer that says no with a good status to the condition by which a connector recognises it.

Rule: of the answer's values only its short word for the refusal is ever taken over; the rest is named by its path.
"""

from __future__ import annotations

from typing import Any, Final

from keyturn.core.answers.json_query import query
from keyturn.core.answers.oauth_errors import safe_word
from keyturn.core.building.near_paths import paths_of

_FLAGS: Final = ("ok", "success", "succeeded", "isSuccess", "authenticated", "valid")
_SAYING: Final = ("error", "errorcode", "error_code", "reason", "code", "message", "status", "result", "type")


def refusal_shape(value: Any) -> str | None:
    """The condition (JMESPath) that holds of this refusal; None where the answer is none.

    Args:
        value: the decoded body.
    """
    if not isinstance(value, dict):
        return None
    flag = next((name for name in _FLAGS if value.get(name) is False), None)
    said = [path for path in paths_of(value) if path.rpartition(".")[2].lower() in _SAYING]
    for path in said:
        word = safe_word(query(path, value))
        if word is not None and (flag is not None or path.rpartition(".")[2].lower().startswith("error")):
            return f"{path} == '{word}'"
    return None if flag is None else f"{flag} == `false`"
