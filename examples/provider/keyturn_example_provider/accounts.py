"""The made-up people, their passwords, one-time codes and the lock-out.

The passwords are public (the README and the page print them), so they stand here as they are.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import struct
from collections import OrderedDict
from dataclasses import dataclass, field
from enum import StrEnum

from .tokens import digest_of

WRONG_TRIES_ALLOWED = 10
LOCKED_FOR_S = 60.0
NAMES_COUNTED = 1_000  # a bound on memory; the longest unused name is forgotten first
MFA_LIFETIME_S = 600.0
WRONG_CODES_ALLOWED = 5
TOTP_STEP_S = 30


@dataclass(frozen=True, slots=True)
class Account:
    """One person. `totp_seed` is base32; with it a password alone is not enough."""

    id: str
    username: str
    password: str
    name: str
    email: str
    totp_seed: str | None = None


ACCOUNTS: tuple[Account, ...] = (
    Account("u-1", "demo", "correct-horse-7", "Dana Demo", "demo@acme.example"),
    Account("u-2", "odd", 'p&ss+w%72d =é"\\/:#€', "Odile Odd", "odd@acme.example"),
    Account("u-3", "otp", "two-steps-please", "Otto Otp", "otp@acme.example", "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"),
)


class Refusal(StrEnum):
    """Why a login was refused."""

    WRONG_PASSWORD = "wrong_password"  # noqa: S105 - a reason
    LOCKED = "locked"
    WRONG_CODE = "wrong_code"
    MFA_TOKEN_DEAD = "mfa_token_dead"  # noqa: S105 - a reason


class LoginRefusedError(Exception):
    """A login was refused; `account` is None when the name is nobody's."""

    def __init__(self, reason: Refusal, account: Account | None, retry_after_s: int | None = None) -> None:
        super().__init__(reason.value)
        self.reason = reason
        self.account = account
        self.retry_after_s = retry_after_s


@dataclass(slots=True)
class _Tries:
    wrong: int = 0
    locked_until: float = 0.0


@dataclass(slots=True)
class _Pending:
    account: Account
    scope: str
    expires_at: float
    wrong_codes: int = 0


@dataclass(slots=True)
class Accounts:
    """Who may log in now. Each method takes `now`, seconds since the epoch."""

    everyone: tuple[Account, ...] = ACCOUNTS
    _tries: OrderedDict[str, _Tries] = field(default_factory=OrderedDict)
    _pending: dict[str, _Pending] = field(default_factory=dict)

    def find(self, username: str) -> Account | None:
        """Find an account by its exact username."""
        return next((account for account in self.everyone if account.username == username), None)

    def check_password(self, username: str, password: str, *, now: float) -> Account:
        """Return the account whose password this is, byte for byte.

        Raises:
            LoginRefusedError: WRONG_PASSWORD, or LOCKED from the eleventh try in a row on, for a minute, also with the
                right password. A name that is nobody's is counted and answered alike, so that names can't be told.
        """
        account = self.find(username)
        tries = self._tries_of(username)
        if tries.locked_until > now:
            raise LoginRefusedError(Refusal.LOCKED, account, retry_after_s=int(tries.locked_until - now) + 1)
        expected = account.password if account else ""
        # Compared in any case, so that both cases take as long.
        same = hmac.compare_digest(expected.encode(), password.encode("utf-8", "surrogatepass"))
        if account is None or not same:
            self._count_wrong(tries, now)
            raise LoginRefusedError(Refusal.WRONG_PASSWORD, account)
        if account.totp_seed is None:
            self._tries.pop(username, None)
        return account

    def start_challenge(self, account: Account, scope: str, *, now: float) -> str:
        """Return a new `mfa_token`, good for ten minutes, for someone whose password was right."""
        self._pending = {key: value for key, value in self._pending.items() if value.expires_at > now}
        token = "mfa_" + secrets.token_urlsafe(24)
        self._pending[digest_of(token)] = _Pending(account, scope, now + MFA_LIFETIME_S)
        return token

    def answer_challenge(self, mfa_token: str, code: str, *, now: float) -> tuple[Account, str]:
        """Return the account and the scope of the login that `code` completes; the `mfa_token` is used up.

        Raises:
            LoginRefusedError: WRONG_CODE; MFA_TOKEN_DEAD when it is unknown, used, older than ten minutes or had five
                wrong codes. A wrong code counts for the lock-out like a wrong password.
        """
        key = digest_of(mfa_token)
        pending = self._pending.get(key)
        if pending is None or pending.expires_at <= now:
            raise LoginRefusedError(Refusal.MFA_TOKEN_DEAD, pending.account if pending else None)
        account = pending.account
        tries = self._tries_of(account.username)
        if tries.locked_until > now:
            raise LoginRefusedError(Refusal.LOCKED, account, retry_after_s=int(tries.locked_until - now) + 1)
        if not _is_current_code(account.totp_seed or "", code, now=now):
            pending.wrong_codes += 1
            if pending.wrong_codes >= WRONG_CODES_ALLOWED:
                del self._pending[key]
            self._count_wrong(tries, now)
            raise LoginRefusedError(Refusal.WRONG_CODE, account)
        del self._pending[key]
        self._tries.pop(account.username, None)
        return account, pending.scope

    def _tries_of(self, username: str) -> _Tries:
        tries = self._tries.setdefault(username, _Tries())
        self._tries.move_to_end(username)
        while len(self._tries) > NAMES_COUNTED:
            self._tries.popitem(last=False)
        return tries

    @staticmethod
    def _count_wrong(tries: _Tries, now: float) -> None:
        tries.wrong += 1
        if tries.wrong >= WRONG_TRIES_ALLOWED:
            tries.wrong, tries.locked_until = 0, now + LOCKED_FOR_S


def one_time_code(seed: str, *, now: float) -> str:
    """Compute the six digits for `now`. Source: RFC 6238 (SHA-1, 30 s) over RFC 4226 section 5.3."""
    counter = struct.pack(">Q", int(now // TOTP_STEP_S))
    mac = hmac.new(base64.b32decode(seed), counter, hashlib.sha1).digest()
    offset = mac[-1] & 0x0F
    number: int = struct.unpack(">I", mac[offset : offset + 4])[0] & 0x7FFF_FFFF
    return f"{number % 1_000_000:06d}"


def _is_current_code(seed: str, code: str, *, now: float) -> bool:
    # One step of leeway either side, RFC 6238 section 5.2.
    wanted = [one_time_code(seed, now=now + step * TOTP_STEP_S) for step in (-1, 0, 1)]
    return any(hmac.compare_digest(good.encode(), code.encode("utf-8", "surrogatepass")) for good in wanted)
