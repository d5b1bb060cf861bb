"""The keys of what is asked of people: fields, username, password, and the questions of a challenge.

Source: the connector format, step 1 and "Challenges".
"""

from __future__ import annotations

from typing import Any, Final

from keyturn.core.connector import FieldType, Keep, PasswordKeep
from keyturn.core.reading.codes import Fault
from keyturn.core.reading.requests import HOST_PATTERN, NAME, NAME_FORM, VALUES
from keyturn.core.reading.shapes import Absent, Cursor, Key, ListOf, Schema, Table
from keyturn.core.reading.values import Boolean, Choice, Expression, MapOf, Pattern, Scalar, Text, Whole

MAX_VALUE: Final = 4_096  # characters of one input
SECRET_TYPES: Final = frozenset({FieldType.SECRET, FieldType.OTP, FieldType.TOTP_SEED})
_WRITTEN: Final = frozenset(FieldType) - {FieldType.CHOICE, FieldType.BOOLEAN, FieldType.NUMBER}

FIELD_TABLE: Final = Table(
    "a field",
    (
        Key("key", Text("a name", 64, pattern=NAME, form=NAME_FORM), "how templates name it", required=True),
        Key("label", Text("a label", 100), "what the person reads", required=True),
        Key("type", Choice(FieldType), "what it takes", default="text"),
        Key("help", Text("text", 1_000, lines=True, empty=True), "a line below the input"),
        Key(
            "choices",
            MapOf(Text("a label", 100), r"[^\x00-\x1f\x7f]{1,200}", "a value", min_items=1),
            "value → label; with type: choice",
        ),
        Key(
            "choices_from",
            Expression(),
            "in a challenge, with type: choice: where its answer lists them, as {value, label} or as texts",
        ),
        Key("default", Scalar(), "what the input holds at first"),
        Key("required", Boolean(), "whether it has to be filled in; a totp_seed never has to", default=True),
        Key("keep", Choice(Keep), "plain, sealed, or never (used once, then forgotten)"),
        Key("pattern", Pattern(), "a regular expression that the whole value has to match"),
        Key("min_length", Whole(1, MAX_VALUE), "in characters"),
        Key("max_length", Whole(1, MAX_VALUE), "in characters"),
        Key(
            "hosts",
            ListOf(HOST_PATTERN, "hosts", 1, 50, unique=True),
            "which hosts the person may give; with type: host",
        ),
        Key("self_hosted", Boolean(), "any public host, shown before the password is asked", default=False),
        Key(
            "visible_when",
            VALUES,
            "asked only while each of these earlier fields of step 1 has the value, or one of the values",
        ),
    ),
)


class FieldShape:
    """A field of step 1, or with `asked` a question of a challenge, which is never kept."""

    def __init__(self, *, asked: bool = False) -> None:
        self._asked = asked

    def read(self, at: Cursor) -> object:
        """Read the keys, then judge whether they fit each other."""
        read = FIELD_TABLE.read(at)
        if not isinstance(read, Absent):
            _judge_choice(at, read, asked=self._asked)
            _judge_default(at, read)
            _judge_written(at, read)
            _judge_host(at, read)
            _judge_keep(at, read, asked=self._asked)
            _judge_seed(at, read, asked=self._asked)
            if self._asked and "visible_when" in read:
                _contradiction(at, "visible_when", "visible_when stands only in a field of step 1")
        return read

    def schema(self) -> Schema:
        """Describe the keys."""
        return FIELD_TABLE.schema()


def _type_of(read: dict[str, Any]) -> FieldType:
    found: FieldType = read.get("type", FieldType.TEXT)
    return found


def _contradiction(at: Cursor, key: str, message: str) -> None:
    at.child(key, None).fault(Fault.CONTRADICTION, message)


def _judge_choice(at: Cursor, read: dict[str, Any], *, asked: bool) -> None:
    given = [key for key in ("choices", "choices_from") if isinstance(at.value, dict) and at.value.get(key) is not None]
    if _type_of(read) is not FieldType.CHOICE:
        for key in given:
            _contradiction(at, key, f"{key} stands only in a field of type choice")
    elif len(given) == 2:
        _contradiction(at, "choices_from", "either choices or choices_from, not both")
    elif "choices_from" in given and not asked:
        _contradiction(at, "choices_from", "choices_from stands only in what a challenge asks")
    elif not given:
        at.fault(Fault.REQUIRED_KEY, "a field of type choice needs the key “choices”: value → label", at_key=True)


def _judge_default(at: Cursor, read: dict[str, Any]) -> None:
    if "default" not in read:
        return
    kind, default = _type_of(read), read["default"]
    below = at.child("default", None)
    if kind in SECRET_TYPES or read.get("keep") in (Keep.SEALED, Keep.NEVER):
        below.fault(Fault.CONTRADICTION, "a value that is sealed or never kept has no default in a file")
    elif not fits(kind, default):
        below.fault(Fault.WRONG_TYPE, f"the default of a field of type {kind} has that type")
    elif kind is FieldType.CHOICE and default not in read.get("choices", {default}):
        below.fault(Fault.WRONG_VALUE, "expected one of the field's choices")


def fits(kind: FieldType, default: object) -> bool:
    """Whether a value of the file has the type that a field's values have."""
    if kind is FieldType.BOOLEAN:
        return isinstance(default, bool)
    if kind is FieldType.NUMBER:
        return isinstance(default, int | float) and not isinstance(default, bool)
    return isinstance(default, str)


def _judge_written(at: Cursor, read: dict[str, Any]) -> None:
    if _type_of(read) not in _WRITTEN:
        for key in ("pattern", "min_length", "max_length"):
            if key in read:
                _contradiction(at, key, f"{key} means nothing for this type of field")
    if read.get("min_length", 1) > read.get("max_length", MAX_VALUE):
        _contradiction(at, "min_length", "min_length is larger than max_length")


def _judge_host(at: Cursor, read: dict[str, Any]) -> None:
    given = [key for key in ("hosts", "self_hosted") if read.get(key)]
    if _type_of(read) is FieldType.HOST:
        if len(given) == 2:
            _contradiction(at, "self_hosted", "either hosts or self_hosted: true, not both")
        missing = isinstance(at.value, dict) and not any(at.value.get(key) for key in ("hosts", "self_hosted"))
        if missing:
            at.fault(
                Fault.HOST_RULE_MISSING,
                "a field of type host needs hosts, such as [“*.example.com”], or self_hosted: true",
                at_key=True,
            )
    else:
        for key in given:
            _contradiction(at, key, f"{key} stands only in a field of type host")


def _judge_keep(at: Cursor, read: dict[str, Any], *, asked: bool) -> None:
    kind, keep = _type_of(read), read.get("keep")
    if keep is None:
        return
    if (asked or kind is FieldType.OTP) and keep is not Keep.NEVER:
        _contradiction(at, "keep", "what a challenge asks, and a one-time code, is never kept")
    elif kind is FieldType.SECRET and keep is Keep.PLAIN:
        _contradiction(at, "keep", "a field of type secret is sealed or never kept")


def _judge_seed(at: Cursor, read: dict[str, Any], *, asked: bool) -> None:
    if _type_of(read) is not FieldType.TOTP_SEED:
        return
    if asked:
        _contradiction(at, "type", "a challenge asks for a code, never for the seed of all codes")
    if read.get("required"):
        _contradiction(at, "required", "a TOTP seed is given only by who wants to; required: true can't be")
    if read.get("keep", Keep.SEALED) is not Keep.SEALED:
        _contradiction(at, "keep", "a TOTP seed is sealed; for a single login ask for the code")
    for key in ("pattern", "min_length", "max_length"):
        if key in read:
            _contradiction(at, key, "a TOTP seed has a form of its own")


FIELDS: Final = ListOf(FieldShape(), "fields", 0, 50)
ASK: Final = ListOf(FieldShape(asked=True), "fields", 0, 10)


USERNAME: Final = Table(
    "username",
    (
        Key("label", Text("a label", 100), "what the person reads", default="Username"),
        Key("type", Choice(FieldType, only=(FieldType.TEXT, FieldType.EMAIL)), "text or email", default="text"),
        Key("help", Text("text", 1_000, lines=True, empty=True), "a line below the input"),
    ),
)

PASSWORD: Final = Table(
    "password",
    (
        Key("label", Text("a label", 100), "what the person reads", default="Password"),
        Key("keep", Choice(PasswordKeep), "whether the password may outlive the login", default="never"),
        Key("reason", Text("text", 1_000, lines=True, empty=True), "why it is kept; the person reads it"),
        Key("help", Text("text", 1_000, lines=True, empty=True), "a line below the input"),
    ),
)
