"""From an answer that asks for a code to the challenge that a connector would need for it.

Rule 1: only what the answer itself shows is filled in; what none shows, such as a grant type, is left to the author.
Rule 2: of the answer's values only its word for the error and a name of the second factor are ever taken over; the rest
is named by its path.

Sources: the connector format, "Challenges"; the survey of providers, "Second factor".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from keyturn.core.answers.json_query import query
from keyturn.core.answers.oauth_errors import safe_word, second_factor_asked
from keyturn.core.building.near_paths import scalar_paths

GRANT_TYPE: Final = "grant_type"
_MOST_LOOKED_AT: Final = 60
# Names under which providers hand out what ties the code to the sign-in that is under way, letters and digits alone.
_STATES: Final = frozenset(
    {
        "mfatoken", "mfaid", "mfasession", "mfarequestid", "mfaticket", "mfachallengeid", "mfapendingcredential",
        "twofactorid", "twofactortoken", "twofactorsession", "2fatoken", "tfatoken", "otptoken", "otpid", "otpsession",
        "challengeid", "challengetoken", "statetoken", "tmpid", "pendingtoken", "verificationid", "verificationtoken",
        "authsession", "flowid",
    }
)  # fmt: skip
# Names that tie the code to the sign-in where the answer asks for one in words; alone they say nothing.
_LIKELY_STATES: Final = frozenset(
    {"tx", "txid", "transaction", "transactionid", "session", "sessionid", "ticket", "nonce", "temptoken"}
)
_DEMANDS: Final = frozenset({"need", "needs", "needed", "require", "required", "requires", "enter", "verify"})
_FACTORS: Final = frozenset({"mfa", "otp", "totp", "2fa", "tfa", "twofactor", "passcode"})
_SAYING: Final = frozenset({"error", "errordescription", "message", "code", "errorcode", "reason", "type", "detail"})
_PARTS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+[a-z]+|\d+")
_NAME: Final = re.compile(r"[^A-Za-z0-9_]+")


@dataclass(frozen=True, slots=True)
class ChallengeShape:
    """A challenge as the file would have it. `state`: where the answer has what ties the code to the sign-in, or None.

    `code_parameter`: the name under which the code is sent.
    """

    challenge: Mapping[str, Any]
    state: str | None
    code_parameter: str

    @property
    def needs_grant_type(self) -> bool:
        """Whether the code goes out in a request of its own, with a grant type that only the provider's papers name."""
        return self.state is not None


def challenge_shape(status: int, value: Any, *, oauth: bool) -> ChallengeShape | None:
    """What challenge an answer asks for; None where it asks for no code.

    Args:
        status: of the answer.
        value: its decoded body.
        oauth: whether the token request has a grant type, which a code's own request needs as well.
    """
    paths = list(_looked_at(value))
    state = next((path for path in paths if _letters(path) in _STATES), None)
    in_words = any(_says_so(path, value) for path in paths)
    if state is None and not in_words:
        return None
    if state is None:
        state = next((path for path in paths if _letters(path) in _LIKELY_STATES), None)
    code_parameter = "totp" if any("totp" in _words(path, value) for path in paths) else "otp"
    challenge: dict[str, Any] = {
        "when": _when(status, value, paths, state),
        "ask": [{"key": "otp", "label": "Code", "type": "otp"}],
    }
    if state is None:
        challenge["then"] = {"extra_params": {code_parameter: "{{ otp }}"}}
        return ChallengeShape(challenge, None, code_parameter)
    name = _NAME.sub("_", state.rpartition(".")[2].strip('"')) or "state"
    challenge["capture"] = {name: state}
    own = {name: f"{{{{ {name} }}}}", code_parameter: "{{ otp }}"}
    challenge["then"] = {"params": {GRANT_TYPE: "", **own}} if oauth else {"extra_params": own}
    return ChallengeShape(challenge, state, code_parameter)


def _looked_at(value: Any) -> Iterator[str]:
    for n, path in enumerate(scalar_paths(value)):
        if n >= _MOST_LOOKED_AT:
            return
        yield path


def _letters(path: str) -> str:
    return re.sub(r"[^a-z0-9]", "", path.rpartition(".")[2].lower())


def _says_so(path: str, value: Any) -> bool:
    """Whether a member that says what is wrong names a second factor."""
    if _letters(path) not in _SAYING:
        return False
    text = query(path, value)
    if not isinstance(text, str):
        return False
    words = set(_words(path, value))
    named = _FACTORS & words or ("code" in words and _DEMANDS & words)
    return bool(named) or second_factor_asked(text) is not None


def _words(path: str, value: Any) -> list[str]:
    """The words that a short code is put together from, as `INVALID_OTP` or `mfaRequired`; a sentence has none."""
    word = safe_word(query(path, value))
    return [] if word is None else [each.lower() for each in _PARTS.findall(word)]


def _when(status: int, value: Any, paths: list[str], state: str | None) -> dict[str, Any]:
    """The condition: the word by which the answer says so, else that what ties the code to the sign-in is there."""
    for path in paths:
        word = safe_word(query(path, value))
        if word is not None and _says_so(path, value):
            return {"status": [status], "body": f"{path} == '{word}'"}
    if state is not None:
        return {"status": [status], "body": state}
    for path in paths:
        text = query(path, value) if _says_so(path, value) else None
        asked = second_factor_asked(text) if isinstance(text, str) else None
        if asked is not None:
            return {"status": [status], "body": f"contains({path}, '{asked}')"}
    return {"status": [status]}
