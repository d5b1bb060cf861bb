"""What a trial run shows: rows of what was sent, what came back and what was found in it, all masked.

Rule 1: a row is made masked; no secret and no person's password is ever in one.
Rule 2: a suggestion is an edit that the author may apply, never one that is made.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, TypeAlias

from keyturn.core.answers.answer_body import BodyKind, decode_body
from keyturn.core.connector import Field
from keyturn.core.messages import Answer, TransportFacts
from keyturn.core.redaction.redactor import Redactor
from keyturn.core.requests.provider_request import Preview
from keyturn.core.secret import Secret

COURSE: Final = (2, 5, 6, 8, 9, 3, 4)  # the steps of a trial, in its order
MOST_SHOWN_CHARS: Final = 64 * 1024
_REDACTOR: Final = Redactor()


class Mark(StrEnum):
    """How a row came out."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


class Phase(StrEnum):
    """How far a run is."""

    RUNNING = "running"
    ASKING = "asking"
    HELD = "held"  # a step after the login failed; the tokens are there for a while, to go on from it
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Blank:
    """What a suggestion leaves to the author: `at` is the place of it in the value."""

    label: str
    hint: str
    at: tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """An edit that would help: `words` say what it does, `pointer` and `value` what is changed."""

    words: str
    pointer: str
    value: Any
    blank: Blank | None = None

    def filled(self, text: str) -> Any:
        """The value with the author's text in the blank; without a blank as it is."""
        return self.value if self.blank is None else _put(self.value, self.blank.at, text)


Diagnosis: TypeAlias = "tuple[str, Suggestion | None]"  # in a sentence, and what would mend it


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a trace. `request` and `answer` are masked texts; `ms`: how long the answer took.

    `found`: name, shown value and the path that found it; empty where none did. `diagnosis`: why it failed; of a row
    that did not, what its author should look at all the same. `transport`: how the request travelled. `redirects_to`:
    the host that the answer points to, which nobody has followed; empty where it points to none.
    """

    mark: Mark
    step: int
    title: str
    text: str = ""
    method: str = ""
    url: str = ""
    status: int | None = None
    ms: int | None = None
    request: str = ""
    answer: str = ""
    found: tuple[tuple[str, str, str], ...] = ()
    diagnosis: str = ""
    suggestion: Suggestion | None = None
    transport: TransportFacts | None = None
    redirects_to: str = ""

    @property
    def travelled(self) -> tuple[tuple[str, str], ...]:
        """How the request travelled and where its answer points, as names and words."""
        found = [] if self.transport is None else transport_words(self.transport)
        if self.redirects_to:
            found.append(("Redirect", f"points to {self.redirects_to}; not followed"))
        return tuple(found)


@dataclass(slots=True)
class TrialRun:
    """One run as everybody who may see it sees it. `digest`: of the connector that is tried; times are Unix seconds.

    `ask`: what the person is asked at the moment; `asked_again`: why once more, in words; `resendable`: whether the
    provider can be asked for another code. `version`: rises with each change, for who waits for the next one.
    `test_answer_paths`: what the test's answer holds, and `test_answer` itself, masked.
    `ends_at`: when what is asked, or held, is over.
    """

    id: str
    connector: str
    digest: str
    actor: str
    started_at: float
    hosts: tuple[str, ...] = ()
    rows: list[Row] = field(default_factory=list)
    phase: Phase = Phase.RUNNING
    passed: bool = False
    ask: tuple[Field, ...] = ()
    ends_at: float | None = None
    resendable: bool = False
    fixture: Mapping[str, Any] | None = None  # once it has ended: what was exchanged, made up, for replays
    asked_again: str = ""
    version: int = 0
    test_answer_paths: tuple[str, ...] = ()
    test_answer: Any = None
    name: str = ""
    unique_id: str = ""

    @property
    def failed(self) -> Row | None:
        """The first row that failed."""
        return next((each for each in self.rows if each.mark is Mark.FAILED), None)

    def take_back(self, changed: int | None) -> int:
        """Forget the rows from the step that failed on, or from one before that is `changed`; which step that is."""
        failed = self.failed
        assert failed is not None
        begin = 6 if failed.step == 8 else failed.step
        if changed is not None:
            begin = min(begin, changed, key=COURSE.index)
        again = COURSE[COURSE.index(begin) :]
        self.rows[:] = [each for each in self.rows if each.step not in again]
        return begin

    @property
    def not_reached(self) -> tuple[int, ...]:
        """The steps of which there is no row, in the order in which a trial takes them; none while it runs."""
        if self.phase in (Phase.RUNNING, Phase.ASKING):
            return ()
        shown = {each.step for each in self.rows}
        return tuple(step for step in COURSE if step not in shown)


def transport_words(facts: TransportFacts) -> list[tuple[str, str]]:
    """How a request travelled, in words."""
    way = [facts.family, "private network" if facts.private else "", "the operator's proxy" if facts.by_proxy else ""]
    found = [("Address", ", ".join(each for each in way if each))]
    tls = facts.tls
    if tls is None:
        return [*found, ("TLS", "none: plain http")]
    found.append(("TLS", f"{tls.version}, {tls.cipher}"))
    if tls.subject:
        found.append(("Certificate", f"{tls.subject}, issued by {tls.issuer or 'nobody who is named'}"))
    if tls.ends_at is not None:
        found.append(("Valid until", f"{datetime.fromtimestamp(tls.ends_at, UTC):%Y-%m-%d %H:%M} UTC"))
    trusted = "the connector's own authorities (step 2, TLS)" if tls.own_authorities else "this machine's authorities"
    return [*found, ("Trusted by", trusted)]


def _put(value: Any, at: tuple[str | int, ...], text: str) -> Any:
    """A copy with a text at a place."""
    if not at:
        return text
    copy: Any = dict(value) if isinstance(value, Mapping) else list(value)
    copy[at[0]] = _put(copy[at[0]], at[1:], text)
    return copy


def request_text(preview: Preview) -> str:
    """A masked request as it goes over the wire, as far as an author has a say in it."""
    target = preview.url.partition("://")[2]
    host, slash, rest = target.partition("/")
    lines = [f"{preview.method} {slash}{rest} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in preview.headers]
    return cut("\n".join([*lines, "", preview.body] if preview.body else lines))


def answer_text(answer: Answer, secrets: Iterable[Secret]) -> str:
    """An answer with its secrets taken out, whether they are known, named or only look like one."""
    known = list(secrets)
    shown = _REDACTOR.redact_structure(dict(answer.headers), known)
    lines = [f"{name}: {value}" for name, value in shown.items()] if isinstance(shown, dict) else []
    return cut("\n".join([f"HTTP {answer.status}", *lines, "", _body(answer, known)]).rstrip())


def masked_value(value: Any, secrets: Iterable[Secret]) -> Any:
    """A decoded answer with its secrets taken out."""
    return _REDACTOR.redact_structure(value, list(secrets))


def masked_text(text: str, secrets: Iterable[Secret]) -> str:
    """A text with its secrets taken out."""
    return _REDACTOR.redact_text(text, list(secrets))


def shown_value(value: object, name: str) -> str:
    """A value that was found: a secret by its name alone."""
    return f"‹{name}›" if isinstance(value, Secret) else cut(_REDACTOR.redact_text(str(value)), 200)


def cut(text: str, most: int = MOST_SHOWN_CHARS) -> str:
    """At most so many characters, and a word on what was left out."""
    return text if len(text) <= most else text[:most] + "\n… cut here"


def _body(answer: Answer, known: list[Secret]) -> str:
    if not answer.complete:
        return "(the body was cut short, or is too large)"
    body = decode_body(answer)
    if body.kind is BodyKind.JSON:
        return json.dumps(_REDACTOR.redact_structure(body.value, known), indent=2, ensure_ascii=False)
    # Cut before it is looked through as well: a body of a megabyte takes its time, and none of the rest is shown.
    return _REDACTOR.redact_text(answer.body[: 2 * MOST_SHOWN_CHARS].decode("utf-8", "replace"), known)
