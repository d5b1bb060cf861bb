"""Structures: objects, lists, exceptions and what they hold, read with the names that stand above each value.

Rule 1: a secret name covers all below it, but for members whose own names are known as harmless.
Rule 2: names also stand beside values: `{"name": …, "value": …}`, pairs in lists, options before their arguments.
Rule 3: what a validation error echoes as its input is hidden whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from keyturn.core.redaction.names import Naming, is_plural, judge_name
from keyturn.core.redaction.values import (
    MASK,
    is_no_value,
    is_prose,
    looks_random,
    mask_cookies,
    mask_credentials,
    mask_user_pair,
)
from keyturn.core.secret import Secret

_DEEPEST: Final = 40
_NAME_KEYS: Final = (
    "name",
    "key",
    "field",
    "header",
    "param",
    "parameter",
    "option",
    "setting",
    "label",
    "variable",
    "path",
    "loc",
    "pointer",
    "property",
)
_VALUE_KEYS: Final = frozenset(
    [
        "value",
        "values",
        "val",
        "v",
        "content",
        "data",
        "default",
        "old",
        "new",
        "before",
        "after",
        "from",
        "to",
        "input",
        "old_value",
        "new_value",
        "current",
        "previous",
        "raw",
        "text",
        "oldvalue",
        "newvalue",
        "actual",
        "received",
        "given",
        "provided",
    ]
)
_ECHO_KEYS: Final = frozenset(["input", "input_value", "rejectedvalue", "rejected_value", "received"])
_ECHO_SIGNS: Final = frozenset({"loc", "msg", "pointer", "ctx", "objectname", "validator"})
_ECHO_PLACES: Final = frozenset({"loc", "pointer", "field", "param", "parameter", "property"})
_ECHO_MESSAGES: Final = frozenset({"msg", "message", "detail", "error", "reason"})
_ECHO_VALUES: Final = frozenset(["value", "actual", "received", "given", "provided", "input"])
_JWK_PARTS: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "k", "oth"})
_UNICODE_ERRORS: Final = frozenset({"UnicodeEncodeError", "UnicodeDecodeError", "UnicodeTranslateError"})
_COVERING: Final = (Naming.SECRET, Naming.COOKIE, Naming.AUTHORIZATION)


class Walk:
    """One structure's way through; `changes` holds each leaf that was rewritten, as text."""

    def __init__(self, redact: Callable[[str], str], found: list[str]) -> None:
        self._redact = redact
        self._found = found
        self.changes: dict[str, str] = {}

    def value(self, value: object, naming: Naming = Naming.UNKNOWN, name: str = "", depth: int = 0) -> object:
        """Return `value` as plain data without secrets; `naming` is what stands above it."""
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, Secret) or depth > _DEEPEST:
            return MASK
        if isinstance(value, str):
            return self._leaf(str(value), naming)
        if isinstance(value, (int, float)):
            return self._number(value, naming, name)
        if isinstance(value, (bytes, bytearray, memoryview)):
            return self._leaf(bytes(value).decode("utf-8", "replace"), naming)
        if isinstance(value, Mapping):
            return self._members(value, naming, depth)
        if isinstance(value, (list, tuple, set, frozenset)):
            return self._items(list(value), naming, name, depth)
        if isinstance(value, BaseException):
            return self._members(_exception_members(value), naming, depth)
        return self._leaf(_shown(value), naming)

    def _leaf(self, text: str, naming: Naming) -> str:
        shown = self._hidden(text, naming)
        if shown != text:
            self.changes[text] = shown
        return shown

    def _hidden(self, text: str, naming: Naming) -> str:
        if naming is Naming.MAYBE:
            naming = Naming.SECRET if looks_random(text) else Naming.UNKNOWN
        if naming in (Naming.SECRET, Naming.CONTAINER):
            if is_no_value(text) or is_prose(text):
                return self._redact(text)
            self._found.append(text)
            return MASK
        if naming is Naming.AUTHORIZATION:
            return self._redact(mask_credentials(text, self._found))
        if naming is Naming.COOKIE:
            return mask_cookies(text, self._found)
        if naming is Naming.PAIR:
            return self._redact(mask_user_pair(text, self._found))
        return self._redact(text)

    def _number(self, value: float, naming: Naming, name: str) -> object:
        if naming in _COVERING and not is_plural(name):
            text = str(value)
            self._found.append(text)
            self.changes[text] = MASK
            return MASK
        shown = self._redact(str(value))
        if shown != str(value):
            self.changes[str(value)] = shown
            return shown
        return value if value == value and abs(value) != float("inf") else str(value)

    def _members(self, members: Mapping[object, object], naming: Naming, depth: int) -> dict[str, object]:
        lower = {str(key).lower(): key for key in members if isinstance(key, str)}
        beside = self._naming_beside(members, lower)
        echo_keys = _echo_keys(lower)
        is_key = "kty" in lower
        result: dict[str, object] = {}
        for key, member in members.items():
            name = (
                key.decode("utf-8", "replace")
                if isinstance(key, bytes)
                else key
                if isinstance(key, str)
                else _shown(key)
            )
            low = name.lower()
            own = _below(naming, judge_name(name))
            if low in _VALUE_KEYS and beside in (*_COVERING, Naming.MAYBE):
                own = beside
            if is_key and low in _JWK_PARTS:
                own = Naming.SECRET
            if low in echo_keys and member is not None:
                self._learn(member)
                shown: object = MASK
            elif (
                low == "args" and "type" in lower and str(members[lower["type"]]).rpartition(".")[2] in _UNICODE_ERRORS
            ):
                shown = self._items(_second_hidden(member), naming, name, depth + 1)
            else:
                shown = self.value(member, own, name, depth + 1)
            result[_fresh(self._redact(name), result)] = shown
        return result

    def _naming_beside(self, members: Mapping[object, object], lower: Mapping[str, object]) -> Naming:
        """What a member like `name` or `loc` says about a member like `value`."""
        if not _VALUE_KEYS & lower.keys():
            return Naming.UNKNOWN
        for key in _NAME_KEYS:
            if key in lower:
                name = members[lower[key]]
                if isinstance(name, (list, tuple)):
                    name = next((part for part in reversed(name) if isinstance(part, str)), "")
                if isinstance(name, bytes):
                    name = name.decode("utf-8", "replace")
                if isinstance(name, str):
                    return judge_name(name.rpartition("/")[2])
        return Naming.UNKNOWN

    def _learn(self, echoed: object) -> None:
        """Take note of an echoed input: the same text may stand elsewhere in the record."""
        if isinstance(echoed, str):
            self.changes[echoed] = MASK
        elif isinstance(echoed, Mapping):
            for name, member in echoed.items():
                if isinstance(member, str):
                    self.changes[member] = MASK
                    if judge_name(str(name)) is Naming.SECRET:
                        self._found.append(member)
                else:
                    self._learn(member)
        elif isinstance(echoed, (list, tuple)):
            for item in echoed:
                self._learn(item)
        elif not isinstance(echoed, bool) and echoed is not None:
            self.changes[str(echoed)] = MASK

    def _items(self, items: list[object], naming: Naming, name: str, depth: int) -> list[object]:
        if naming is Naming.PAIR and len(items) == 2 and isinstance(items[1], (str, bytes)):
            return [self.value(items[0], depth=depth + 1), self.value(items[1], Naming.SECRET, depth=depth + 1)]
        if items and all(isinstance(item, (list, tuple)) and len(item) in (2, 3) for item in items):
            return [self._row(item, naming, depth + 1) for item in items]  # type: ignore[arg-type]
        flat = name.lower() in ("rawheaders", "raw_headers", "headers") and len(items) % 2 == 0
        result: list[object] = []
        before: object = None
        for place, item in enumerate(items):
            own = naming
            if flat and place % 2 and isinstance(before, str) and ":" not in before:
                own = judge_name(before)
            elif isinstance(before, str) and before.startswith("-") and "=" not in before and isinstance(item, str):
                own = self._option_naming(before, item, naming)
            result.append(self.value(item, own, name, depth + 1))
            before = item
        return result

    def _option_naming(self, option: str, argument: str, naming: Naming) -> Naming:
        if option in ("-u", "-U", "--user", "--proxy-user", "-a", "--auth"):
            return Naming.PAIR
        if argument.startswith("-") and judge_name(argument.lstrip("-")) is not Naming.UNKNOWN:
            return naming
        found = judge_name(option.lstrip("-"))
        return found if found in _COVERING else naming

    def _row(self, row: list[object] | tuple[object, ...], naming: Naming, depth: int) -> list[object]:
        """A name and its value, or its old and its new one."""
        first, *others = row
        name = first.decode("utf-8", "replace") if isinstance(first, bytes) else first
        own = _below(naming, judge_name(name)) if isinstance(name, str) else naming
        shown = [self.value(first, naming if naming is Naming.SECRET else Naming.UNKNOWN, "", depth)]
        for other in others:
            is_name = isinstance(other, str) and naming is not Naming.SECRET and judge_name(other) is not Naming.UNKNOWN
            here = Naming.UNKNOWN if own is Naming.SECRET and is_name else own
            shown.append(self.value(other, here, name if isinstance(name, str) else "", depth))
        return shown


def _below(above: Naming, own: Naming) -> Naming:
    """What holds for a member named `own` below a name that is `above`."""
    if above is Naming.COOKIE:
        return Naming.COOKIE if own is Naming.COOKIE else Naming.SECRET
    if above in (Naming.SECRET, Naming.AUTHORIZATION) and own in (
        Naming.UNKNOWN,
        Naming.MAYBE,
        Naming.PAIR,
        Naming.CONTAINER,
    ):
        return Naming.SECRET
    if above is Naming.CONTAINER and own is Naming.UNKNOWN:
        return Naming.MAYBE
    return own


def _echo_keys(members: Mapping[str, object]) -> frozenset[str]:
    """Which members of an object echo a refused input: those of a validation error, by its other members."""
    keys: frozenset[str] = frozenset()
    if _ECHO_SIGNS & members.keys():
        keys |= _ECHO_KEYS
    if _ECHO_PLACES & members.keys() and _ECHO_MESSAGES & members.keys():
        keys |= _ECHO_VALUES
    return keys | {"instance"} if "validator" in members else keys


def _exception_members(error: BaseException) -> dict[object, object]:
    members: dict[object, object] = {"type": type(error).__name__, "args": list(error.args)}
    notes = getattr(error, "__notes__", None)
    if notes:
        members["notes"] = list(notes)
    if error.__cause__ is not None:
        members["cause"] = error.__cause__
    elif error.__context__ is not None and not error.__suppress_context__:
        members["context"] = error.__context__
    if isinstance(error, BaseExceptionGroup):
        members["exceptions"] = list(error.exceptions)
    return members


def _second_hidden(args: object) -> list[object]:
    """The text that could not be encoded is an argument of the error."""
    items = list(args) if isinstance(args, (list, tuple)) else [args]
    return [MASK if place == 1 else item for place, item in enumerate(items)]


def _shown(value: object) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001  (a broken repr must not stop the log)
        return f"<{type(value).__name__}>"


def _fresh(name: str, taken: Mapping[str, object]) -> str:
    shown, count = name, 2
    while shown in taken:
        shown, count = f"{name} ({count})", count + 1
    return shown
