"""The middle of a login on the command line: questions of the provider, and waiting for a confirmation elsewhere.

Rule 1: a code is asked for without being shown, or read from standard input; it never stands on the command line.
Rule 2: where nobody can be asked and nothing was given, the challenge is written and the command ends with an exit code
of its own: `keyturn connection answer` goes on.
Rule 3: an answer that was refused is not sent again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import click

from keyturn.cli.api_client import Answer, ApiClient, path_of
from keyturn.cli.failures import CHALLENGED, OK, ProblemAnswered
from keyturn.cli.output import one_line, say_json, tell
from keyturn.cli.secret_input import next_line
from keyturn.cli.terminal import ask, ask_choice, ask_secret, can_ask
from keyturn.cli.times import when
from keyturn.cli.waiting import Waiting
from keyturn.core.secret import Secret

HIDDEN: Final = frozenset({"otp", "secret", "totp_seed"})
LOOKS_EVERY_S: Final = 1.0
_INSTEAD: Final = "Give --answer KEY=VALUE, or KEY=- for what comes on standard input."
_GRACE_S: Final = 30.0  # for the provider's last answer, after the challenge's own time

Given = str | Secret | bool | int | float


class Show(Protocol):
    """Writes a connection, for people or as JSON."""

    def __call__(self, document: Mapping[str, Any], *, as_json: bool) -> None:
        """Write it."""
        ...


class FromStdin:
    """Stands for an answer that the next line of standard input brings."""


def given_answers(words: tuple[str, ...]) -> dict[str, str | FromStdin]:
    """Read `KEY=VALUE` and `KEY=-`; UsageError names no value."""
    found: dict[str, str | FromStdin] = {}
    for each in words:
        key, sign, value = each.partition("=")
        if not sign or not key.isascii() or not key.isidentifier():
            raise click.UsageError("An answer is written KEY=VALUE, or KEY=- for a line of standard input.")
        if key in found:
            raise click.UsageError(f"{key} is given twice.")
        found[key] = FromStdin() if value == "-" else value
    return found


def refuse_shown(given: Mapping[str, object], kinds: Mapping[str, str]) -> None:
    """Refuse a code on the command line. `kinds`: key → type of what is asked."""
    for key, value in given.items():
        if isinstance(value, str) and kinds.get(key) in HIDDEN:
            raise click.UsageError(
                f"{key} is a code, and a command line is seen by every program of this machine: write --answer {key}=-"
                " and send it on standard input, or leave it out to be asked."
            )


@dataclass(slots=True)
class Course:
    """A login from its first challenge to its end. `waits`: also where nobody sees it wait.

    `client_address`: of the person, for a provider that asks for it.
    """

    client: ApiClient
    show: Show
    as_json: bool
    given: dict[str, str | FromStdin] = field(default_factory=dict)
    waits: bool = False
    client_address: str | None = None

    def go_on(self, reply: Answer) -> int:
        """Go on after an answer to a login: show the connection, or meet the challenge in it."""
        while reply.status == 202:
            challenge = _mapping(reply.members.get("challenge"))
            _tell_error(challenge)
            following = self._meet(challenge)
            if isinstance(following, int):
                return following
            reply = following
        if reply.status == 200 and not self.as_json:
            tell("This account was connected already; the connection has new tokens now.")
        self.show(reply.members, as_json=self.as_json)
        return OK

    def resume(self, challenge_id: str) -> int:
        """Go on with a challenge that was met before; the answers to it stand in `given`."""
        state = self.client.get(path_of("challenges", challenge_id)).members
        if state.get("state") == "waiting" and _questions(state):
            following = self._meet(state)
            return following if isinstance(following, int) else self.go_on(following)
        return self._ended(self._waited(state))

    def _meet(self, challenge: Mapping[str, Any]) -> Answer | int:
        questions = _questions(challenge)
        if not questions:
            if self.as_json and not self.waits and not can_ask():
                return self._left(challenge)
            return self._ended(self._waited(challenge))
        refuse_shown(self.given, {str(each.get("key")): str(each.get("type")) for each in questions})
        place = path_of("challenges", str(challenge.get("id")))
        answers: dict[str, Given] = {}
        for each in questions:
            value = self._answer_to(each, resend=challenge.get("resend") is True)
            if value is None:
                return self._left(challenge)
            if _is_empty(value) and challenge.get("resend") is True and each.get("type") == "otp":
                return self.client.send("POST", f"{place}/resend")
            if not _is_empty(value):
                answers[str(each.get("key"))] = value
        told = {} if self.client_address is None else {"client_address": self.client_address}
        return self.client.send("POST", place, {"answers": answers, **told})

    def _answer_to(self, question: Mapping[str, Any], *, resend: bool) -> Given | None:
        """The answer to one question; empty where the person gave none, None where nobody could be asked."""
        key, kind = str(question.get("key")), str(question.get("type"))
        given = self.given.get(key)
        if isinstance(given, FromStdin):
            if (line := next_line()) is not None:
                return Secret(line) if kind in HIDDEN else _typed(line, kind)
        elif given is not None:
            del self.given[key]
            return _typed(given, kind)
        if not can_ask():
            return None if question.get("required") is not False else ""
        return _asked(question, kind, resend=resend)

    def _left(self, challenge: Mapping[str, Any]) -> int:
        """Say how to go on later."""
        if self.as_json:
            say_json({"challenge": challenge})
            return CHALLENGED
        keys = [one_line(each.get("key")) for each in _questions(challenge)]
        labels = ", ".join(one_line(each.get("label")) for each in _questions(challenge))
        tell(f"The provider asks for: {labels or 'a confirmation on another device'}.")
        words = "".join(f" --answer {key}=-" for key in keys)
        tell(f"Go on with: keyturn connection answer {one_line(challenge.get('id'))}{words}")
        tell(f"It ends {when(challenge.get('expires_at'))}.")
        return CHALLENGED

    def _waited(self, challenge: Mapping[str, Any]) -> Mapping[str, Any]:
        """Look at a challenge until the provider has decided, and at those that follow it by themselves."""
        state: Mapping[str, Any] = challenge
        last = _seconds_left(challenge) + _GRACE_S
        began = time.monotonic()
        what = "the confirmation on another device" if challenge.get("polls") else "the provider's answer"
        with Waiting(what, str(challenge.get("id"))) as waiting:
            while time.monotonic() < began + last:
                state = self.client.get(path_of("challenges", str(state.get("id")))).members
                following = state.get("next")
                if isinstance(following, str):
                    state = self.client.get(path_of("challenges", following)).members
                if state.get("state") in ("done", "failed") and not state.get("next"):
                    return state
                if state.get("state") == "waiting" and _questions(state):
                    return state
                waiting.show(_seconds_left(state))
                time.sleep(LOOKS_EVERY_S)
        return state

    def _ended(self, state: Mapping[str, Any]) -> int:
        connection = state.get("connection_id")
        if isinstance(connection, str):
            self.show(self._connection(connection), as_json=self.as_json)
            return OK
        if state.get("state") == "waiting" and _questions(state):
            _tell_error(state)
            following = self._meet(state)
            return following if isinstance(following, int) else self.go_on(following)
        if state.get("state") == "failed":
            raise failed(str(state.get("error") or ""))
        return self._left(state)

    def _connection(self, connection_id: str) -> Mapping[str, Any]:
        """The connection; its id alone where the key may not read."""
        try:
            return self.client.get(path_of("connections", connection_id)).members
        except ProblemAnswered as answered:
            if answered.document.get("code") != "forbidden_scope":
                raise
            return {"id": connection_id}


def failed(code: str) -> ProblemAnswered:
    """The problem of a code that a challenge failed with, as the server would answer it."""
    from keyturn.core.problems import PROBLEMS

    row = PROBLEMS.get(code)
    document: dict[str, Any] = {"code": code or "challenge_expired"}
    if row is not None:
        document |= {
            "title": row.title,
            "status": row.status,
            "next_action": {"who": row.who.value, "text": row.action, "url": None},
        }
    return ProblemAnswered(document, row.status if row is not None else 410)


def _asked(question: Mapping[str, Any], kind: str, *, resend: bool) -> Given:
    label, choices = one_line(question.get("label")), question.get("choices")
    if question.get("help"):
        tell(one_line(question["help"]))
    if isinstance(choices, list) and choices:
        known = [(str(each.get("value")), str(each.get("label"))) for each in choices if isinstance(each, Mapping)]
        return ask_choice(label, known, instead=_INSTEAD)
    if kind not in HIDDEN:
        return _typed(ask(label, instead=_INSTEAD), kind)
    return ask_secret(f"{label} (Enter alone asks for another)" if resend else label, instead=_INSTEAD)


def _typed(text: str, kind: str) -> Given:
    """The JSON value of a text, by the question's type."""
    if kind == "boolean" and text.lower() in ("true", "yes", "y", "false", "no", "n"):
        return text.lower() in ("true", "yes", "y")
    if kind == "number":
        try:
            return float(text) if "." in text else int(text)
        except ValueError:
            return text
    return text


def _is_empty(value: Given) -> bool:
    return (isinstance(value, str) and value == "") or (isinstance(value, Secret) and not value)


def _tell_error(challenge: Mapping[str, Any]) -> None:
    if not challenge.get("error"):
        return
    from keyturn.core.problems import PROBLEMS

    row = PROBLEMS.get(str(challenge["error"]))
    left = challenge.get("tries_left")
    more = f" Tries left: {left}." if isinstance(left, int) else ""
    tell(f"{row.title if row else one_line(challenge['error'])}{more}")


def _questions(challenge: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = challenge.get("ask")
    return [each for each in found if isinstance(each, Mapping)] if isinstance(found, list) else []


def _seconds_left(challenge: Mapping[str, Any]) -> float:
    try:
        ends = datetime.fromisoformat(str(challenge.get("expires_at")))
        return max(0.0, (ends - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 600.0


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
