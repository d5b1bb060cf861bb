"""Logins with something in between, in each of the shapes that the format knows: the provider's side and the file's.

A shape is a connector's changes and what the provider then does at `/token`. Codes have eight digits, so that a search
through files for them means something.
"""

from __future__ import annotations

import base64
import hmac
import itertools
import secrets
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.end_to_end.scripted.provider import PASSWORD, USERNAME, Answer, Scripted, Seen, fingerprint

CODE = "83920174"
SECOND_CODE = "55518243"
WRONG_CODE = "10293847"
SEED = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
OTP = {"key": "otp", "label": "Code from your app", "type": "otp"}
MFA_GRANT = "urn:scripted:mfa"
WRONG = Answer(400, {"error": "invalid_grant", "error_description": "wrong code"}, outcome="wrong code")
STEP_S = 30
# What a provider is shown when it answers a challenge of its own, by the shape of the login.
SECOND_GRANT = {"params": {"grant_type": MFA_GRANT, "mfa_token": "{{ mfa_token }}", "otp": "{{ otp }}"}}


def mfa_required(status: int = 400, **more: Any) -> dict[str, Any]:
    """The `when` of a provider that says so in its body."""
    return {"status": [status], "body": "error == 'mfa_required'", **more}


def challenge(then: dict[str, Any] | None, *, ask: Any = (OTP,), **more: Any) -> dict[str, Any]:
    """One challenge of a connector's file."""
    made = {"when": mfa_required(), "ask": list(ask), "then": then, **more}
    return {key: value for key, value in made.items() if value not in (None, [])}


def seeded() -> dict[str, Any]:
    """A connector that takes a seed, and answers the question for a code with it."""
    return {
        "fields": [{"key": "seed", "label": "Key of your app", "type": "totp_seed", "required": False}],
        "password": {"keep": "offer", "reason": "There is no refresh token."},
        "refresh": {"strategy": "password_only"},
        "challenges": [challenge({"extra_params": {"totp": "{{ otp }}"}})],
    }


def totp(seed: str, at: float) -> str:
    """The code of a seed, as an authenticator app has it (RFC 6238)."""
    mac = hmac.digest(base64.b32decode(seed), struct.pack(">Q", int(at // STEP_S)), "sha1")
    number: int = struct.unpack(">I", mac[(start := mac[-1] & 15) : start + 4])[0] & 0x7FFF_FFFF
    return f"{number % 1_000_000:06d}"


@dataclass(slots=True)
class SecondStep:
    """A provider's memory of logins in their middle; `install` puts it at `/token`."""

    provider: Scripted
    status: int = 400
    open: dict[str, str] = field(default_factory=dict)  # mfa_token → account
    sent: list[str] = field(default_factory=list)  # codes that came in
    weaker: str = ""

    def install(self, handler: Callable[[Seen], Answer], path: str = "/token") -> SecondStep:
        """Answer that path with one of the ways below; refreshes stay honest."""

        def guarded(request: Seen) -> Answer:
            if path == "/token" and request.form().get("grant_type") == "refresh_token":
                return self.provider.token(request)
            return handler(request)

        self.provider.always[path] = guarded
        return self

    def asks(self, request: Seen, **more: Any) -> Answer:
        """The question that comes after a right password."""
        mfa_token = f"mfa-{secrets.token_hex(8)}"
        self.open[mfa_token] = self._account(request)
        return Answer(self.status, {"error": "mfa_required", "mfa_token": mfa_token, **more}, outcome="asked")

    def extra_parameter(self, request: Seen) -> Answer:
        """The same request again, with the code as one more parameter."""
        return self._judge(request, request.form().get("password", ""), request.form().get("totp"))

    def appended(self, request: Seen) -> Answer:
        """The same request again, with the code behind the password."""
        password, colon, code = request.form().get("password", "").partition(":")
        return self._judge(request, password, code if colon else None)

    def second_grant(self, request: Seen) -> Answer:
        """Another grant, with a token that the first answer gave."""
        form = request.form()
        if form.get("grant_type") != MFA_GRANT:
            return self._judge(request, form.get("password", ""), None)
        return self._finish(form.get("mfa_token", ""), form.get("otp", ""), CODE)

    def receipt(self, request: Seen) -> Answer:
        """Keystone's way: 401, and a receipt in a header that the next request shows."""
        shown = request.header("Openstack-Auth-Receipt")
        if shown is not None:
            return self._finish(shown, request.form().get("totp", ""), CODE)
        asked = self._judge(request, request.form().get("password", ""), None)
        if asked.outcome != "asked":
            return asked
        return Answer(
            401, {"methods": ["totp"]}, {"Openstack-Auth-Receipt": next(reversed(self.open))}, outcome="asked"
        )

    def weaker_token(self, request: Seen) -> Answer:
        """A token of little worth comes with the question."""
        answer = self.extra_parameter(request)
        if answer.outcome != "asked":
            return answer
        issued = self.provider.issue(self._account(request), secrets.token_hex(4))
        self.weaker = fingerprint(issued.body["access_token"])
        return Answer(200, {**issued.body, "mfa": True}, outcome="asked")

    def several_rounds(self, request: Seen) -> Answer:
        """After the first code comes a second question."""
        form = request.form()
        if form.get("grant_type") == MFA_GRANT and "again" not in form:
            account = self.open.pop(form.get("mfa_token", ""), None)
            self.sent.append(form.get("otp", ""))
            if account is None or form.get("otp") != CODE:
                return WRONG
            self.open["second"] = account
            return Answer(400, {"error": "second_code", "mfa_token": "second"}, outcome="asked")
        if form.get("grant_type") == MFA_GRANT:
            return self._finish(form.get("mfa_token", ""), form.get("again", ""), SECOND_CODE)
        return self._judge(request, form.get("password", ""), None)

    def factor(self, request: Seen) -> Answer:
        """At `/factor`: a way was chosen; now comes its code."""
        form = request.form()
        if form.get("factor") not in ("sms-1", "app-2") or form.get("mfa_token") not in self.open:
            return Answer(400, {"error": "invalid_request"}, outcome="no such factor")
        return Answer(200, {"status": "code_sent"}, outcome="asked")

    def code_once(self, request: Seen) -> Answer:
        """As `second_grant`, but the question is good for one answer."""
        answer = self.second_grant(request)
        self.open.pop(request.form().get("mfa_token", ""), None)
        return answer

    def by_seed(self, request: Seen) -> Answer:
        """A code of the app's seed, in the first request or in a second; each is good once."""
        form = request.form()
        code = form.get("totp")
        if code is None:
            return self._judge(request, form.get("password", ""), None)
        good = {totp(SEED, time.time() + shift) for shift in (-STEP_S, 0, STEP_S)} - set(self.sent)
        self.sent.append(code)
        if form.get("password") != PASSWORD or code not in good:
            return WRONG
        return self.provider.issue("id-1", secrets.token_hex(4))

    def _judge(self, request: Seen, password: str, code: str | None) -> Answer:
        if self.provider.accounts.get(request.form().get("username", ""), ("",))[0] != password:
            return Answer(400, {"error": "invalid_grant"}, outcome="rejected")
        if code is None:
            return self.asks(request, **self.listed)
        self.sent.append(code)
        if code != CODE:
            return WRONG
        return self.provider.issue(self._account(request), secrets.token_hex(4))

    @property
    def listed(self) -> dict[str, Any]:
        """The ways that the question offers."""
        return {"factors": [{"id": "sms-1", "name": "SMS to **45"}, {"id": "app-2", "name": "Authenticator app"}]}

    def _finish(self, mfa_token: str, code: str, good: str) -> Answer:
        self.sent.append(code)
        account = self.open.get(mfa_token)
        if account is None or code != good:
            return WRONG
        del self.open[mfa_token]
        return self.provider.issue(account, secrets.token_hex(4))

    def _account(self, request: Seen) -> str:
        return self.provider.accounts.get(request.form().get("username", USERNAME), ("", "id-1"))[1]


@dataclass(slots=True)
class Push:
    """A provider that asks on another device: `pending_for` answers say that nothing was decided, then comes `last`."""

    provider: Scripted
    last: str  # approved | denied | never
    pending_for: int = 1
    asked: Any = field(default_factory=itertools.count)

    def install(self) -> Push:
        """Put it at `/token` and `/push`."""
        self.provider.always["/token"] = Answer(403, {"error": "push_sent", "poll_token": "poll-1"}, outcome="asked")
        self.provider.always["/push"] = self.answer
        return self

    def answer(self, request: Seen) -> Answer:
        """What the device said so far."""
        if self.last == "never" or next(self.asked) < self.pending_for:
            return Answer(400, {"error": "authorization_pending"}, outcome="pending")
        if self.last == "denied":
            return Answer(400, {"error": "access_denied"}, outcome="denied")
        return self.provider.issue("id-1", secrets.token_hex(4))

    def challenge(self, *, for_s: int = 60) -> dict[str, Any]:
        """The challenge of a connector's file."""
        then = {
            "url": f"{self.provider.url}/push",
            "params": {"poll_token": "{{ poll_token }}"},
            "poll": {"every": 1, "for": for_s, "while": "error == 'authorization_pending'"},
        }
        when = {"status": [403], "body": "error == 'push_sent'"}
        return {"when": when, "capture": {"poll_token": "poll_token"}, "then": then}
