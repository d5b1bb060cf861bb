"""`{{ name }}` and `{{ name | filter }}`: replaced once, never evaluated again.

Rule 1: a template is parsed when its connector is read; rendering is a walk over its parts.
Rule 2: values are data. What a value holds is never looked at for further braces, attributes or code.
Rule 3: a result that took in a `Secret` is a `Secret`; what a preview shows are `Masked` values, by the same walk.

Source: the connector format, "Values and templates".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from keyturn.core.errors import ValueAbsent
from keyturn.core.secret import Secret

PATH: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*(?:\.[A-Za-z_][A-Za-z0-9_-]*|\[\d{1,4}\])*")
_STEP: Final = re.compile(r"\.?([A-Za-z_][A-Za-z0-9_-]*)|\[(\d+)\]")
_TAG: Final = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_FILTER: Final = re.compile(r"([a-z][a-z0-9_]*)(?:\(\s*([^()\s]*)\s*\))?")

PLAIN_FILTERS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "trim": lambda raw: _bytes(_text(raw).strip()),
    "lower": lambda raw: _bytes(_text(raw).lower()),
    "base64": base64.b64encode,
    "base64url": lambda raw: base64.urlsafe_b64encode(raw).rstrip(b"="),
    "hex": lambda raw: raw.hex().encode(),
    # md5 and sha1 are here because providers ask for them; nothing of ours rests on them
    "md5": lambda raw: hashlib.md5(raw, usedforsecurity=False).digest(),
    "sha1": lambda raw: hashlib.sha1(raw, usedforsecurity=False).digest(),
    "sha256": lambda raw: hashlib.sha256(raw).digest(),
}
KEYED_FILTERS: Final = frozenset({"hmac_sha256"})
FILTERS: Final = frozenset(PLAIN_FILTERS) | KEYED_FILTERS
_DIGESTS: Final = frozenset({"md5", "sha1", "sha256", "hmac_sha256"})
_OF_TEXT: Final = frozenset({"trim", "lower"})


class TemplateError(ValueError):
    """The text is no template; `offset` is the index of the character where it stops being one."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Masked:
    """Stands where a secret would, in a preview: shows which one and what was done with it, nothing of it."""

    label: str

    def __str__(self) -> str:
        return f"‹{self.label}›"


@dataclass(frozen=True, slots=True)
class Filter:
    """One step of `{{ name | filter }}`; `argument` names the key of a keyed filter."""

    name: str
    argument: str | None = None

    def __str__(self) -> str:
        return self.name if self.argument is None else f"{self.name}({self.argument})"


@dataclass(frozen=True, slots=True)
class Made:
    """A value that is made of others (`derive`): its parts put together as they are, then filtered as a whole."""

    parts: tuple[Template, ...]
    filters: tuple[Filter, ...] = ()

    def names(self) -> Iterator[str]:
        """Every path that making it reads."""
        for part in self.parts:
            yield from part.names()
        yield from (each.argument for each in self.filters if each.argument is not None)

    def render(self, values: Mapping[str, object]) -> str | Secret | Masked:
        """Make the value; raises ValueAbsent as `Template.render`."""
        whole = Template("", tuple(piece for part in self.parts for piece in part.parts))
        return apply_filters(whole.render(values), self.filters, values) if self.filters else whole.render(values)


@dataclass(frozen=True, slots=True)
class Reference:
    """One `{{ … }}`: a dotted path with `[n]`, and what is done with its value.

    `made`: where the path names a derived value, how it is made; then nothing is looked up under the path itself.
    """

    path: str
    filters: tuple[Filter, ...] = ()
    made: Made | None = None

    @property
    def root(self) -> str:
        """The first name of the path."""
        return re.split(r"[.\[]", self.path, maxsplit=1)[0]

    def names(self) -> Iterator[str]:
        """Every path that this reference reads: its own, or those that it is made of, and its filters' keys."""
        if self.made is None:
            yield self.path
        else:
            yield from self.made.names()
        for each in self.filters:
            if each.argument is not None:
                yield each.argument


@dataclass(frozen=True, slots=True)
class Template:
    """Text with references in it, in the order in which they stand."""

    source: str
    parts: tuple[str | Reference, ...]

    @classmethod
    def parse(cls, text: str) -> Template:
        """Read a template; text without braces is one too.

        Raises:
            TemplateError: a brace pair that is not closed, no name in it, or a filter that does not exist.
        """
        parts: list[str | Reference] = []
        at = 0
        for tag in _TAG.finditer(text):
            _literal(parts, text, at, tag.start())
            parts.append(_reference(tag.group(1), tag.start(1)))
            at = tag.end()
        _literal(parts, text, at, len(text))
        return cls(text, tuple(parts))

    def references(self) -> Iterator[Reference]:
        """Walk over the references, in order."""
        return (part for part in self.parts if isinstance(part, Reference))

    def names(self) -> Iterator[str]:
        """Every path that rendering reads."""
        for reference in self.references():
            yield from reference.names()

    def uses(self, *roots: str) -> bool:
        """Whether a path begins with one of these names."""
        return any(re.split(r"[.\[]", name, maxsplit=1)[0] in roots for name in self.names())

    def bound(self, derived: Mapping[str, Made]) -> Template:
        """Tie each reference to a derived value to how that is made, so that whoever renders needs no more than it."""
        if not derived:
            return self
        parts = [
            replace(part, made=derived.get(part.path)) if isinstance(part, Reference) else part for part in self.parts
        ]
        return Template(self.source, tuple(parts))

    @property
    def only_reference(self) -> Reference | None:
        """The reference, where the whole text is nothing but one."""
        return self.parts[0] if len(self.parts) == 1 and isinstance(self.parts[0], Reference) else None

    def render(self, values: Mapping[str, object]) -> str | Secret | Masked:
        """Put the values in.

        Args:
            values: root name → text, number, boolean, Secret, Masked, or JSON made of them.

        Returns:
            Text; a Secret if any value that it took in was one; a Masked if any was masked.

        Raises:
            ValueAbsent: a path leads to nothing, to null or to an object or list.
        """
        found = [part if isinstance(part, str) else render_reference(part, values) for part in self.parts]
        if any(isinstance(each, Masked) for each in found):
            # A masked part marks itself; what surrounds it is the author's own text.
            whole = "".join("‹secret›" if isinstance(each, Secret) else str(each) for each in found)
            return found[0] if len(found) == 1 and isinstance(found[0], Masked) else MaskedText(whole)
        if any(isinstance(each, Secret) for each in found):
            return Secret("".join(each.reveal() if isinstance(each, Secret) else str(each) for each in found))
        return "".join(str(each) for each in found)


@dataclass(frozen=True, slots=True)
class MaskedText(Masked):
    """Text of the author's around masked values; shows itself as it is."""

    def __str__(self) -> str:
        return self.label


def _literal(parts: list[str | Reference], text: str, start: int, end: int) -> None:
    piece = text[start:end]
    for braces in ("{{", "}}"):
        if braces in piece:
            raise TemplateError(f"“{braces}” has no partner", start + piece.index(braces))
    if piece:
        parts.append(piece)


def _reference(inner: str, offset: int) -> Reference:
    name, *rest = (piece.strip() for piece in inner.split("|"))
    if not PATH.fullmatch(name):
        raise TemplateError("between the braces stands a name such as username or token.account_id", offset)
    filters = []
    for piece in rest:
        filters.append(parse_filter(piece, offset))
    return Reference(name, tuple(filters))


def parse_filter(text: str, offset: int = 0) -> Filter:
    """Read one filter, such as `lower` or `hmac_sha256(client_secret)`; raises TemplateError."""
    match = _FILTER.fullmatch(text)
    if match is None or match.group(1) not in FILTERS:
        raise TemplateError(f"no such filter; there are {', '.join(sorted(FILTERS))}", offset)
    keyed = match.group(1) in KEYED_FILTERS
    argument = match.group(2) or None
    if keyed != (argument is not None) or (argument is not None and not PATH.fullmatch(argument)):
        wanted = "needs the name of its key in parentheses" if keyed else "takes nothing in parentheses"
        raise TemplateError(f"the filter {match.group(1)} {wanted}", offset)
    return Filter(match.group(1), argument)


def look_up(path: str, values: Mapping[str, object]) -> object:
    """Follow a dotted path with `[n]`; None where it leads nowhere. Never touches an attribute."""
    found: object = values
    for step in _STEP.finditer(path):
        name, index = step.groups()
        if name is not None and isinstance(found, Mapping):
            found = found.get(name)
        elif index is not None and isinstance(found, Sequence) and not isinstance(found, str | bytes):
            found = found[int(index)] if int(index) < len(found) else None
        else:
            return None
    return found


def as_text(value: object) -> str | Secret | Masked | None:
    """Say a scalar as text: booleans as true and false, whole floats without a fraction; None for anything else.

    A number that is not finite is nothing that a provider could read.
    """
    match value:
        case bool():
            return "true" if value else "false"
        case str() | Secret() | Masked():
            return value
        case int():
            return str(value)
        case float() if math.isfinite(value):
            return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)
        case _:
            return None


def render_reference(reference: Reference, values: Mapping[str, object]) -> str | Secret | Masked:
    """Put the value of one reference in, through its filters.

    Raises:
        ValueAbsent: the path leads to nothing, to null or to an object or list.
    """
    text = as_text(look_up(reference.path, values)) if reference.made is None else reference.made.render(values)
    if text is None:
        raise ValueAbsent(reference.path)
    return apply_filters(text, reference.filters, values) if reference.filters else text


def apply_filters(
    text: str | Secret | Masked, filters: Sequence[Filter], values: Mapping[str, object]
) -> str | Secret | Masked:
    """Run a value through filters, left to right.

    Digests are raw bytes until a further filter writes them (`hex`, `base64`, `base64url`); one that ends the chain,
    or is followed by a filter of texts (`trim`, `lower`), is written in hex.

    Raises:
        ValueAbsent: the key of a keyed filter leads to nothing.
    """
    tainted = isinstance(text, Secret)
    masked = text.label if isinstance(text, Masked) else None
    raw = b"" if isinstance(text, Masked) else _bytes(text.reveal() if isinstance(text, Secret) else text)
    digest = False
    for each in filters:
        key = None
        if each.argument is not None:
            key = as_text(look_up(each.argument, values))
            if key is None:
                raise ValueAbsent(each.argument)
        if masked is not None or isinstance(key, Masked):
            masked = f"{each}({masked if masked is not None else '…'})"
            continue
        if isinstance(key, Secret):
            tainted = True
        if digest and each.name in _OF_TEXT:
            raw = raw.hex().encode()
        raw = _apply(each.name, raw, key)
        digest = each.name in _DIGESTS
    if masked is not None:
        return Masked(masked)
    result = raw.hex() if digest else _text(raw)
    return Secret(result) if tainted else result


def _apply(name: str, raw: bytes, key: str | Secret | None) -> bytes:
    if key is None:
        return PLAIN_FILTERS[name](raw)
    secret = key.reveal() if isinstance(key, Secret) else key
    return hmac.new(_bytes(secret), raw, hashlib.sha256).digest()


def _bytes(text: str) -> bytes:
    # A lone surrogate, which JSON can hold, must not raise an error that quotes the text; an encoder refuses it later.
    return text.encode("utf-8", "surrogatepass")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")


def mask(values: object, label: str = "") -> object:
    """Copy values with each Secret replaced by a `Masked` that is named by its path; an empty one hides nothing."""
    match values:
        case Secret():
            return Masked(label) if values else ""
        case Mapping():
            return {name: mask(each, f"{label}.{name}" if label else str(name)) for name, each in values.items()}
        case list() | tuple():
            return [mask(each, f"{label}[{n}]") for n, each in enumerate(values)]
        case _:
            return values
