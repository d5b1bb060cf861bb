"""What a person typed, held against the fields that the connector declares: every error at once.

Rule 1: the same checks in form, REST and CLI; a value is never echoed.
Rule 2: a password is taken byte for byte; it may hold anything but nothing at all.
Rule 3: spaces and dashes in a code are forgiven; a code that has letters keeps its dashes, which may be part of it.
Rule 4: what is wrong has a name besides its English sentence, so that a page can say it in another language.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from keyturn.core.challenges.totp import SeedInvalid, read_seed
from keyturn.core.connector import Field, FieldType, UsernameInput, Values
from keyturn.core.errors import Finding, ValidationFailed, ValueAbsent
from keyturn.core.format.patterns import matches_whole
from keyturn.core.requests.request_url import render_url
from keyturn.core.secret import Secret
from keyturn.core.templates import Reference, Template
from keyturn.core.urls.hostnames import HostError, matches_host, normalise_host

MAX_VALUE_CHARS: Final = 4096
MAX_OWNER_CHARS: Final = 255
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_AUTHORITY_END: Final = re.compile(r"[/?#]")
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+")
# What a value can break, by the name that `Finding.rule` carries; `{limit}` is put in.
RULES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "field_required": "This field is required.",
        "host_needs_it": "The provider's address can't be told without it.",
        "username_required": "A username is required.",
        "username_characters": "A username has no control characters and at most 4096 characters.",
        "password_required": "A password is required.",
        "password_too_long": "A password has at most 4096 characters.",
        "not_boolean": "This is either true or false.",
        "not_number": "This is a number.",
        "not_text": "This is a text.",
        "characters": "A value has at most 4096 characters and no control characters.",
        "not_listed": "Choose one of the listed values.",
        "not_email": "This is no e-mail address.",
        "not_url": "This is no http or https URL.",
        "not_host": "This is no host name, such as api.example.com.",
        "not_pattern": "This does not have the form that the provider uses.",
        "too_short": "This has at least {limit} characters.",
        "too_long": "This has at most {limit} characters.",
        "foreign_host": "This host does not belong to the provider.",
        "not_seed": "This is no TOTP seed: 16 or more letters A to Z and digits 2 to 7, as the provider shows it.",
        "not_shown": "This is not asked with the other values that were given.",
    }
)
_TRUE: Final = frozenset({"true", "on", "yes", "1"})
_FALSE: Final = frozenset({"false", "off", "no", "0"})
_BLANKS: Final = re.compile(r"\s+")
_BETWEEN_DIGITS: Final = re.compile(r"[\s\u2010-\u2015-]+")


class Broken(NamedTuple):
    """A rule of RULES that a value breaks, with the number in it if it has one."""

    rule: str
    limit: int | None = None


def check_fields(fields: Sequence[Field], given: Mapping[str, Any]) -> tuple[dict[str, Any], list[Finding]]:
    """Read the values of the declared fields.

    Args:
        fields: as the connector declares them.
        given: key → text, number, boolean, Secret or None, as it came in.

    Returns:
        The values by key (secrets as Secret; defaults put in; absent optional ones and those of fields that
        `visible_when` hides left out), and what is wrong.
    """
    return _check("/fields", fields, given)


def check_answers(ask: Sequence[Field], answers: Mapping[str, Any]) -> tuple[dict[str, Any], list[Finding]]:
    """Read the answers to a challenge's questions.

    Args:
        ask: the questions, the provider's choices put in.
        answers: key → text, number, boolean, Secret or None, as it came in.

    Returns:
        As `check_fields`; what is wrong points to `/answers/KEY`.
    """
    return _check("/answers", ask, answers)


def is_visible(field: Field, values: Mapping[str, Any]) -> bool:
    """Whether a field is asked, with these values of those before it; the value of a hidden one counts as absent."""
    return holds(field.visible_when, values)


def holds(wanted: Values, values: Mapping[str, Any]) -> bool:
    """Whether each of these fields has one of the values that are wanted of it."""
    return all(values.get(key) in some for key, some in wanted.items())


def _check(where: str, fields: Sequence[Field], given: Mapping[str, Any]) -> tuple[dict[str, Any], list[Finding]]:
    values: dict[str, Any] = {}
    unknown: set[str] = set()  # fields whose value is wrong, or hangs on one that is
    known = {each.key for each in fields}
    # An unknown key is input as well, so it is counted but not echoed.
    errors = [Finding(where, "unknown_field", _known(where, known)) for key in given if key not in known][:1]
    for each in fields:
        raw = given.get(each.key)
        if isinstance(raw, Secret):
            raw = raw.reveal()
        if unknown & each.visible_when.keys():
            unknown.add(each.key)
            continue
        pointer = f"{where}/{each.key}"
        if not is_visible(each, values):
            if raw is not None and raw != "":
                errors.append(_finding(pointer, "not_allowed", Broken("not_shown")))
            continue
        if isinstance(raw, str) and each.type is FieldType.OTP:
            raw = raw.strip()
        if raw is None or raw == "":
            raw = each.default
        if raw is None or raw == "":
            if each.required:
                unknown.add(each.key)
                errors.append(_finding(pointer, "required", Broken("field_required")))
            continue
        value, broken = _read(each, raw)
        if broken:
            unknown.add(each.key)
            errors.append(_finding(pointer, "invalid", broken))
        else:
            values[each.key] = value
    return values, errors


def check_hosts(
    urls: Sequence[Template], values: Mapping[str, Any], *, dotted: frozenset[str] = frozenset()
) -> list[Finding]:
    """Say which values can't stand in the hosts of a connector's URLs, before anything is sent there.

    Args:
        urls: token, refresh, revoke, test, base and allowed URLs; those may begin with `*.`.
        values: of the fields, as `check_fields` read them.
        dotted: names whose value may be several labels of a host.

    Returns:
        One finding for each field, whatever the number of hosts that it stands in.
    """
    found: dict[str, Finding] = {}
    for origin in map(origin_of, urls):
        try:
            if any(origin.references()):
                render_url(origin, values, dotted=dotted, wildcard=True)
        except ValidationFailed as error:
            found.update({each.pointer: each for each in error.errors})
        except ValueAbsent as error:
            pointer = f"/fields/{error.path}"
            found[pointer] = _finding(pointer, "required", Broken("host_needs_it"))
    return list(found.values())


def origin_of(url: Template) -> Template:
    """Cut a checked URL template off behind its host and port."""
    parts: list[str | Reference] = []
    for part in url.parts:
        if isinstance(part, str):
            end = _AUTHORITY_END.search(part, 0 if parts else part.find("://") + 3)
            parts.append(part if end is None else part[: end.start()])
            if end is not None:
                break
        else:
            parts.append(part)
    return Template(url.source, tuple(parts))


def check_username(declared: UsernameInput, given: object) -> list[Finding]:
    """Say what is wrong with a username; it is sent as it is."""
    if not isinstance(given, str) or not given.strip():
        return [_finding("/username", "required", Broken("username_required"))]
    if len(given) > MAX_VALUE_CHARS or _CONTROL.search(given):
        return [_finding("/username", "invalid", Broken("username_characters"))]
    if declared.type is FieldType.EMAIL and not _EMAIL.fullmatch(given.strip()):
        return [_finding("/username", "invalid", Broken("not_email"))]
    return []


def check_password(given: Secret | None) -> list[Finding]:
    """Say what is wrong with a password; it is sent byte for byte."""
    if given is None or not given:
        return [_finding("/password", "required", Broken("password_required"))]
    if len(given.reveal()) > MAX_VALUE_CHARS:
        return [_finding("/password", "invalid", Broken("password_too_long"))]
    return []


def check_owner(given: object) -> list[Finding]:
    """Say what is wrong with an owner's id."""
    if not isinstance(given, str) or not given.strip():
        return [Finding("/owner", "required", "An owner is required: your own id of the person or tenant.")]
    if len(given) > MAX_OWNER_CHARS or _CONTROL.search(given):
        return [Finding("/owner", "invalid", "An owner has 1 to 255 characters and no control characters.")]
    return []


def _read(declared: Field, raw: object) -> tuple[Any, Broken | None]:
    match declared.type:
        case FieldType.BOOLEAN:
            return _boolean(raw)
        case FieldType.NUMBER:
            return _number(raw)
        case _:
            return _text(declared, raw)


def _boolean(raw: object) -> tuple[Any, Broken | None]:
    if isinstance(raw, bool):
        return raw, None
    word = raw.lower() if isinstance(raw, str) else ""
    if word in _TRUE or word in _FALSE:
        return word in _TRUE, None
    return None, Broken("not_boolean")


def _number(raw: object) -> tuple[Any, Broken | None]:
    if isinstance(raw, int | float) and not isinstance(raw, bool) and math.isfinite(raw):
        return raw, None
    if isinstance(raw, str) and re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{1,18})?", raw.strip()):
        text = raw.strip()
        return (float(text) if "." in text else int(text)), None
    return None, Broken("not_number")


def _text(declared: Field, raw: object) -> tuple[Any, Broken | None]:
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        raw = str(raw)
    if not isinstance(raw, str):
        return None, Broken("not_text")
    if len(raw) > MAX_VALUE_CHARS or _CONTROL.search(raw):
        return None, Broken("characters")
    if declared.type is FieldType.TOTP_SEED:
        return _seed(raw)
    secret = declared.type in (FieldType.SECRET, FieldType.OTP)
    value = raw if secret else raw.strip()
    if declared.type is FieldType.OTP:
        value = _code(declared, raw)
    broken = _shape(declared, value) or _length(declared, value)
    if declared.type is FieldType.HOST and not broken:
        value = normalise_host(value)
        broken = _host_allowed(declared, value)
    return (Secret(value) if secret else value), broken


def _seed(raw: str) -> tuple[Any, Broken | None]:
    try:
        return read_seed(Secret(raw)), None
    except SeedInvalid:
        return None, Broken("not_seed")


def _code(declared: Field, raw: str) -> str:
    """A code without what people put between its digits; one that has the provider's own form stays as it is."""
    if declared.pattern is not None and matches_whole(declared.pattern, raw.strip()):
        return raw.strip()
    digits = _BETWEEN_DIGITS.sub("", raw)
    return digits if digits.isdigit() else _BLANKS.sub("", raw)


def _shape(declared: Field, value: str) -> Broken | None:
    match declared.type:
        case FieldType.CHOICE if value not in declared.choices:
            return Broken("not_listed")
        case FieldType.EMAIL if not _EMAIL.fullmatch(value):
            return Broken("not_email")
        case FieldType.URL if not re.fullmatch(r"https?://[^\s/?#@\\]+([/?#][^\s\\]*)?", value, re.IGNORECASE):
            return Broken("not_url")
        case FieldType.HOST:
            try:
                normalise_host(value)
            except HostError:
                return Broken("not_host")
    if declared.pattern is not None and not matches_whole(declared.pattern, value):
        return Broken("not_pattern")
    return None


def _length(declared: Field, value: str) -> Broken | None:
    if declared.min_length is not None and len(value) < declared.min_length:
        return Broken("too_short", declared.min_length)
    if declared.max_length is not None and len(value) > declared.max_length:
        return Broken("too_long", declared.max_length)
    return None


def _host_allowed(declared: Field, host: str) -> Broken | None:
    if declared.self_hosted or matches_host(host, declared.hosts):
        return None
    return Broken("foreign_host")


def _finding(pointer: str, code: str, broken: Broken) -> Finding:
    message = RULES[broken.rule].format(limit=broken.limit)
    return Finding(pointer, code, message, rule=broken.rule, limit=broken.limit)


def _known(where: str, keys: set[str]) -> str:
    if where == "/answers":
        return f"What is asked is: {', '.join(sorted(keys))}." if keys else "Nothing is asked."
    return f"The connector's fields are: {', '.join(sorted(keys))}." if keys else "The connector has no fields."
