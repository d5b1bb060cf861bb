"""What an error of a trial means to the author of a connector, who can change it, and not to the person who connects.

Rule 1: a sentence says what the provider did, then what in the connector would change that.
Rule 2: of the provider's answer nothing is said but its status and its word for the error, where that is a plain one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from keyturn.core.errors import RFC_5280_FAULTS, KeyturnError, ProviderTlsFailed, TlsCheck
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
    "session_limit_reached": "This account is connected here, and a trial's login could end that session. Nothing was "
    "sent: try another account, or disconnect that connection first.",
    "provider_rate_limited": "The provider asks to wait; nothing of the connector is wrong. A smaller limit of logins "
    "in step 2 keeps it from happening to people.",
    "provider_unreachable": "Nothing answers at this host, and nothing was sent. The name may be mistyped in step "
    "{step}, or the host can't be reached from here.",
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


# Of a certificate or handshake: which check failed. The place in step 2 is a fold of its form.
_PLACE: Final = "step 2, “Networks, addresses and certificates”"
_ACCEPTED: Final = (
    f"If the provider has an authority of its own, put that into {_PLACE} (“tls.ca”): under it this rule is "
    "not enforced. If not, the provider needs a certificate that keeps RFC 5280."
)
_TLS: Final[Mapping[TlsCheck, str]] = {
    **{check: f"The host's certificate is refused: {fault}. {_ACCEPTED}" for check, fault in RFC_5280_FAULTS.items()},
    TlsCheck.EXPIRED: "The host's certificate has expired. Only the provider can renew it; if it has not, this "
    "machine's clock is wrong.",
    TlsCheck.NOT_YET_VALID: "The host's certificate is not valid yet. This machine's clock may be wrong.",
    TlsCheck.UNKNOWN_ISSUER: "Nobody who is trusted here vouches for the host's certificate: its issuer is not known, "
    f"or the host leaves out a certificate in between. A provider with an authority of its own needs it in {_PLACE}; "
    "what stands there already is then not the one.",
    TlsCheck.SELF_SIGNED: "The host's certificate is signed by itself. If it is meant, put it into "
    f"{_PLACE}; if not, this may not be the provider.",
    TlsCheck.WRONG_NAME: "The host's certificate is for other names. The host may be mistyped in step {step}.",
    TlsCheck.WEAK: "The host's certificate has too weak a key or signature to be trusted.",
    TlsCheck.CERTIFICATE: "The host's certificate breaks a rule for certificates, so that it can't be trusted.",
    TlsCheck.OLD_VERSION: "The host speaks no TLS that is safe today; 1.2 is the least.",
    TlsCheck.NO_COMMON_CIPHER: "The host ends the handshake: it has no cipher in common with keyturn, or wants a "
    f"client certificate ({_PLACE}).",
    TlsCheck.NO_TLS: "What answers there speaks no TLS: the port in step {step} may be that of plain http.",
    TlsCheck.UNKNOWN_HOST: "The server at this address knows no host of this name. It may be mistyped in step {step}.",
    TlsCheck.CLIENT_CERTIFICATE: "The host wants a client certificate, or doesn't take the one of the connector "
    f"({_PLACE}).",
    TlsCheck.OWN_UNREADABLE: f"What the connector has in {_PLACE}, can't be read: PEM is wanted, a client certificate "
    "together with its key, the key not encrypted.",
    TlsCheck.TIMED_OUT: "The host did not end the TLS handshake in time. It may be busy, or speak no TLS at this port.",
    TlsCheck.CLOSED: "The host hung up in the TLS handshake. It may speak an old version only, or no TLS at this port.",
    TlsCheck.OTHER: "The TLS handshake failed. The host or its port may be wrong in step {step}.",
}  # fmt: skip


def of_error(error: KeyturnError, step: int = 2) -> str:
    """Say it to the author; `step`: whose request it was."""
    if isinstance(error, ProviderTlsFailed):
        return f"There is no safe connection, and nothing was sent. {_TLS[error.check].format(step=step)}"
    words = _WORDS.get(error.code)
    if words is not None:
        return f"{_said(error)}{words.format(step=step)}"
    problem = PROBLEMS.get(error.code, PROBLEMS[KeyturnError.code])
    return f"{error.detail or problem.title} {problem.action_here(error.retry_after_s)}"


def _said(error: KeyturnError) -> str:
    """The provider's status and its own word for the error."""
    provider = error.extensions.get("provider")
    if not isinstance(provider, dict) or "status" not in provider:
        return ""
    word = f", {provider['error']}" if provider.get("error") else ""
    return f"The provider answered {provider['status']}{word}. "
