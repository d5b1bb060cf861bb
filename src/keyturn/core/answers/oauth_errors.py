"""What an OAuth error says, by its code and, where the code is ambiguous, by its text.

Rule 1: a code that stands in no table is malformed: it is never taken for a wrong password.
Rule 2: texts are looked at only where RFC 6749 has no code of its own for a second factor or a grant that is off.

Sources: RFC 6749 §5.2; the token-response contract, "Errors"; OpenID Connect Core §3.1.2.6 for interaction_required.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final


class Outcome(StrEnum):
    """What an answer means for the login or renewal that asked for it."""

    TOKEN = "token"  # noqa: S105
    REJECTED_CREDENTIALS = "rejected_credentials"
    CHALLENGE = "challenge"
    INVALID_CLIENT = "invalid_client"
    INVALID_SCOPE = "invalid_scope"
    UNSUPPORTED_GRANT = "unsupported_grant"
    RATE_LIMITED = "rate_limited"
    TEMPORARILY_UNAVAILABLE = "temporarily_unavailable"
    MALFORMED = "malformed"


CLIENT_NOT_AUTHORIZED: Final = "unauthorized_client"  # for the grant, says RFC 6749 §5.2; providers say it of all else

_BY_CODE: Final[Mapping[str, Outcome]] = MappingProxyType(
    {
        "invalid_grant": Outcome.REJECTED_CREDENTIALS,
        "mfa_required": Outcome.CHALLENGE,
        "interaction_required": Outcome.CHALLENGE,
        "invalid_client": Outcome.INVALID_CLIENT,
        "invalid_scope": Outcome.INVALID_SCOPE,
        "unsupported_grant_type": Outcome.UNSUPPORTED_GRANT,
        "slow_down": Outcome.RATE_LIMITED,
        "temporarily_unavailable": Outcome.TEMPORARILY_UNAVAILABLE,
        "server_error": Outcome.TEMPORARILY_UNAVAILABLE,
    }
)


class PollEnd(StrEnum):
    """How waiting for a person who confirms elsewhere ended, in the words of RFC 8628 §3.5."""

    REFUSED = "access_denied"
    EXPIRED = "expired_token"


_WORD: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_MAX_TEXT: Final = 2_000  # of a description

# Directory services that put a number in front of the text (AADSTS) and in `error_codes`.
_STEP_UP_NUMBERS: Final = frozenset({"50076", "50079", "50158"})
_NUMBERED: Final = re.compile(r"\bAADSTS([0-9]+)")
_SET_UP_PENDING: Final = "account is not fully set up"

_SECOND_FACTOR: Final = re.compile(
    r"""\b(?:
        (?:multi|two|2|second|2nd)[\s_-]*(?:factor|step) | (?:additional|another)[\s_-](?:authentication[\s_-])?factor
        | (?:second|additional|further|extra)[\s_-](?:authentication|verification) | mfa | 2fa | tfa | t?otp
        | (?:one[\s_-]?time)[\s_-](?:code|password|passcode|token|pin)
        | (?:verification|authenticator|authentication|security)[\s_-]code
    )(?![a-z])""",
    re.IGNORECASE | re.VERBOSE,
)
_DEMANDED: Final = re.compile(
    r"(?:\b|_)(?:required?|requires|needed|needs?|must|missing|mandatory|necessary|expected|pending"
    r"|(?:please|to)\s+(?:enter|provide|supply|use|complete))\b",
    re.IGNORECASE,
)
_DENIED: Final = re.compile(
    r"(?:\b(?:not|never)|n['’]t)\s+(?:be\s+)?(?:requir|need|necessary|mandatory|expect)"
    r"|\b(?:no|without|invalid|wrong|incorrect|bad|expired)\b",
    re.IGNORECASE,
)
_SENTENCE_END: Final = re.compile(r"[.;:!\n]")
_CLAUSE_END: Final = re.compile(r"[.;:!\n,()\[\]]|\s[-\u2013\u2014]\s")

_GRANT: Final = re.compile(
    r"\bgrants?\b|grant_?type|\bflow\b|\bropc\b|resource[\s_-]owner|password[\s_-]credentials|using this method",
    re.IGNORECASE,
)
_NOT_ALLOWED: Final = re.compile(
    r"(?:\bnot|n['’]t)\s+(?:been\s+|be\s+)?(?:allow|authori[sz]ed|permit|enabl|support|configur|available|eligible)"
    r"|(?:\b(?:can|may|must|do|does)\s*not|n['’]t)\s+(?:use|have)\b"
    r"|\b(?:lacks?|no)\s+permission\b|\b(?:prohibited|denied)\b"
    r"|\b(?:unauthori[sz]ed|disallowed|disabled|forbidden|unsupported)\b",
    re.IGNORECASE,
)


def outcome_of(code: str, members: Mapping[str, Any]) -> Outcome:
    """Say what an OAuth error means.

    Args:
        code: the error's code.
        members: the answer's top-level members, for `error_description` and `error_codes`.
    """
    if code == "invalid_grant" and _asks_second_step(members):
        return Outcome.CHALLENGE
    if code == CLIENT_NOT_AUTHORIZED and _says_grant_is_off(_description(members)):
        return Outcome.UNSUPPORTED_GRANT
    return _BY_CODE.get(code, Outcome.MALFORMED)


def poll_end(code: object) -> PollEnd | None:
    """How a poll ended; None for any other code. Only where the provider is polled do the two words mean this."""
    return next((each for each in PollEnd if each.value == code), None)


def safe_word(code: object) -> str | None:
    """Return a code that may be logged and shown: a short word of plain ASCII; None for anything else."""
    return code if isinstance(code, str) and _WORD.fullmatch(code) else None


def second_factor_asked(text: str) -> str | None:
    """The words by which a text asks for a second factor, as they stand in it; None where it asks for none."""
    for piece in _pieces(text[:_MAX_TEXT]):
        if _demands_factor(piece) and (found := _SECOND_FACTOR.search(piece)):
            return found.group()
    return None


def _description(members: Mapping[str, Any]) -> str:
    text = members.get("error_description")
    return text[:_MAX_TEXT] if isinstance(text, str) else ""


def _asks_second_step(members: Mapping[str, Any]) -> bool:
    codes = members.get("error_codes")
    if isinstance(codes, list) and any(str(code) in _STEP_UP_NUMBERS for code in codes if isinstance(code, int | str)):
        return True
    text = _description(members)
    if any(number in _STEP_UP_NUMBERS for number in _NUMBERED.findall(text)):
        return True
    return _SET_UP_PENDING in text.lower() or second_factor_asked(text) is not None


def _pieces(text: str) -> list[str]:
    """Sentences and clauses: a denial in one clause takes nothing back from another one's demand."""
    return _SENTENCE_END.split(text) + _CLAUSE_END.split(text)


def _demands_factor(sentence: str) -> bool:
    return bool(_SECOND_FACTOR.search(sentence) and _DEMANDED.search(sentence) and not _DENIED.search(sentence))


def _says_grant_is_off(text: str) -> bool:
    return bool(_GRANT.search(text) and _NOT_ALLOWED.search(text))
