"""The inputs of a step's form, and the way from a file to them and back.

Rule 1: a form shows what the file says, not what is assumed where it says nothing; an empty input takes a value out.
Rule 2: what comes out are edits of single values, so that everything else of the file stays as it is.
Rule 3: what an input can't show as it is, such as an object within an object, it shows as YAML and reads as such.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from keyturn.core.errors import ConnectorInvalid, Finding, ValidationFailed
from keyturn.core.reading.document import child_pointer, pointer_steps
from keyturn.ports.catalogue import ABSENT

Read = Callable[[str], Any]  # a YAML text → plain data; raises ConnectorInvalid
SPARE_ROWS: Final = 2
MOST_ROWS: Final = 24


class Kind(StrEnum):
    """What an input takes."""

    TEXT = "text"
    LONG = "long"  # several lines
    CHOICE = "choice"
    NUMBER = "number"
    LIST = "list"  # texts or numbers, separated by commas
    PAIRS = "pairs"  # rows of name and value
    FIELDS = "fields"  # rows of step 1
    RULES = "rules"  # rows of step 7
    YAML = "yaml"  # a part of the file as it stands
    REMOVE = "remove"  # a tick that takes a part out


TABLES: Final = (Kind.PAIRS, Kind.FIELDS, Kind.RULES)  # inputs in rows


@dataclass(frozen=True, slots=True)
class Input:
    """One input. `pointer`: what of the file it holds. `choices`: value → words; the empty one is the default.

    `fallback`: what is assumed where nothing is given, in words.
    """

    pointer: str
    label: str
    kind: Kind = Kind.TEXT
    hint: str = ""
    choices: Mapping[str, str] | None = None
    fallback: str = ""
    numbers: bool = False
    more: bool = False  # seldom needed: stands folded
    raw: bool = False  # the value is put in as it is typed
    plain: bool = False  # a number or an object is read as such
    asked: bool = False  # fields of a challenge, not of step 1
    group: str = ""  # stands folded under this heading
    group_hint: str = ""

    def in_group(self, title: str, hint: str) -> Input:
        """The same under a heading of its own."""
        return replace(self, group=title, group_hint=hint)

    def as_more(self) -> Input:
        """The same among what is seldom needed."""
        return replace(self, more=True)

    @property
    def name(self) -> str:
        """Its name in the form, and the beginning of its ids."""
        return self.pointer.removeprefix("/").replace("/", ".")


DEFAULT: Final = " (the default)"
FIELD_PARTS: Final = (
    "key", "label", "type", "help", "choices", "choices_from", "required", "default", "keep", "pattern", "min_length",
    "max_length", "visible_when", "hosts", "self_hosted",
)  # fmt: skip
RULE_PARTS: Final = ("url", "methods", "deny")


def offered(choices: Mapping[str, str], value: str) -> dict[str, str]:
    """The choices to show: what is the default stands once, as the file has it: said, or left out."""
    plain = choices.get("", "").removesuffix(DEFAULT)
    same = next((key for key, words in choices.items() if key and words == plain and choices[""] != plain), None)
    left_off = "" if value == same else same
    shown = {key: words for key, words in choices.items() if key != left_off}
    return shown if value in choices else shown | {value: value}


def value_at(document: Any, pointer: str) -> Any:
    """The value at a pointer; ABSENT where there is none."""
    for step in pointer_steps(pointer):
        if isinstance(document, Mapping) and step in document:
            document = document[step]
        elif isinstance(document, list) and step.isdigit() and int(step) < len(document):
            document = document[int(step)]
        else:
            return ABSENT
    return document


def texts_of(one: Input, document: Any) -> dict[str, str]:
    """What the file says, as the texts of the form's inputs."""
    value = value_at(document, one.pointer)
    match one.kind:
        case Kind.REMOVE:
            return {f"{one.name}.remove": ""}
        case Kind.PAIRS:
            pairs = list(value.items()) if isinstance(value, Mapping) else []
            return _rows(one, [{"name": str(name), "value": as_text(each)} for name, each in pairs])
        case Kind.FIELDS:
            return _rows(one, [_field_texts(each) for each in value] if isinstance(value, list) else [])
        case Kind.RULES:
            return _rows(one, [_rule_texts(each) for each in value] if isinstance(value, list) else [])
        case Kind.LIST:
            return {one.name: ", ".join(map(as_text, value)) if isinstance(value, list) else ""}
        case Kind.YAML:
            return {one.name: "" if value is ABSENT or value is None else as_yaml(value)}
    return {one.name: "" if value is ABSENT or value is None else as_text(value)}


def edit_of(one: Input, document: Any, form: Mapping[str, str], read: Read) -> dict[str, Any]:
    """The edit that makes the file say what the form says; empty where it does already.

    Raises:
        ValidationFailed: at the input's pointer, where a text can't be read; below it, at `/` and nothing for a row
            that says no name, and at the name for one that stands twice.
    """
    if one.kind is Kind.REMOVE:
        return {one.pointer: ABSENT} if form.get(f"{one.name}.remove") == "1" else {}
    old = value_at(document, one.pointer)
    if one.kind in TABLES:
        _check_rows(one, form)
    if form_texts(one, form) == _without_blank_rows(one, texts_of(one, document)):
        return {}
    new = _read(one, form, old, read)
    if new is ABSENT and old is ABSENT:
        return {}
    return {one.pointer: new}


def form_texts(one: Input, form: Mapping[str, str]) -> dict[str, str]:
    """What of a form belongs to an input, blank rows left out."""
    if one.kind in TABLES:
        mine = {name: text for name, text in form.items() if name.startswith(f"{one.name}.")}
        return _without_blank_rows(one, mine)
    if one.kind is Kind.REMOVE:
        return {}
    return {one.name: _clean(form.get(one.name, ""))}


def rows_in(one: Input, texts: Mapping[str, str]) -> list[dict[str, str]]:
    """The rows of a table of inputs, in their order."""
    found: dict[int, dict[str, str]] = {}
    for name, text in texts.items():
        matched = re.fullmatch(re.escape(one.name) + r"\.(\d{1,3})\.(\w+)", name)
        if matched and int(matched.group(1)) < MOST_ROWS * 2:
            found.setdefault(int(matched.group(1)), {})[matched.group(2)] = _clean(text)
    return [found[n] for n in sorted(found)]


def as_text(value: Any) -> str:
    """A value as an input shows it."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def as_yaml(value: Any, indent: int = 0) -> str:
    """Plain data as YAML that reads back the same: JSON where it is short, else one member a line."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) + indent <= 76 or not isinstance(value, Mapping | list) or not value:
        return flat
    blanks = " " * indent
    if isinstance(value, Mapping):
        return "\n".join(
            f"{blanks}{json.dumps(str(key), ensure_ascii=False)}:{_nested(each, indent)}" for key, each in value.items()
        )
    return "\n".join(f"{blanks}- {as_yaml(each, indent + 2).lstrip(' ')}" for each in value)


def _nested(value: Any, indent: int) -> str:
    text = as_yaml(value, indent + 2)
    return f"\n{text}" if "\n" in text or text.startswith(" ") else f" {text}"


def _rows(one: Input, rows: Sequence[Mapping[str, str]]) -> dict[str, str]:
    return {f"{one.name}.{n}.{part}": text for n, row in enumerate(rows) for part, text in row.items()}


def _without_blank_rows(one: Input, texts: Mapping[str, str]) -> dict[str, str]:
    if one.kind not in TABLES:
        return {name: _clean(text) for name, text in texts.items()}
    rows = [row for row in rows_in(one, texts) if not _is_blank(one, row)]
    return _rows(one, [{part: text for part, text in row.items() if text} for row in rows])


def first_part(one: Input) -> str:
    """What a row of a table goes by."""
    return {Kind.PAIRS: "name", Kind.FIELDS: "key", Kind.RULES: "url"}[one.kind]


def is_unnamed(one: Input, row: Mapping[str, str]) -> bool:
    """Whether something stands in a row that says no name."""
    return not _is_blank(one, row) and not row.get(first_part(one), "").strip()


def _is_blank(one: Input, row: Mapping[str, str]) -> bool:
    return row.get("remove") == "1" or not any(text.strip() for text in row.values())


def _check_rows(one: Input, form: Mapping[str, str]) -> None:
    """What is typed into a row is not dropped without a word."""
    rows = [row for row in rows_in(one, form) if not _is_blank(one, row)]
    if any(is_unnamed(one, row) for row in rows):
        message = f"Give it a {'URL' if one.kind is Kind.RULES else first_part(one)}, or empty the row."
        raise ValidationFailed(errors=[Finding(f"{one.pointer}/", "required", message)])
    names = [row[first_part(one)] for row in rows] if one.kind is Kind.PAIRS else []
    twice = next((each for n, each in enumerate(names) if each in names[:n]), None)
    if twice is not None:
        raise ValidationFailed(errors=[Finding(child_pointer(one.pointer, twice), "duplicate", "It stands twice.")])


def _clean(text: str) -> str:
    return text.replace("\r\n", "\n").strip()


def _field_texts(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        return {}
    texts = {part: as_text(value[part]) for part in FIELD_PARTS if value.get(part) is not None}
    for part in ("choices", "visible_when"):
        if isinstance(value.get(part), Mapping):
            texts[part] = _pairs_text(value[part])
    if isinstance(value.get("hosts"), list):
        texts["hosts"] = ", ".join(map(as_text, value["hosts"]))
    return texts


def _pairs_text(pairs: Mapping[Any, Any]) -> str:
    """`key=value, …`, or JSON where that would not read back the same."""
    simple = all(isinstance(each, str) and each.strip() and not set(each) & set(",=|\n{") for each in pairs.values())
    if simple and not any(set(str(key)) & set(",=") for key in pairs):
        return ", ".join(f"{key}={each}" for key, each in pairs.items())
    return as_text(pairs)


def _rule_texts(value: Any) -> dict[str, str]:
    if isinstance(value, str):
        return {"url": value}
    if not isinstance(value, Mapping):
        return {}
    found = {"url": as_text(value.get("url", ""))}
    if value.get("methods"):
        found["methods"] = ", ".join(map(str, value["methods"]))
    return found | ({"deny": "true"} if value.get("deny") else {})


def _read(one: Input, form: Mapping[str, str], old: Any, read: Read) -> Any:
    if one.kind is Kind.PAIRS:
        return _read_pairs(one, form, old, read)
    if one.kind in (Kind.FIELDS, Kind.RULES):
        make = _field if one.kind is Kind.FIELDS else _rule
        rows = [row for row in rows_in(one, form) if not _is_blank(one, row)]
        olds = _olds(one, old)
        return [
            make(one, row, olds.get(row["key" if one.kind is Kind.FIELDS else "url"], {}), read) for row in rows
        ] or ABSENT
    text = _clean(form.get(one.name, ""))
    if not text:
        return ABSENT
    match one.kind:
        case Kind.NUMBER:
            return _number(one, text)
        case Kind.LIST:
            parts = [part.strip() for part in text.split(",") if part.strip()]
            return [_number(one, part) if one.numbers else part for part in parts]
        case Kind.YAML:
            return _yaml(one.pointer, text, read)
    if one.choices is not None and text in ("true", "false"):
        return text == "true"
    if one.plain:
        return _plain(one, text, read)
    return text if one.raw else _scalar(one.pointer, text, old, read)


def _read_pairs(one: Input, form: Mapping[str, str], old: Any, read: Read) -> Any:
    before = old if isinstance(old, Mapping) else {}
    found: dict[str, Any] = {}
    for row in rows_in(one, form):
        if not _is_blank(one, row):
            name = row["name"]
            found[name] = _scalar(f"{one.pointer}/{name}", row.get("value", ""), before.get(name, ABSENT), read)
    # An empty object says that nothing is sent, where none at all would mean the usual parameters.
    return found if found or isinstance(old, Mapping) else ABSENT


def _olds(one: Input, old: Any) -> dict[str, Mapping[str, Any]]:
    part = "key" if one.kind is Kind.FIELDS else "url"
    members = [each for each in old if isinstance(each, Mapping)] if isinstance(old, list) else []
    return {str(each.get(part)): each for each in members}


def _field(one: Input, row: Mapping[str, str], old: Mapping[str, Any], read: Read) -> dict[str, Any]:
    """A row of step 1; what the form doesn't show of a field (`visible_when`, `hosts` …) stays."""
    found: dict[str, Any] = {name: value for name, value in old.items() if name not in FIELD_PARTS}
    made: dict[str, Any] = {}
    for part in FIELD_PARTS:
        text = row.get(part, "")
        if not text:
            continue
        if part in ("choices", "visible_when") and not text.startswith("{"):
            pairs = [choice.partition("=") for choice in text.split(",") if choice.strip()]
            made[part] = {key.strip(): (label or key).strip() for key, _, label in pairs}
        elif part in ("required", "self_hosted"):
            made[part] = text == "true"
        elif part == "hosts":
            made[part] = [each.strip() for each in text.split(",") if each.strip()]
        elif part in ("min_length", "max_length"):
            made[part] = _number(one, text)
        else:
            made[part] = _scalar(f"{one.pointer}/{row['key']}", text, old.get(part, ABSENT), read)
    return made | found


def _rule(one: Input, row: Mapping[str, str], old: Mapping[str, Any], read: Read) -> Any:
    methods = [each.strip().upper() for each in row.get("methods", "").split(",") if each.strip()]
    if not methods and row.get("deny") != "true":
        return row["url"]
    made: dict[str, Any] = {"url": row["url"]}
    if methods:
        made["methods"] = methods
    return made | ({"deny": True} if row.get("deny") == "true" else {})


def _scalar(pointer: str, text: str, old: Any, read: Read) -> Any:
    """A text, unless it is written as an object or list, or a number or yes and no stood there before.

    What stands there as it was shown stays what it is, blanks around it and all.
    """
    if old is not ABSENT and text == _clean(as_text(old)):
        return old
    if text[:1] in "[{" and not text.startswith("{{") and text:
        return _yaml(pointer, text, read)
    if isinstance(old, bool) and text in ("true", "false"):
        return text == "true"
    if isinstance(old, int | float) and re.fullmatch(r"-?\d{1,15}(\.\d{1,9})?", text):
        return json.loads(text) if not re.match(r"-?0\d", text) else text
    return text


def _plain(one: Input, text: str, read: Read) -> Any:
    """A number, an object, or a text such as 5m."""
    if re.fullmatch(r"\d{1,9}(\.\d{1,3})?", text):
        return _number(one, text)
    return _yaml(one.pointer, text, read) if text.startswith("{") else text


def _number(one: Input, text: str) -> int | float:
    if not re.fullmatch(r"\d{1,12}(\.\d{1,6})?", text):
        raise ValidationFailed(errors=[Finding(one.pointer, "invalid", f"{one.label}: a number is expected.")])
    return float(text) if "." in text else int(text)


def _yaml(pointer: str, text: str, read: Read) -> Any:
    try:
        return read(text)
    except ConnectorInvalid as error:
        found = [
            Finding(pointer, each.code, f"{each.message} (line {each.line} of this input)") for each in error.errors
        ]
        raise ValidationFailed(errors=found) from None
