"""The redaction corpus's door: one redactor, the one that production uses, over each kind of case."""

from __future__ import annotations

from collections.abc import Iterator

from keyturn.core.redaction.redactor import Redactor

_REDACTOR = Redactor()


def redact(case: dict[str, object]) -> str:
    """Render the case's input without its secrets, as text: one line for each leaf of a structure."""
    registered = [str(item) for item in case.get("registered") or ()]  # type: ignore[attr-defined]
    given = case["input"]
    if isinstance(given, str):
        return _REDACTOR.redact_text(given, registered)
    if case.get("kind") == "log_record" and isinstance(given, dict) and isinstance(given.get("msg"), str):
        message = _REDACTOR.redact_message(given["msg"], given.get("args"), registered)
        given = {"message": message, **{name: part for name, part in given.items() if name not in ("msg", "args")}}
    shown = _REDACTOR.redact_structure(given, registered)
    return "\n".join(_lines(shown, ""))


def _lines(value: object, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _lines(member, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from _lines(item, f"{path}[{place}]")
    else:
        yield f"{path} = {value}"
