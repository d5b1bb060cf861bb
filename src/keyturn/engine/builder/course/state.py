"""What one trial has in hand, and how its rows are made.

Rule 1: what came or was typed counts as secret, wherever something is written down or shown, until the trial is over.
Rule 2: a value is shown by its name alone where a person typed it or a provider gave it in between.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from keyturn.core.audit_record import AuditRecord
from keyturn.core.building.fixtures import Exchange
from keyturn.core.connector import Connector, Field, Keep, ProviderRequest
from keyturn.core.errors import KeyturnError
from keyturn.core.requests.client_address import preview_with_address
from keyturn.core.secret import Secret
from keyturn.core.token_set import TokenSet
from keyturn.engine.actor import Actor
from keyturn.engine.before.own_values import OwnValues, own_names
from keyturn.engine.builder.course.exchange import UNREADABLE, WatchedEgress
from keyturn.engine.builder.diagnosing.author_words import of_error
from keyturn.engine.builder.diagnosing.lifetimes import lifetime_place
from keyturn.engine.builder.diagnosing.token_diagnoses import of_unsent
from keyturn.engine.builder.previews import LOGIN_STEP, masked_preview
from keyturn.engine.builder.trial_trace import Mark, Row, TrialRun, answer_text, masked_text, request_text, shown_value
from keyturn.engine.challenges.seed_codes import SeedCodes
from keyturn.engine.in_flight import InFlight, secrets_among
from keyturn.engine.login.book_login import BookLogin
from keyturn.engine.login_budget import LoginBudget
from keyturn.engine.provider_gate import Asking, ProviderGate, RequestKind
from keyturn.engine.renewal.account_turns import AccountTurns
from keyturn.engine.send import Sent
from keyturn.engine.template_values import client_values, token_values
from keyturn.engine.test_connection import TestCalls
from keyturn.ports.clock import Clock
from keyturn.ports.store import AuditLog, ClientCredentials

# Waits, with what came, for a text to go on with; None where nobody goes on.
Mend = Callable[[], Awaitable["Mended | None"]]

# Puts questions to the person: the checked answers, or None where another code is wanted.
# Given are the questions, when the time is up, whether another code can be asked for, and why it is asked again.
Ask = Callable[[tuple[Field, ...], float, bool, str], Awaitable[Mapping[str, Any] | None]]


@dataclass(frozen=True, slots=True)
class Mended:
    """A text to go on with, and the step to begin from."""

    connector: Connector
    begin: int


class Stopped(Exception):
    """A step failed; its row is written."""


@dataclass(frozen=True, slots=True)
class TrialParts:
    """What every trial uses: the parts of a login, over a way out that is watched."""

    tests: TestCalls
    egress: WatchedEgress
    booking: BookLogin
    budget: LoginBudget
    gate: ProviderGate
    audit: AuditLog
    codes: SeedCodes
    own: OwnValues
    clock: Clock
    known: InFlight
    turns: AccountTurns


@dataclass(slots=True)
class TrialState:
    """One trial. `show` takes a row; `fields`: checked, and what a connection would bring to its logins.

    `captured`: what requests before the login and challenges gave. `test`: the test's answer. `token_set`: the one
    that a connection would now have; `tokens`: all that came.
    """

    parts: TrialParts
    run: TrialRun
    connector: Connector
    client: ClientCredentials | None
    actor: Actor
    fields: dict[str, Any] = field(repr=False)
    username: str = field(repr=False)
    password: Secret = field(repr=False)
    show: Callable[[Row], None]
    ask: Ask
    mend: Mend
    held: ExitStack = field(default_factory=ExitStack, repr=False)
    captured: dict[str, Any] = field(default_factory=dict, repr=False)
    secrets: list[Secret] = field(default_factory=list, repr=False)
    tokens: list[TokenSet] = field(default_factory=list, repr=False)
    token_set: TokenSet | None = field(default=None, repr=False)
    test: Any = field(default=None, repr=False)
    totp_step: int | None = None
    resends: int = 0
    host: str = ""
    asking: Asking = field(default_factory=lambda: Asking("", RequestKind.LOGIN, ""))
    exchanges: list[Exchange] = field(default_factory=list, repr=False)

    def know(self, values: Mapping[str, Any]) -> None:
        """Count what is secret among these as such."""
        found = list(secrets_among(dict(values)))
        self.secrets += found
        self.held.enter_context(self.parts.known.in_flight(*found))

    def came(self, token_set: TokenSet) -> None:
        """Remember a token set, so that it is revoked at the end."""
        self.tokens.append(token_set)
        self.know(token_values(token_set))

    def forget_login(self) -> None:
        """Let go of what was typed and captured: the steps after the login use what a connection would have."""
        self.held.close()
        self.secrets.clear()
        self.captured.clear()
        kept = {each.key for each in self.connector.fields if each.keep is not Keep.NEVER} | own_names(self.connector)
        self.fields = {name: value for name, value in self.fields.items() if name in kept}
        self.username, self.password = "", Secret("")
        self.know({**self.fields, **client_values(self.client)})
        for each in self.tokens:
            self.know(token_values(each))

    def of_connection(self) -> dict[str, Any]:
        """What later requests of a connection may use: a field that is used once and forgotten isn't there any more."""
        kept = {each.key: each.keep for each in self.connector.fields}
        kept |= dict.fromkeys(own_names(self.connector), Keep.SEALED)
        fields = {name: value for name, value in self.fields.items() if kept.get(name) is not Keep.NEVER}
        return {**fields, **client_values(self.client), **token_values(self.token_set)}

    def row(
        self,
        step: int,
        title: str,
        spec: ProviderRequest,
        values: Mapping[str, Any],
        optional: frozenset[str] = frozenset(),
    ) -> Row:
        """A row that shows the request, masked by where each value comes from."""
        typed = {"username"} | {each.key for challenge in self.connector.challenges for each in challenge.ask}
        hidden = {
            name: Secret(value) if name in typed and isinstance(value, str) else value for name, value in values.items()
        }
        try:
            preview = masked_preview(self.connector, spec, hidden, self.client, optional=optional)
            if step == LOGIN_STEP and self.actor.client_address is not None:
                preview = preview_with_address(preview, self.connector)
        except KeyturnError as error:
            return Row(Mark.OK, step, title, text=of_error(error))
        return Row(Mark.OK, step, title, method=preview.method, url=preview.url, request=request_text(preview))

    def answered(self, row: Row, *, text: str = "") -> Row:
        """The row with what came back."""
        answer, ms = self.parts.egress.answer, self.parts.egress.ms
        if answer is None:
            return replace(row, ms=ms, text=text or row.text)
        shown, pointed = answer_text(answer, self.secrets), self.parts.egress.redirects_to
        if pointed and pointed != UNREADABLE:
            pointed = masked_text(pointed, self.secrets)
        row = replace(row, status=answer.status, ms=ms, answer=shown, text=text or row.text)
        return replace(row, transport=answer.transport, redirects_to=pointed)

    def exchanged(self, request: str, spec: ProviderRequest) -> None:
        """Note the last exchange for a recording; `request`: which of the connector's it was."""
        if (answer := self.parts.egress.answer) is not None and answer.complete:
            self.exchanges.append(Exchange(request, spec.method, answer))

    def failed(self, row: Row) -> Stopped:
        """Show a row that ends the trial; to be raised."""
        self.show(replace(row, mark=Mark.FAILED))
        return Stopped()

    def failed_with(self, step: int, title: str, error: KeyturnError) -> Stopped:
        """The same for a request that could not be made."""
        words, suggestion = of_unsent(self.connector, error, step)
        return self.failed(Row(Mark.FAILED, step, title, diagnosis=words, suggestion=suggestion))

    def record(self, action: str, *, outcome: str = "ok", **facts: Any) -> AuditRecord:
        """An audit record about this trial."""
        return AuditRecord(
            self.parts.clock.now(),
            action,
            self.actor.name,
            outcome=outcome,
            connector=self.connector.id,
            request_id=self.actor.request_id,
            facts={"trial": self.run.id, **facts},
        )


def found_tokens(spec: ProviderRequest, token_set: TokenSet, sent: Sent) -> tuple[tuple[str, str, str], ...]:
    """What was found in a token answer, and by which path; what the connector assumes instead has none."""
    mapping = spec.response
    found = [("access_token", "‹access_token›", mapping.access_token or "access_token")]
    if token_set.refresh_token is not None:
        found.append(("refresh_token", "‹refresh_token›", mapping.refresh_token or "refresh_token"))
    if token_set.expires_at is not None and sent.answer is not None:
        seconds = round(token_set.expires_at - token_set.issued_at)
        found.append(("lifetime", f"{seconds} s", lifetime_place(spec, sent.answer, sent.body)))
    found += [
        (f"token.{name}", shown_value(value, f"token.{name}"), mapping.keep.get(name, ""))
        for name, value in token_set.kept.items()
    ]
    return tuple(found)
