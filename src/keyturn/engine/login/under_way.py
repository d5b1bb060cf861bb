"""A login between two of its requests: what it was begun with, what was captured, and how it is put to rest.

Rule 1: facts are plain JSON without secrets; what opens the account is in the pending login, sealed as a whole.
Rule 2: a code is in neither; the password only where a later request names it or the person chose to have it kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from keyturn.core.challenges.steps import needs_password
from keyturn.core.connector import Connector, FieldType
from keyturn.core.secret import Secret
from keyturn.engine.actor import Actor
from keyturn.engine.login.login_request import Checked, LoginRequest
from keyturn.engine.template_values import login_values
from keyturn.ports.challenges import ChallengeRow, PendingLogin
from keyturn.ports.store import ClientCredentials


@dataclass(frozen=True, slots=True)
class UnderWay:
    """One login on its way.

    `host`: where its first request went. `captured`: what challenges gave. `round`: how many challenges came so far.
    `totp_step`: the last step whose code was sent. `weaker`: ids of revocations of tokens that came with a challenge.
    `ends_at`: when the last challenge's time is up, Unix seconds.
    """

    request: LoginRequest
    checked: Checked
    actor: Actor
    host: str
    captured: Mapping[str, Any] = field(default_factory=dict, repr=False)
    round: int = 0
    wrong_codes: int = 0
    resends: int = 0
    totp_step: int | None = None
    weaker: tuple[str, ...] = ()
    ends_at: float = 0.0

    @property
    def connector(self) -> Connector:
        """The version that it was begun with."""
        return self.checked.connector

    def values(self) -> dict[str, Any]:
        """What the next request may name; the seed still stands as itself."""
        password = self.request.password or Secret("")
        fields = login_values(self.checked.fields, self.request.username, password, self.checked.client)
        return {**self.captured, **fields}

    def facts(self) -> dict[str, Any]:
        """What goes into the row."""
        return {
            "keep_password": self.checked.keep_password,
            "keep_totp_seed": self.request.keep_totp_seed,
            "reconnects": self.request.reconnects,
            "allow_account_change": self.request.allow_account_change,
            "unconfirmed": self.request.unconfirmed,
            "host": self.host,
            "round": self.round,
            "resends": self.resends,
            "totp_step": self.totp_step,
            "weaker": list(self.weaker),
            "request_id": self.actor.request_id,
        }

    def pending(self, place: int) -> PendingLogin:
        """What is sealed while the challenge at this place waits."""
        keeps = self.checked.keep_password or needs_password(self.connector, place)
        return PendingLogin(
            self.request.username,
            self.request.password if keeps else None,
            dict(self.captured),
            without_codes(self.connector, self.checked.fields),
        )


def without_codes(connector: Connector, fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields but one-time codes that were asked for up front: those are sent once."""
    once = {each.key for each in connector.fields if each.type is FieldType.OTP}
    return {key: value for key, value in fields.items() if key not in once}


def resumed(
    row: ChallengeRow, login: PendingLogin, connector: Connector, client: ClientCredentials | None, actor: Actor
) -> UnderWay:
    """The login as it was when the row was written."""
    facts = row.facts
    request = LoginRequest(
        row.connector,
        row.owner,
        login.username,
        login.password,
        login.fields,
        keep_password=facts["keep_password"],
        keep_totp_seed=facts["keep_totp_seed"],
        reconnects=facts["reconnects"],
        allow_account_change=facts["allow_account_change"],
        unconfirmed=facts["unconfirmed"],
        project=row.project,
    )
    return UnderWay(
        request,
        Checked(connector, row.connector_version, client, login.fields, facts["keep_password"]),
        actor,
        facts["host"],
        login.values,
        round=facts["round"],
        wrong_codes=row.wrong_codes,
        resends=facts["resends"],
        totp_step=facts["totp_step"],
        weaker=tuple(facts["weaker"]),
        ends_at=row.expires_at,
    )
