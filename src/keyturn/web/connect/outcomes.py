"""What each failure means on the page: which words, whether the form stays, which links help.

Rule 1: a code has a row here or belongs to one of three groups: set up wrongly, the person's page is over, our fault.
Rule 2: the form is taken away where another try could lock the account, or can't help.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from keyturn.core.connector import Connector
from keyturn.core.errors import KeyturnError
from keyturn.core.problems import PROBLEMS
from keyturn.web.connect.connector_view import web_address


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a failed login is shown.

    `text`: the stem of its texts. `form`: whether the form stays. `again`: where it does not, whether a link leads to a
    fresh one. `links`: which of the connector's links are offered. `setup`: the author's note for administrators is.
    """

    text: str
    form: bool = True
    again: bool = True
    links: tuple[str, ...] = ()
    setup: bool = False

    @property
    def support(self) -> bool:
        """Whether somebody else has to help, so that what they need to know is put together."""
        return self.setup or self.text in _FOR_SUPPORT


_FOR_SUPPORT: Final = frozenset(
    {
        "set_up", "our_fault", "provider_bad_response", "unique_id_missing", "provider_tls_failed",
        "provider_mfa_unsupported", "address_not_allowed", "connection_gone", "logins_stopped",
    }
)  # fmt: skip
ADDRESS: Final = "address"  # what a limit counted by, as an error's `retry` says it

_ROWS: Final = {
    "validation_failed": Outcome("validation_failed"),
    "provider_credentials_rejected": Outcome("provider_credentials_rejected", links=("reset_password",)),
    "provider_otp_invalid": Outcome("provider_otp_invalid"),
    "challenge_used": Outcome("challenge_used"),
    "challenge_expired": Outcome("challenge_expired"),
    "provider_mfa_unsupported": Outcome("provider_mfa_unsupported", form=False, links=("app_password",)),
    "provider_account_locked": Outcome("provider_account_locked", form=False, links=("unlock", "reset_password")),
    "provider_password_expired": Outcome("provider_password_expired", links=("reset_password",)),
    "provider_interaction_required": Outcome("provider_interaction_required", links=("unlock",)),
    "provider_access_denied": Outcome("provider_access_denied", form=False, setup=True),
    "connection_test_failed": Outcome("connection_test_failed", setup=True),
    "unique_id_missing": Outcome("unique_id_missing", form=False, again=False),
    "identity_mismatch": Outcome("identity_mismatch"),
    "connection_exists": Outcome("connection_exists", form=False, again=False),
    "session_limit_reached": Outcome("session_limit_reached", form=False),
    "provider_rate_limited": Outcome("provider_rate_limited", form=False),
    "login_budget_spent": Outcome("login_budget_spent", form=False, links=("unlock", "reset_password")),
    "rate_limited": Outcome("rate_limited", form=False, again=False),
    "login_spraying": Outcome("logins_held", form=False),
    "logins_stopped": Outcome("logins_stopped", form=False),
    "provider_unreachable": Outcome("provider_unreachable"),
    "provider_tls_failed": Outcome("provider_tls_failed"),
    "provider_timeout": Outcome("provider_timeout"),
    "provider_unavailable": Outcome("provider_unavailable"),
    "provider_bad_response": Outcome("provider_bad_response", form=False),
    "address_not_allowed": Outcome("address_not_allowed", form=False),
    "generation_conflict": Outcome("generation_conflict"),
    "connection_disconnected": Outcome("connection_gone", form=False, again=False),
    "not_found": Outcome("connection_gone", form=False, again=False),
}
_SET_UP: Final = Outcome("set_up", form=False, again=False, setup=True)
_SET_UP_CODES: Final = frozenset(
    {
        "connector_client_missing", "connector_client_rejected", "provider_grant_disabled", "scope_insufficient",
        "connector_value_absent", "connector_invalid", "connector_not_published", "url_not_allowed",
    }
)  # fmt: skip
# Where an error of the same code means something else to the person, as its `retry` says.
_RETRIES: Final = {
    ("provider_credentials_rejected", "sign_in"): Outcome("password_or_code", links=("reset_password",)),
    ("rate_limited", ADDRESS): Outcome("address_limited", form=False),
    ("challenge_expired", "lost"): Outcome("challenge_lost"),
}
_OUR_FAULT: Final = Outcome("our_fault", form=False)


def outcome_of(error: KeyturnError, connector: Connector | None) -> Outcome:
    """The row of an error; the form stays where an app password can be made and takes the place of a second step."""
    if error.code in _SET_UP_CODES:
        return _SET_UP
    told_apart = _RETRIES.get((error.code, error.extensions.get("retry", "")))
    if told_apart is not None:
        return told_apart
    found = _ROWS.get(error.code, _OUR_FAULT)
    if found.text == "provider_mfa_unsupported" and connector and connector.links.app_password:
        return Outcome(found.text, links=found.links)
    return found


def links_of(outcome: Outcome, connector: Connector) -> list[tuple[str, str]]:
    """The links that help: name and address, those that the connector has."""
    pairs = [(name, web_address(getattr(connector.links, name))) for name in outcome.links]
    return [(name, address) for name, address in pairs if address is not None]


def status_of(error: KeyturnError) -> int:
    """The HTTP status that the register gives a code."""
    problem = PROBLEMS.get(error.code)
    return problem.status if problem else 500
