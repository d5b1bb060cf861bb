"""The text of a connector file → a document with positions. JSON is read as the YAML that it is.

Rule 1: YAML 1.2 with the core schema, one document, without aliases, anchors, tags, merge keys and duplicate keys.
Rule 2: the parser's events are read one by one and never composed, so that depth and size are bounded before
anything is built.
Rule 3: a message says what was expected and never repeats the text, nor what the YAML library says about it.

Sources: YAML 1.2.2 section 10.3 (core schema), RFC 8259 for what JSON writes otherwise.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Iterator
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from keyturn.core.errors import Finding
from keyturn.core.reading.codes import Fault
from keyturn.core.reading.document import Document, Position, child_pointer, invalid
from keyturn.core.reading.shapes import MAX_FINDINGS

MAX_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 32

_NULL: Final = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE: Final = frozenset({"true", "True", "TRUE"})
_FALSE: Final = frozenset({"false", "False", "FALSE"})
_INT: Final = re.compile(r"[-+]?[0-9]+")
_OCTAL: Final = re.compile(r"0o[0-7]+")
_HEX: Final = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_MAX_DIGITS: Final = 40
# YAML 1.2.2 section 5.1, c-printable
_NOT_PRINTABLE: Final = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_LINE_ENDS: Final = re.compile("\r\n|[\n\r\x85\u2028\u2029]")

# What the library's complaint begins with → what we say.
_COMPLAINTS: Final = (
    ("mapping values are not allowed", "a text with “: ” in it needs quotes, or this line is indented wrongly"),
    ("found character", "no value begins with this character; put the text in quotes, and indent with blanks only"),
    ("could not find expected ':'", "expected “key: value”"),
    ("expected <block end>", "this line is indented otherwise than those above it"),
    (
        "did not find expected <document start>",
        "expected the end of the file, or indentation that fits the lines above",
    ),
    ("expected ',' or", "expected a comma or the closing bracket of a list or object"),
    ("found unexpected end of stream", "a quotation mark or bracket is not closed"),
    ("found unknown escape", "unknown escape after a backslash; in single quotes a backslash is an ordinary character"),
    ("found duplicate", "a directive stands here twice"),
)


def read_document(text: str | bytes) -> Document:
    """Read one YAML or JSON text.

    Args:
        text: at most 256 KiB of UTF-8; a byte-order mark is passed over.

    Returns:
        Plain values, with line and column of each key and value.

    Raises:
        ConnectorInvalid: `errors` has everything that is wrong; nothing else is raised, whatever the text.
    """
    decoded = _decode(text)
    walk = _Walk(decoded)
    with contextlib.suppress(_Stop):
        try:
            walk.run()
        except MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            position = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
            walk.fault("", Fault.YAML_SYNTAX, _say(str(error.problem)), position)
        except (YAMLError, ValueError, LookupError, AttributeError, TypeError, RecursionError, AssertionError):
            # the library's slips on odd input; its own errors without a place belong here as well
            walk.fault("", Fault.YAML_SYNTAX, "expected YAML 1.2", (1, 1))
    if walk.findings:
        raise invalid(walk.findings)
    return Document(walk.value, walk.positions, walk.keys, walk.texts)


def _say(problem: str) -> str:
    for beginning, words in _COMPLAINTS:
        if problem.startswith(beginning):
            return words
    return "expected YAML 1.2 here"


def _decode(text: str | bytes) -> str:
    try:
        raw = text.encode() if isinstance(text, str) else bytes(text)
        if len(raw) > MAX_BYTES:
            message = f"a connector file has at most {MAX_BYTES // 1024} KiB"
            raise invalid([Finding("", Fault.DOCUMENT_TOO_LARGE.value, message, 1, 1)])
        decoded = raw.decode("utf-8-sig")
    except UnicodeError as error:
        begin = _line_of(error)
        raise invalid([Finding("", Fault.DOCUMENT_NOT_UTF8.value, "expected UTF-8", begin, 1)]) from None
    odd = _NOT_PRINTABLE.search(decoded)
    if odd:
        line, column = _place(decoded, odd.start())
        message = "expected no control characters; in double quotes they are written as escapes"
        raise invalid([Finding("", Fault.YAML_SYNTAX.value, message, line, column)])
    return decoded


def _line_of(error: UnicodeError) -> int:
    """Say in which line the bytes stop being UTF-8."""
    if isinstance(error, UnicodeDecodeError):
        return error.object[: error.start].count(b"\n") + 1
    return error.object[: error.start].count("\n") + 1 if isinstance(error, UnicodeEncodeError) else 1


def _place(text: str, index: int) -> Position:
    line, begin = 1, 0
    for end in _LINE_ENDS.finditer(text, 0, index):
        line, begin = line + 1, end.end()
    return line, index - begin + 1


class _Stop(Exception):
    """There is no use in reading on."""


class _Container:
    """A list or object that is being filled."""

    def __init__(self, pointer: str, value: dict[str, Any] | list[Any]) -> None:
        self.pointer = pointer
        self.value = value
        self.key: str | None = None  # of an object: the key whose value comes next
        self.skip = False  # that key was refused


class _Walk:
    """One walk over the events of a text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._open: list[_Container] = []
        self._documents = 0
        self.value: object = None
        self.findings: list[Finding] = []
        self.positions: dict[str, Position] = {}
        self.keys: dict[str, Position] = {}
        self.texts: dict[str, Position] = {}

    def fault(self, pointer: str, fault: Fault, message: str, position: Position) -> None:
        """Note something wrong."""
        self.findings.append(Finding(pointer, fault.value, message, *position))
        if len(self.findings) >= MAX_FINDINGS:
            raise _Stop

    def run(self) -> None:
        """Read all events; raises what the library raises, or `_Stop`."""
        for event in self._events():
            name = type(event).__name__
            position = (event.start_mark.line + 1, event.start_mark.column + 1)
            if name == "DocumentStartEvent":
                self._begin_document(event, position)
            elif name in ("MappingEndEvent", "SequenceEndEvent"):
                self._open.pop()
            elif name == "AliasEvent":
                self._refuse_alias(position)
            elif name in ("MappingStartEvent", "SequenceStartEvent", "ScalarEvent"):
                self._refuse_decoration(event, position)
                self._node(name, event, position)
        if not self._documents or (self.value is None and not self.findings):
            self.fault("", Fault.DOCUMENT_EMPTY, "expected a connector; the file holds nothing", (1, 1))

    def _events(self) -> Iterator[Any]:
        yaml = YAML(typ="safe", pure=True)
        yaml.allow_duplicate_keys = True  # judged here, with a place of their own
        yield from yaml.parse(self._text)

    def _begin_document(self, event: Any, position: Position) -> None:
        self._documents += 1
        if self._documents > 1:
            self.fault("", Fault.YAML_SEVERAL_DOCUMENTS, "expected one document; the next begins here", position)
            raise _Stop
        if event.version is not None and tuple(event.version) != (1, 2):
            self.fault("", Fault.YAML_SYNTAX, "expected YAML 1.2; leave the %YAML line out", position)

    def _pointer(self) -> str:
        """The pointer of the value that comes next."""
        if not self._open:
            return ""
        top = self._open[-1]
        return child_pointer(top.pointer, len(top.value) if isinstance(top.value, list) else top.key or "")

    def _refuse_alias(self, position: Position) -> None:
        self.fault(self._pointer(), Fault.YAML_ALIAS, "expected the value itself, not an alias (*)", position)
        if self._expects_key():
            self._open[-1].key, self._open[-1].skip = "", True
        else:
            self._put(None)

    def _refuse_decoration(self, event: Any, position: Position) -> None:
        if event.anchor is not None:
            self.fault(
                self._pointer(), Fault.YAML_ALIAS, "expected no anchor (&); write the value where it is used", position
            )
        if event.tag is not None:
            self.fault(self._pointer(), Fault.YAML_TAG, "expected a plain value without a tag (!)", position)

    def _expects_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1].value, dict) and self._open[-1].key is None

    def _node(self, name: str, event: Any, position: Position) -> None:
        if name == "ScalarEvent":
            if self._expects_key():
                self._key(event, position)
            else:
                pointer = self._pointer()
                self._note(pointer, position)
                self._put(self._scalar(event, pointer, position))
            return
        if self._expects_key():
            self.fault(self._open[-1].pointer, Fault.KEY_NOT_TEXT, "expected a text as key", position)
            raise _Stop
        if len(self._open) >= MAX_DEPTH:
            self.fault(self._pointer(), Fault.DOCUMENT_TOO_DEEP, f"expected at most {MAX_DEPTH} levels", position)
            raise _Stop
        pointer = self._pointer()
        self._note(pointer, position)
        container = _Container(pointer, {} if name == "MappingStartEvent" else [])
        self._put(container.value)
        self._open.append(container)

    def _note(self, pointer: str, position: Position) -> None:
        self.positions.setdefault(pointer, position)

    def _put(self, value: object) -> None:
        if not self._open:
            self.value = value
            return
        top = self._open[-1]
        if isinstance(top.value, list):
            top.value.append(value)
            return
        if not top.skip and top.key is not None:
            top.value[top.key] = value
        top.key, top.skip = None, False

    def _key(self, event: Any, position: Position) -> None:
        top = self._open[-1]
        plain = event.style is None or event.style == ""
        key = _joined(event.value)
        pointer = child_pointer(top.pointer, key)
        top.key, top.skip = key, False
        if plain and key == "<<":
            self.fault(top.pointer, Fault.YAML_MERGE_KEY, "expected no merge key (<<)", position)
            top.skip = True
        elif plain and key in _NULL:
            self.fault(top.pointer, Fault.KEY_NOT_TEXT, "expected a text as key", position)
            top.skip = True
        elif isinstance(top.value, dict) and key in top.value:
            self.fault(pointer, Fault.DUPLICATE_KEY, "this key stands here already", position)
            top.skip = True
        else:
            self.keys[pointer] = position

    def _scalar(self, event: Any, pointer: str, position: Position) -> object:
        text = _joined(event.value)
        style = event.style or ""
        begin = event.start_mark.index + (1 if style in ("'", '"') else 0)
        if style not in ("|", ">") and "\n" not in text and self._text.startswith(text, begin):
            self.texts.setdefault(pointer, (position[0], position[1] + begin - event.start_mark.index))
        return self._resolve(text, pointer, position) if style == "" and event.implicit[0] else text

    def _resolve(self, text: str, pointer: str, position: Position) -> object:
        """Give a text without quotes the type that the core schema says."""
        if text in _NULL:
            return None
        if text in _TRUE or text in _FALSE:
            return text in _TRUE
        number: int | float | None = None
        if _INT.fullmatch(text):
            number = int(text) if len(text.lstrip("+-")) <= _MAX_DIGITS else math.inf
        elif _OCTAL.fullmatch(text) or _HEX.fullmatch(text):
            number = int(text, 0) if len(text) <= _MAX_DIGITS else math.inf
        elif _FLOAT.fullmatch(text):
            number = float(text)
        elif _NOT_FINITE.fullmatch(text):
            number = math.inf
        if number is None:
            return text
        if not math.isfinite(number):
            message = "expected a finite number of at most 40 digits; a text like this needs quotes"
            self.fault(pointer, Fault.NUMBER_NOT_FINITE, message, position)
            return 0
        return number


def _joined(text: str) -> str:
    r"""Join the halves of a character that JSON writes as two escapes, such as `\ud83d\ude00`."""
    if not any("\ud800" <= character <= "\udfff" for character in text):
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
