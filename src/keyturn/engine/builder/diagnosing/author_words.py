"""What an error of a trial means to the author of a connector, who can change it, and not to the person who connects.

Rule 1: a sentence says what the provider did, then what in the connector would change that.
Rule 2: of the provider's answer nothing is said but its status and its word for the error, where that is a plain one.
"""

from __future__ import annotations

from typing import Final

from keyturn.core.errors import KeyturnError
from keyturn.core.problems import PROBLEMS

# {step}: the number of the step whose request it was.
_WORDS: Final = {
    "provider_credentials_rejected": "Username or password are wrong, or they don't arrive as the provider wants them: "
    "if they are right, compare the names of the parameters in step {step} with the provider's documentation.",
    "provider_otp_invalid": "The provider refused the code. Try a fresh one; if it stays, the challenge in step 2 "
    "sends it under another name than the provider reads.",
    "provider_mfa_unsupported": "The provider asks for a second step, and no challenge in step 2 describes this "
    "answer.",
    "provider_account_locked": "The provider has locked this account for now. Unlock it there, or wait, before you try "
    "again.",
    "provider_password_expired": "The provider wants the password of this account changed first. Change it there, or "
    "try another account.",
    "provider_interaction_required": "The provider wants this account to sign in on its own site first. Do that once, "
    "then try again.",
    "provider_access_denied": "This account may not use the API. Try one that may.",
    "provider_rate_limited": "The provider asks to wait; nothing of the connector is wrong. A smaller limit of logins "
    "in step 2 keeps it from happening to people.",
    "provider_unreachable": "Nothing answers at this host, and nothing was sent. The name may be mistyped in step "
    "{step}, or the host can't be reached from here.",
    "provider_tls_failed": "There is no safe connection, and nothing was sent: the certificate doesn't fit the host's "
    "name, or nobody here vouches for it. A provider with a certificate authority of its own needs it in step 2, TLS.",
    "provider_timeout": "The provider did not answer in time. What was sent may have been done there all the same.",
    "provider_unavailable": "The provider is in trouble, which says nothing about the connector. If it comes each "
    "time, the request of step {step} may not be what it expects.",
    "provider_bad_response": "The connector doesn't describe this answer.",
    "connector_client_missing": "The application's id and secret are not set. An operator sets them in step 2.",
    "connector_client_rejected": "The provider doesn't take the application's id and secret. An operator sets both "
    "anew in step 2.",
    "provider_grant_disabled": "The provider doesn't let this application use this grant. It is allowed where the "
    "application is registered; or the provider has another name for it than “grant_type” in step {step} says.",
    "scope_insufficient": "The provider doesn't grant this scope. Ask in step {step} for one that the application may "
    "have, or for none.",
    "address_not_allowed": "The host's address is in a private network. The connector has to say that it is meant, and "
    "an operator has to allow the network (KEYTURN_EGRESS_ALLOW).",
}  # fmt: skip


def of_error(error: KeyturnError, step: int = 2) -> str:
    """Say it to the author; `step`: whose request it was."""
    words = _WORDS.get(error.code)
    if words is not None:
        return f"{_said(error)}{words.format(step=step)}"
    problem = PROBLEMS.get(error.code, PROBLEMS[KeyturnError.code])
    return f"{error.detail or problem.title} {problem.action}"


def _said(error: KeyturnError) -> str:
    """The provider's status and its own word for the error."""
    provider = error.extensions.get("provider")
    if not isinstance(provider, dict) or "status" not in provider:
        return ""
    word = f", {provider['error']}" if provider.get("error") else ""
    return f"The provider answered {provider['status']}{word}. "
