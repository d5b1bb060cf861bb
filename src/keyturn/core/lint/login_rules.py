"""The findings about what a login sends first and what becomes of its tokens; a part of the table."""

from __future__ import annotations

from typing import Final

from keyturn.core.lint.rule import LintRule, Severity

_E, _W, _I = Severity.ERROR, Severity.WARNING, Severity.INFO

LOGIN_RULES: Final = (
    LintRule(
        "K221",
        "before_for_nothing",
        _W,
        "A request runs before each login, and nothing uses what it finds.",
        "Use each name under `capture` in a later request, or take it out.",
    ),
    LintRule(
        "K222",
        "password_to_two_hosts",
        _E,
        "The password goes to more than one host, and the person is shown one.",
        "Send it in one request only, or to one host.",
        security=True,
    ),
    LintRule(
        "K304",
        "token_renewal_without_end",
        _W,
        "The token renews itself only while it lives, and nothing says how long that is.",
        "Say in `token.response.expires` where its end stands, or give `token.default_ttl`.",
    ),
    LintRule(
        "K305",
        "token_renewal_without_token",
        _W,
        "The live token is to renew itself, and the request does not show it.",
        "Put `{{ access_token }}`, or a value kept from the answer, into `refresh.headers` or `refresh.params`.",
    ),
    LintRule(
        "K306",
        "keep_alive_without_end",
        _W,
        "What renews is to be kept from ending, and nothing says when it does.",
        "Say in `token.response.refresh_expires` where its end stands, or give `refresh.lifetime`.",
    ),
    LintRule(
        "K307",
        "ends_unused",
        _I,
        "A connection that nobody uses for 30 days ends with its refresh token.",
        "Give `refresh.keep_alive: true`, if such connections are to live on.",
    ),
    LintRule(
        "K308",
        "last_resort",
        _I,
        "A refresh token of unknown fate is sent once more. Where the provider had replaced it, this ends the grant.",
        "Keep it only where reuse neither locks the account nor ends all its sessions, and connections share no grant.",
    ),
    LintRule(
        "K309",
        "many_at_once",
        _I,
        "Over 16 renewals may be under way at once: if the provider hangs, the fate of as many tokens is unknown.",
        "Lower `limits.renewals_at_once`. A provider that takes an old token again says so in `refresh.rotation`.",
    ),
    LintRule(
        "K403",
        "logout_first_without_revoke",
        _E,
        "A login is to end the session that there is first, and nothing says how.",
        "Give `revoke`: the provider's logout. Where a new login ends the old one, take `session.logout_first` out.",
    ),
    LintRule(
        "K404",
        "sessions_of_which_none_ends",
        _W,
        "The provider allows few sessions, and those that keyturn is done with stay open.",
        "Give `revoke`: the provider's logout.",
    ),
)
