"""Secrets that are written down, travel in URLs, or are kept without need; headers that nobody may set."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from keyturn.core.connector import Encoding, FieldType, Keep, PasswordKeep, Strategy
from keyturn.core.lint.findings import LintFinding, found
from keyturn.core.lint.subject import Subject
from keyturn.core.reading.document import pointer_steps
from keyturn.core.reading.names import Kind
from keyturn.core.reading.secret_placement import RULES, is_url

_SECRET_NAME: Final = re.compile(
    r"(?:^|[^a-z])(?:secret|password|passwd|passphrase|pwd|token|api[_-]?key|apikey|private[_-]?key|access[_-]?key"
    r"|credential|otp|pin|seed|bearer|jwt)s?(?:$|[^a-z])",
    re.IGNORECASE,
)
# Names with such a word in them whose value is none.
_HARMLESS_NAME: Final = re.compile(r"token[_-]?(?:type|url|endpoint|format)|(?:type|kind|name|id)$", re.IGNORECASE)
_SECRET_SHAPE: Final = re.compile(
    r"eyJ[A-Za-z0-9_-]{10,}"  # a JWT
    r"|-----BEGIN"
    r"|\b(?:sk|pk|rk|ghp|gho|glpat|xox[abp]|AKIA)[_-]?[A-Za-z0-9]{16,}"
    r"|\b[0-9a-fA-F]{32,}\b"
)
_RANDOM_TEXT: Final = re.compile(r"[A-Za-z0-9+/_=-]{20,}")
_NO_SECRET: Final = re.compile(r"application|multipart|^(?:https?|urn):|/v?\d|\s", re.IGNORECASE)
_AUTHORIZATION: Final = re.compile(r"(?:basic|bearer|token|apikey)\s+\S{6,}", re.IGNORECASE)
# Hop-by-hop (RFC 9110 section 7.6.1), framing, and what names the target.
_RESERVED_HEADERS: Final = frozenset(
    "host content-length transfer-encoding connection keep-alive te trailer upgrade proxy-authorization "
    "proxy-connection expect".split()
)
_TOKENS: Final = frozenset({Kind.ACCESS_TOKEN, Kind.REFRESH_TOKEN, Kind.REVOKED_TOKEN, Kind.KEPT_TOKEN})
_IN_QUERY: Final = _TOKENS | {
    Kind.PASSWORD,
    Kind.CODE,
    Kind.SEED,
    Kind.ASKED,
    Kind.SEALED_FIELD,
    Kind.SEALED_FIELD_ONCE,
}


def lint_secrets(subject: Subject) -> Iterator[LintFinding]:
    """Look at where secrets stand and how long they live."""
    yield from _literals(subject)
    yield from _in_urls(subject)
    yield from _reserved_headers(subject)
    yield from _plain_fields(subject)
    yield from _kept_password(subject)
    yield from _shown(subject)


def _literals(subject: Subject) -> Iterator[LintFinding]:
    for pointer, template in subject.templates():
        literal = "".join(part for part in template.parts if isinstance(part, str))
        if pointer == "/tls/ca":
            continue  # certificates are public, and the reader lets nothing else in
        if is_url(pointer):
            if _SECRET_SHAPE.search(literal):
                yield found("K901", pointer)
        elif looks_secret(pointer_steps(pointer)[-1], literal, whole=not list(template.references())):
            yield found("K901", pointer)


def looks_secret(name: str, literal: str, *, whole: bool) -> bool:
    """Judge a literal by its shape, and where it is a whole value by its name as well."""
    if _SECRET_SHAPE.search(literal):
        return True
    if not whole or len(literal) < 6:
        return False
    if name.lower() in ("authorization", "proxy-authorization", "cookie"):
        return _AUTHORIZATION.search(literal) is not None or name.lower() == "cookie"
    if _SECRET_NAME.search(name) and not _HARMLESS_NAME.search(name):
        return not _NO_SECRET.search(literal) and any(character.isdigit() for character in literal)
    candidate = _RANDOM_TEXT.fullmatch(literal)
    return candidate is not None and not _NO_SECRET.search(literal) and _is_mixed(literal)


def _is_mixed(text: str) -> bool:
    """Whether capitals, small letters and digits stand together as they do in random texts only."""
    digits = sum(character.isdigit() for character in text)
    return digits >= 3 and any(c.isupper() for c in text) and any(c.islower() for c in text)


def _in_urls(subject: Subject) -> Iterator[LintFinding]:
    for pointer, template in subject.templates():
        steps = pointer_steps(pointer)
        in_query = steps[0] == "request" and "query" in (steps[1], *steps[3:4])
        if not in_query and "params" in steps:
            request = subject.requests["/" + "/".join(steps[: steps.index("params")])]
            in_query = request.encoding is Encoding.QUERY
        if (in_query or is_url(pointer)) and subject.kinds(template) & _IN_QUERY:
            yield found("K204", pointer)


def _reserved_headers(subject: Subject) -> Iterator[LintFinding]:
    for pointer, _ in subject.templates():
        steps = pointer_steps(pointer)
        if len(steps) > 1 and steps[-2] == "headers" and steps[-1].lower() in _RESERVED_HEADERS:
            yield found("K902", pointer)


def _plain_fields(subject: Subject) -> Iterator[LintFinding]:
    for index, one in enumerate(subject.connector.fields):
        says_secret = _SECRET_NAME.search(one.key) or _SECRET_NAME.search(one.label)
        if one.type is FieldType.TEXT and one.keep is Keep.PLAIN and says_secret and not _HARMLESS_NAME.search(one.key):
            yield found("K102", f"/fields/{index}")


def _kept_password(subject: Subject) -> Iterator[LintFinding]:
    connector = subject.connector
    if connector.password.keep is PasswordKeep.NEVER:
        if connector.refresh.strategy is not Strategy.REFRESH_ONLY:
            yield found("K303", "/refresh/strategy")
        return
    yield found("K108", "/password/keep")
    if connector.refresh.strategy is Strategy.REFRESH_ONLY:
        yield found("K107", "/password/keep")
        return
    for pointer, template in subject.templates():
        if pointer.startswith("/token") and subject.kinds(template) & {Kind.PLAIN_FIELD_ONCE, Kind.SEALED_FIELD_ONCE}:
            yield found("K209", pointer)


def _shown(subject: Subject) -> Iterator[LintFinding]:
    connector = subject.connector
    for pointer, template in (("/connection_name", connector.connection_name), ("/unique_id", connector.unique_id)):
        for path in template.names():
            kind = subject.names.kind_of(path)
            name = re.split(r"[.\[]", path)[-1]
            if kind is not None and not RULES[kind].secret and kind is not Kind.USERNAME and _says_secret(name):
                yield found("K603", pointer)


def _says_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None and _HARMLESS_NAME.search(name) is None
