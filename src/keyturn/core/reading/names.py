"""Which names a connector's templates may use: its own, and those that every connector has.

Rule 1: names are collected from the file as it was given, so that a slip in a field doesn't make its name unknown too.
Rule 2: a name has one kind; `secret_placement` says for each kind where it may stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any, Final

from keyturn.core.templates import Template, TemplateError, parse_filter


class Kind(Enum):
    """What a name stands for."""

    USERNAME = auto()
    PASSWORD = auto()
    CLIENT_ID = auto()
    CLIENT_SECRET = auto()
    ACCESS_TOKEN = auto()
    REFRESH_TOKEN = auto()
    REVOKED_TOKEN = auto()
    REVOKED_HINT = auto()
    KEPT = auto()  # of an answer, by response.keep
    KEPT_HOST = auto()  # the same, where it says which hosts it may name
    KEPT_TOKEN = auto()  # the same, where it is a token under another name
    CLAIM = auto()
    TEST = auto()
    PLAIN_FIELD = auto()
    PLAIN_FIELD_ONCE = auto()  # not kept
    SEALED_FIELD = auto()
    SEALED_FIELD_ONCE = auto()  # secret and not kept
    CODE = auto()  # one-time codes
    SEED = auto()  # a kept TOTP seed: its name stands for the current code
    ASKED = auto()  # in a challenge
    CAPTURED = auto()  # from a challenge's answer
    FOUND_BEFORE = auto()  # captured from the answer of a request that runs before the login
    DERIVED = auto()  # made of others
    GENERATED = auto()  # made once per connection
    REMEMBERED = auto()  # what an earlier login was given


BUILT_IN: Final[Mapping[str, Kind]] = {
    "username": Kind.USERNAME,
    "password": Kind.PASSWORD,
    "client_id": Kind.CLIENT_ID,
    "client_secret": Kind.CLIENT_SECRET,
    "access_token": Kind.ACCESS_TOKEN,
    "refresh_token": Kind.REFRESH_TOKEN,
    "token": Kind.REVOKED_TOKEN,
    "token_type_hint": Kind.REVOKED_HINT,
}
RESERVED: Final = frozenset(BUILT_IN) | {"test", "claims"}


@dataclass(slots=True)
class Names:
    """The names of one connector, each with its kind.

    `fields`: name → the field as it was given. `hosts`: kept host → the same, of the answer. `made_of`: derived name →
    the names that it is made of.
    """

    kinds: dict[str, Kind] = field(default_factory=dict)
    fields: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    made_of: dict[str, tuple[str, ...]] = field(default_factory=dict)
    hosts: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def kind_of(self, path: str) -> Kind | None:
        """Say what a template's path stands for; None where nothing provides it."""
        if path in self.kinds:
            return self.kinds[path]
        if path in BUILT_IN:
            return BUILT_IN[path]
        if path.startswith(("test.", "test[")):
            return Kind.TEST
        if path.startswith("claims."):
            return Kind.CLAIM
        # below a kept or captured value there may be anything
        deeper = re.match(r"(token\.[A-Za-z0-9_-]+|[A-Za-z0-9_-]+)[.\[]", path)
        found = self.kinds.get(deeper.group(1)) if deeper else None
        return found if found in (Kind.KEPT, Kind.CAPTURED, Kind.FOUND_BEFORE) else None

    def leaves(self, path: str) -> tuple[str, ...]:
        """What a template's path comes down to: itself, or all that a derived value is made of."""
        return self.made_of.get(path, (path,))

    def all(self) -> list[str]:
        """Every name that can be written out, for messages."""
        return sorted({*self.kinds, *BUILT_IN, "test.id", "claims.sub"} - {"token", "token_type_hint"})


def collect_names(value: object) -> Names:
    """Walk over a file as it was given, right or wrong."""
    names = Names()
    root = _object(value)
    for one in _objects(root.get("fields")):
        key = one.get("key")
        if isinstance(key, str):
            names.fields.setdefault(key, one)
            names.kinds.setdefault(key, _field_kind(one))
    for made, kind in (("generate", Kind.GENERATED), ("remember", Kind.REMEMBERED)):
        for name in _object(root.get(made)):
            names.kinds.setdefault(name, kind)
    for one in _objects(_object(root.get("token")).get("before")):
        for key in _object(one.get("capture")):
            names.kinds.setdefault(key, Kind.FOUND_BEFORE)
    responses = [_object(root.get(step)).get("response") for step in ("token", "refresh")]
    for one in _objects(root.get("challenges")):
        responses.append(_object(one.get("then")).get("response"))
        for asked in _objects(one.get("ask")):
            key = asked.get("key")
            if isinstance(key, str):
                names.kinds.setdefault(key, Kind.ASKED)
        for key in _object(one.get("capture")):
            names.kinds.setdefault(key, Kind.CAPTURED)
    for name, value in _object(root.get("derive")).items():
        names.kinds.setdefault(name, Kind.DERIVED)
        names.made_of[name] = tuple(_made_of(value))
    for response in responses:
        for name, kind, given in _kept(_object(response)):
            if kind is Kind.KEPT_HOST:
                names.hosts.setdefault(name, {"type": "host", "hosts": given["hosts"]})
            if names.kinds.get(name) not in (Kind.KEPT_TOKEN, Kind.KEPT_HOST):  # in one answer is in all
                names.kinds[name] = kind
    return names


def _field_kind(one: Mapping[str, Any]) -> Kind:
    kind, keep = one.get("type"), one.get("keep")
    if kind == "otp":
        return Kind.CODE
    if kind == "totp_seed":
        return Kind.SEED
    if kind == "secret" or keep == "sealed":
        return Kind.SEALED_FIELD_ONCE if keep == "never" else Kind.SEALED_FIELD
    return Kind.PLAIN_FIELD_ONCE if keep == "never" else Kind.PLAIN_FIELD


def _kept(response: Mapping[str, Any]) -> Iterator[tuple[str, Kind, Mapping[str, Any]]]:
    tokens = {response.get(name) or name for name in ("access_token", "refresh_token")} | {"@"}
    for name, where in _object(response.get("keep")).items():
        is_token = isinstance(where, str) and where.strip() in tokens
        given = _object(where)
        kind = Kind.KEPT_TOKEN if is_token else Kind.KEPT_HOST if "hosts" in given else Kind.KEPT
        yield f"token.{name}", kind, given


def _made_of(value: object) -> Iterator[str]:
    """The names in a derived value, of the parts that can be read."""
    parts = _object(value).get("join") if isinstance(value, Mapping) else [value]
    filters = _object(value).get("filters")
    for part in parts if isinstance(parts, list | tuple) else ():
        try:
            yield from Template.parse(part).names() if isinstance(part, str) else ()
        except TemplateError:
            continue
    for each in filters if isinstance(filters, list | tuple) else ():
        try:
            argument = parse_filter(each).argument if isinstance(each, str) else None
        except TemplateError:
            continue
        if argument is not None:
            yield argument


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _objects(value: object) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, list | tuple):
        yield from (each for each in value if isinstance(each, Mapping))
