"""What real servers said to curl, to be read by the catalogue's connectors; tokens and addresses are made up.

`ANSWERS`: connector → request → what it was → the answer and what it has to mean. From Directus 11.3.5 and Synapse
1.163.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from keyturn.core.answers.oauth_errors import Outcome
from keyturn.core.connector import FailureClass

_O, _F = Outcome, FailureClass


@dataclass(frozen=True, slots=True)
class Recorded:
    """An answer, and what it means. `life_s`: of the access token. `wait_s`: how long the server asks to wait."""

    status: int
    body: str
    outcome: Outcome
    failure: FailureClass | None = None
    life_s: float | None = None
    refresh_token: str | None = None
    wait_s: float | None = None
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)


def _directus(code: str) -> str:
    return f'{{"errors":[{{"message":"Told in prose.","extensions":{{"code":"{code}"}}}}]}}'


def _matrix(code: str, prose: str = "Told in prose.", more: str = "") -> str:
    return f'{{"errcode":"{code}","error":"{prose}"{more}}}'


_D_TOKEN = '{"data":{"expires":900000,"refresh_token":"made-up-refresh","access_token":"made.up.access"}}'
_M_LOGIN = (
    '{"user_id":"@alice:example.org","access_token":"syt_made_up","home_server":"example.org","device_id":"MADEUPID",'
    '"expires_in_ms":299949,"refresh_token":"syr_made_up","well_known":{"m.homeserver":{"base_url":"https://m.example/"}}}'
)
_M_REFRESH = '{"access_token":"syt_made_up","refresh_token":"syr_made_up","expires_in_ms":300000}'
_M_PLAIN = (
    '{"user_id":"@alice:example.org","access_token":"syt_made_up","device_id":"MADEUPID","expires_in_ms":86399968}'
)

ANSWERS: Mapping[str, Mapping[str, Mapping[str, Recorded]]] = {
    "directus": {
        "token": {
            "login": Recorded(200, _D_TOKEN, _O.TOKEN, None, 900.0, "made-up-refresh"),
            "wrong password": Recorded(
                401, _directus("INVALID_CREDENTIALS"), _O.REJECTED_CREDENTIALS, _F.WRONG_PASSWORD
            ),
            "no or wrong code": Recorded(401, _directus("INVALID_OTP"), _O.REJECTED_CREDENTIALS, _F.WRONG_CODE),
            "no e-mail address": Recorded(400, _directus("INVALID_PAYLOAD"), _O.MALFORMED),
            "its own trouble": Recorded(503, _directus("SERVICE_UNAVAILABLE"), _O.TEMPORARILY_UNAVAILABLE),
            "too many requests": Recorded(429, _directus("REQUESTS_EXCEEDED"), _O.RATE_LIMITED),
            "tokens moved to cookies": Recorded(200, '{"data":{"expires":86400000}}', _O.MALFORMED),
        },
        "refresh": {
            "refresh": Recorded(200, _D_TOKEN, _O.TOKEN, None, 900.0, "made-up-refresh"),
            "spent or garbage": Recorded(401, _directus("INVALID_CREDENTIALS"), _O.REJECTED_CREDENTIALS),
            "suspended": Recorded(401, _directus("USER_SUSPENDED"), _O.REJECTED_CREDENTIALS, _F.LOCKED),
            "no refresh token": Recorded(400, _directus("INVALID_PAYLOAD"), _O.MALFORMED),
        },
    },
    "matrix": {
        "token": {
            "login": Recorded(200, _M_LOGIN, _O.TOKEN, None, 299.949, "syr_made_up"),
            "login without refresh token": Recorded(200, _M_PLAIN, _O.TOKEN, None, 86_399.968),
            "wrong password": Recorded(403, _matrix("M_FORBIDDEN"), _O.REJECTED_CREDENTIALS, _F.WRONG_PASSWORD),
            "deactivated": Recorded(403, _matrix("M_USER_DEACTIVATED"), _O.REJECTED_CREDENTIALS, _F.MUST_ACT),
            "locked": Recorded(
                401, _matrix("M_USER_LOCKED", more=',"soft_logout":true'), _O.REJECTED_CREDENTIALS, _F.LOCKED
            ),
            "no such login": Recorded(
                400, _matrix("M_UNKNOWN", "Unknown login type m.login.magic"), _O.UNSUPPORTED_GRANT, _F.GRANT_DISABLED
            ),
            "unknown for another reason": Recorded(400, _matrix("M_UNKNOWN", "Nobody knows"), _O.MALFORMED),
            "a form": Recorded(400, _matrix("M_NOT_JSON"), _O.MALFORMED),
            "no password": Recorded(400, _matrix("M_INVALID_PARAM"), _O.MALFORMED),
            "too many logins": Recorded(
                429, _matrix("M_LIMIT_EXCEEDED", more=',"retry_after_ms":332494'), _O.RATE_LIMITED, None, None, None,
                332.494, (("Retry-After", "333"), ("Content-Type", "application/json")),
            ),
            "too many logins, by the header alone": Recorded(
                429, _matrix("M_LIMIT_EXCEEDED"), _O.RATE_LIMITED, None, None, None, 333.0,
                (("Retry-After", "333"), ("Content-Type", "application/json")),
            ),
        },
        "refresh": {
            "refresh": Recorded(200, _M_REFRESH, _O.TOKEN, None, 300.0, "syr_made_up"),
            "spent": Recorded(403, _matrix("M_FORBIDDEN"), _O.REJECTED_CREDENTIALS),
            "logged out": Recorded(401, _matrix("M_UNKNOWN_TOKEN"), _O.REJECTED_CREDENTIALS),
            "locked": Recorded(401, _matrix("M_USER_LOCKED"), _O.REJECTED_CREDENTIALS, _F.LOCKED),
            "no refresh token": Recorded(400, _matrix("M_MISSING_PARAM"), _O.MALFORMED),
        },
        "revoke": {
            "logged out already": Recorded(401, _matrix("M_UNKNOWN_TOKEN"), _O.REJECTED_CREDENTIALS),
            "no token": Recorded(401, _matrix("M_MISSING_TOKEN"), _O.MALFORMED),
            "too many requests": Recorded(
                429, _matrix("M_LIMIT_EXCEEDED", more=',"retry_after_ms":1500'), _O.RATE_LIMITED, wait_s=1.5
            ),
        },
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Call:
    """An answer to a call of the API, and whether it says that the token is no longer good."""

    status: int
    body: Any
    stale: bool


CALLS: Mapping[str, Mapping[str, Call]] = {
    "directus": {
        "good": Call(200, '{"data":{"id":"0ce8cd06"}}', False),
        "expired": Call(401, _directus("TOKEN_EXPIRED"), True),
        "garbage": Call(401, _directus("INVALID_CREDENTIALS"), True),
        "not allowed": Call(403, _directus("FORBIDDEN"), False),
    },
    "matrix": {
        "good": Call(200, '{"user_id":"@alice:example.org"}', False),
        "expired": Call(401, _matrix("M_UNKNOWN_TOKEN", more=',"soft_logout":true'), True),
        "logged out": Call(401, _matrix("M_UNKNOWN_TOKEN", more=',"soft_logout":false'), True),
        "asks for the password again": Call(
            401, '{"session":"made-up","flows":[{"stages":["m.login.password"]}]}', False
        ),
        "not allowed": Call(403, _matrix("M_FORBIDDEN"), False),
        "names the code in a good answer": Call(200, _matrix("M_UNKNOWN_TOKEN"), False),
    },
}
