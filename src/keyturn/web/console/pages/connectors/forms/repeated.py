"""Parts of the file that come several times: challenges, requests before the login or of step 4, values on some calls.

Rule 1: each has the same form, and one more that is empty; what is typed into the empty one becomes another at the end.
Rule 2: a part is taken out by its own tick; what an edit of it would have changed as well is of no use then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from keyturn.core.reading.document import pointer_steps
from keyturn.ports.catalogue import ABSENT
from keyturn.web.console.pages.connectors.forms.inputs import Input, Kind, value_at
from keyturn.web.console.pages.connectors.forms.request_inputs import (
    PATH,
    TEMPLATE,
    request_inputs,
    request_more,
    revoke_inputs,
    when_inputs,
)


@dataclass(frozen=True, slots=True)
class Repeated:
    """One of them. `name`: of a member, beside its number. `hint`: what it is for. `about`: what tells them apart."""

    step: int
    pointer: str
    name: str
    hint: str
    inputs: Callable[[str], tuple[Input, ...]]
    about: str
    most: int

    def members(self, document: Any) -> list[Any]:
        """Those that are there; one that stands alone, where the file may also have a list, is the only one."""
        value = value_at(document, self.pointer)
        if isinstance(value, list):
            return value
        return [value] if isinstance(value, Mapping) else []

    def shown(self, document: Any) -> tuple[Input, ...]:
        """The inputs of all of them, and of one more."""
        members = self.members(document)
        alone = isinstance(value_at(document, self.pointer), Mapping)
        found: list[Input] = []
        for n, member in enumerate(members):
            if alone:
                continue  # the step's own inputs are those of the only one
            title = f"{self.name} {n + 1}{self._told(member)}"
            take_out = Input(f"{self.pointer}/{n}", "Take it out", Kind.REMOVE)
            found += [each.in_group(title, self.hint) for each in (*self.inputs(f"{self.pointer}/{n}"), take_out)]
        if len(members) < self.most and (members or self.pointer != "/revoke"):
            title = f"{'Another' if members else 'A'} {self.name.lower()}"
            found += [each.in_group(title, self.hint) for each in self.inputs(f"{self.pointer}/{len(members)}")]
        return tuple(found)

    def _told(self, member: Any) -> str:
        value = value_at(member, self.about)
        return "" if value is ABSENT or value is None else f": {value}"

    def folded(self, document: Any, edits: Mapping[str, Any]) -> dict[str, Any]:
        """Edits of single values as edits of the file: a new member whole, those that are taken out last."""
        members = self.members(document)
        alone = isinstance(value_at(document, self.pointer), Mapping)
        new, gone, rest = f"{self.pointer}/{len(members)}", [], {}
        made: dict[str, Any] = {}
        for pointer, value in edits.items():
            place = self._place(pointer)
            if pointer.startswith(f"{new}/"):
                _put(made, pointer_steps(pointer.removeprefix(new)), value)
            elif place is not None and edits.get(f"{self.pointer}/{place}") is ABSENT:
                gone += [place] if pointer == f"{self.pointer}/{place}" else []
            else:
                rest[pointer] = value
        if gone and len(gone) == len(members):
            return rest | {self.pointer: [made] if made else ABSENT}
        if made and (alone or not members):
            return rest | {self.pointer: [*members, made]}
        if made:
            rest[new] = made
        return rest | {f"{self.pointer}/{n}": ABSENT for n in sorted(gone, reverse=True)}

    def _place(self, pointer: str) -> int | None:
        below = pointer.removeprefix(f"{self.pointer}/") if pointer.startswith(f"{self.pointer}/") else ""
        first = below.partition("/")[0]
        return int(first) if first.isdigit() else None


def _put(made: dict[str, Any], steps: Sequence[str], value: Any) -> None:
    if value is ABSENT:
        return
    for step in steps[:-1]:
        made = made.setdefault(step, {})
    made[steps[-1]] = value


def _before(at: str) -> tuple[Input, ...]:
    return (
        Input(f"{at}/name", "Name", hint="Letters, digits, _ and -; the audit log has it."),
        *request_inputs(at),
        Input(f"{at}/capture", "What its answer gives", Kind.PAIRS, f"{PATH} Afterwards {{{{ NAME }}}}."),
        Input(f"{at}/when", "Only with these values of fields", Kind.PAIRS, "A field's key and its value, or [a, b]."),
        *request_more(at),
    )


def _challenge(at: str) -> tuple[Input, ...]:
    then, poll = f"{at}/then", f"{at}/then/poll"
    return (
        *when_inputs(f"{at}/when"),
        Input(f"{at}/ask", "What the person is asked", Kind.FIELDS, "Nothing: it goes on by itself.", asked=True),
        Input(f"{at}/capture", "What its answer gives", Kind.PAIRS, f"{PATH} Afterwards {{{{ NAME }}}}."),
        Input(f"{then}/extra_params", "Parameters that the next request has besides", Kind.PAIRS, TEMPLATE),
        Input(f"{then}/params", "Or all its parameters", Kind.PAIRS, "In the place of those of the token request."),
        Input(f"{then}/url", "Where the next request goes", hint="Empty: the token URL."),
        Input(
            f"{then}/answers", "What is it answered?", Kind.CHOICE,
            choices={"": "a token, or whatever matches", "challenge": "always a further challenge"},
        ),
        Input(f"{at}/lifetime", "How long the provider waits", hint="Such as 5m, or {from: expires_in}.", plain=True),
        Input(f"{poll}/while", "Confirmed elsewhere: asked again while", hint="JMESPath, true while it waits."),
        Input(f"{poll}/every", "Asked again every", hint="Seconds.", fallback="3", plain=True),
        Input(f"{poll}/for", "At most for", hint="Seconds.", fallback="120", plain=True),
        Input(f"{at}/resend", "The request for another code", Kind.YAML, "Such as {extra_params: {again: true}}."),
        Input(f"{then}/encoding", "How the next request's values are sent", fallback="as at the token URL"),
        Input(f"{then}/method", "Its method", fallback="as at the token URL"),
        Input(f"{then}/headers", "Its headers", Kind.PAIRS),
        *request_more(then),
    )  # fmt: skip


def _revoke(at: str) -> tuple[Input, ...]:
    return (*revoke_inputs(at), *request_more(at))


def _only(at: str) -> tuple[Input, ...]:
    return (
        Input(f"{at}/methods", "Calls with these methods", Kind.LIST, fallback="all"),
        Input(f"{at}/paths", "Calls below these paths", Kind.LIST, "Such as /api/items.", fallback="all"),
        Input(f"{at}/headers", "Headers", Kind.PAIRS),
        Input(f"{at}/query", "Query", Kind.PAIRS),
        Input(f"{at}/body", "Body", Kind.PAIRS),
    )  # fmt: skip


REPEATED: Final = (
    Repeated(
        2, "/token/before", "Request before the login",
        "Finds out a tenant, a nonce or a session, which the token request then uses.", _before, "/name", 10),
    Repeated(
        2, "/challenges", "Challenge",
        "What the provider asks in between: a code, a choice, a confirmation elsewhere.", _challenge, "/when/body", 30),
    Repeated(
        4, "/revoke", "Revoke request", "Sent in this order; each is tried again by itself.", _revoke, "/url", 10),
    Repeated(
        9, "/request/only", "Value on some calls", "Such as a CSRF header on writes.", _only, "/methods", 20),
)  # fmt: skip
