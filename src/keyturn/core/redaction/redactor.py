"""What no sink may show: the last step before anything is written to a log, an error, an audit record or a dump.

Rule 1: it never raises. What cannot be read is covered, never shown.
Rule 2: a value is hidden because it is known, because of its name, because of its shape, or because the same record
showed it under a secret name elsewhere.
Rule 3: it is pure: what is known is handed in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from keyturn.core.redaction.encoded import mask_encoded
from keyturn.core.redaction.known import KnownSecrets, Span, find_known
from keyturn.core.redaction.literals import mask_literals
from keyturn.core.redaction.names import PROSE_NAMES
from keyturn.core.redaction.structure import Walk
from keyturn.core.redaction.text import mask_blobs, mask_shapes, may_hold_secrets
from keyturn.core.redaction.traces import Traces, traces_of
from keyturn.core.redaction.values import MASK, is_no_value, looks_random
from keyturn.core.secret import Secret

__all__ = ["MASK", "KnownSecrets", "Redactor"]

_MAX_DEPTH: Final = 3  # JSON in a string in a string; base64 in base64
_SHORTEST_FOUND: Final = 6
_MOST_FOUND: Final = 64
_SPEC: Final = re.compile(r"%(?:\(\w*\))?[-#0 +]*(?:\d+|\*)?(?:\.(?:\d+|\*))?[hlL]?[diouxXeEfFgGcrsa%]")
_LEAD: Final = re.compile(
    rf"(?<![\w-])(?:[\w-]*[_-])?(?:{PROSE_NAMES})s?[\"']?(?P<sign>[ \t]*(?:=|:|is|was|to|=>|->)?)[ \t]*[\"'(]?$",
    re.IGNORECASE,
)


class Redactor:
    """Takes secrets out of texts and structures. One for the whole process; safe in any thread."""

    def __init__(self, known: KnownSecrets | None = None) -> None:
        self._known = known if known is not None else KnownSecrets()

    def redact_text(self, text: str, registered: Iterable[str | Secret] = ()) -> str:
        """Return `text` without secrets.

        Args:
            text: anything that is about to be written.
            registered: values to hide beside the ones in flight, in whatever form.
        """
        try:
            sweep = _Sweep(self._traces(registered))
            return sweep.finished(sweep.text(text))
        except Exception:  # noqa: BLE001  (a log line is lost rather than a password shown)
            return MASK

    def redact_structure(self, value: object, registered: Iterable[str | Secret] = ()) -> object:
        """Return `value` as plain JSON-able data without secrets: dict, list, str, int, float, bool or None.

        Exceptions become objects with `type`, `args`, `notes`, `cause` and `context`; octets become text; other
        objects become their redacted repr.
        """
        try:
            sweep = _Sweep(self._traces(registered))
            return sweep.finished_structure(Walk(sweep.text, sweep.found).value(value))
        except Exception:  # noqa: BLE001  (as above)
            return MASK

    def redact_message(self, message: str, args: object, registered: Iterable[str | Secret] = ()) -> str:
        """Fill `args` into a %-style log message and return it without secrets.

        An argument that follows the name of a secret (`"password %s"`) is one. Arguments that do not fit the message
        are written behind it.
        """
        try:
            sweep = _Sweep(self._traces(registered))
            walk = Walk(sweep.text, sweep.found)
            return sweep.finished(sweep.text(_filled(str(message), args, walk, sweep.found)))
        except Exception:  # noqa: BLE001  (as above)
            return MASK

    def _traces(self, registered: Iterable[str | Secret]) -> tuple[Traces, ...]:
        values = [item.reveal() if isinstance(item, Secret) else item for item in registered]
        return self._known.traces + tuple(t for t in map(traces_of, values) if t is not None)


class _Sweep:
    """One text or structure on its way through; `found` holds what was hidden by name so far."""

    def __init__(self, known: tuple[Traces, ...]) -> None:
        self.known = known
        self.found: list[str] = []
        self._depth = 0

    def text(self, text: str) -> str:
        """Hide what is known, named or shaped like a secret."""
        if self.known:
            text = cover(text, find_known(text, self.known))
        return self._shapes(text)

    def _shapes(self, text: str) -> str:
        if self._depth >= _MAX_DEPTH or not text:
            return text
        self._depth += 1
        try:
            if may_hold_secrets(text):
                if "{" in text or "[" in text:
                    text = mask_literals(text, self._walk)
                text = mask_encoded(mask_shapes(text, self.found), self._shapes, self.found)
            return mask_blobs(text, self.text)
        finally:
            self._depth -= 1

    def _walk(self) -> Walk:
        # What is known was looked for in the text around the literal, through all its escapes.
        return Walk(self._shapes, self.found)

    def finished(self, text: str) -> str:
        """Hide what the record itself gave away under a secret name."""
        traces = self._found_traces()
        return cover(text, find_known(text, traces)) if traces else text

    def finished_structure(self, value: object) -> object:
        """As `finished`, for each text of a structure."""
        traces = self._found_traces()
        return _covered(value, traces) if traces else value

    def _found_traces(self) -> tuple[Traces, ...]:
        values = {v for v in self.found if _SHORTEST_FOUND <= len(v) <= 4096 and _is_telling(v)}
        return tuple(t for t in map(traces_of, sorted(values)[:_MOST_FOUND]) if t is not None)


def _is_telling(value: str) -> bool:
    """A plain word or a small number under a secret name may stand elsewhere in its own right."""
    return not is_no_value(value) and not value.isalpha() and (len(value) >= 8 or value.isdigit())


def _covered(value: object, traces: tuple[Traces, ...]) -> object:
    if isinstance(value, str):
        return cover(value, find_known(value, traces))
    if isinstance(value, dict):
        return {cover(str(k), find_known(str(k), traces)): _covered(v, traces) for k, v in value.items()}
    if isinstance(value, list):
        return [_covered(item, traces) for item in value]
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return MASK if find_known(str(value), traces) else value
    return value


def cover(text: str, spans: list[Span]) -> str:
    """Put MASK in place of `spans`, which may overlap and come in any order."""
    if not spans:
        return text
    pieces: list[str] = []
    done = 0
    for begin, end in sorted(spans):
        if begin >= done:
            pieces += [text[done:begin], MASK]
        done = max(done, end)
    return "".join([*pieces, text[done:]])


def _filled(message: str, args: object, walk: Walk, found: list[str]) -> str:
    if isinstance(args, Mapping):
        shown = walk.value(args)
        return _formatted(message, shown, [shown])
    if args is None or args == ():
        return message
    items = list(args) if isinstance(args, Sequence) and not isinstance(args, (str, bytes)) else [args]
    if len(items) == 1 and isinstance(items[0], Mapping) and "%(" in message:
        return _filled(message, items[0], walk, found)
    leads = _leads(message)
    values = [_argument(item, leads[i] if i < len(leads) else "", walk, found) for i, item in enumerate(items)]
    return _formatted(message, tuple(values), values)


def _leads(message: str) -> list[str]:
    """The text before each placeholder."""
    leads: list[str] = []
    done = 0
    for spec in _SPEC.finditer(message):
        if not spec.group().endswith("%"):
            leads.append(message[max(done, spec.start() - 60) : spec.start()])
        done = spec.end()
    return leads


def _argument(item: object, lead: str, walk: Walk, found: list[str]) -> object:
    named = _LEAD.search(lead) if isinstance(item, (str, int, bytes, float)) and not isinstance(item, bool) else None
    if named is not None:
        text = item.decode("utf-8", "replace") if isinstance(item, bytes) else str(item)
        telling = bool(named["sign"].strip()) or looks_random(text) or (len(text) >= 6 and not text.isalpha())
        if telling and not is_no_value(text):
            found.append(text)
            return MASK
    return walk.value(item)


def _formatted(message: str, args: object, values: list[object]) -> str:
    try:
        return message % args
    except (TypeError, ValueError, KeyError, OverflowError):
        return " ".join([message, *map(str, values)])
