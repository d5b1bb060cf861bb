"""The findings about second factors: codes, seeds and what a provider asks in between; a part of the table."""

from __future__ import annotations

from typing import Final

from keyturn.core.lint.rule import LintRule, Severity

_W, _I = Severity.WARNING, Severity.INFO

CHALLENGE_RULES: Final = (
    LintRule(
        "K109",
        "seed_beside_password",
        _W,
        "A TOTP seed kept beside the password makes two factors one: whoever takes over the broker has both.",
        "Take the field out, unless renewals need it and the provider has no refresh tokens or application passwords.",
        security=True,
    ),
    LintRule(
        "K110",
        "seed_for_nothing",
        _W,
        "A TOTP seed is kept, and no login happens without the person, who could type the code.",
        "Take the field out, and ask for the code (`type: otp`).",
        security=True,
    ),
    LintRule(
        "K111",
        "code_not_repeatable",
        _W,
        "A renewal by the kept password has no code, which the provider may take for a wrong password.",
        "Use `login: interactive`, or `refresh.strategy: refresh_only`.",
    ),
    LintRule(
        "K210",
        "interactive_without_code",
        _W,
        "Each login is said to need the person, and nothing asks for a code.",
        "Take `login: interactive` out, or describe in `challenges` what the provider asks.",
    ),
    LintRule(
        "K211",
        "interactive_login",
        _I,
        "Each login needs the person: once nothing renews the token, the connection waits until they sign in again.",
        "Nothing, where the provider has no application passwords; say in `notes.warning` how often that is.",
    ),
    LintRule(
        "K212",
        "challenge_unreachable",
        _W,
        "An earlier challenge matches every answer that this one would.",
        "Put this one before it, or make the earlier `when` say more.",
    ),
    LintRule(
        "K213",
        "code_shown",
        _W,
        "This asks for a code in a field that is no code: it is not treated as one.",
        "Give it `type: otp`.",
        security=True,
    ),
    LintRule(
        "K214",
        "same_request_again",
        _W,
        "Nothing is asked, and the request is the one that was just answered: so is the answer.",
        "Ask for the code and put it into `then.extra_params`, or give `then.poll`.",
    ),
    LintRule(
        "K215",
        "captured_unused",
        _I,
        "No template uses this captured value.",
        "Take it out, or put it into `then`.",
    ),
    LintRule(
        "K216",
        "long_challenge",
        _I,
        "A challenge lives ten minutes at most, whatever the provider allows.",
        "Give at most `10m`.",
    ),
    LintRule(
        "K217",
        "challenge_unanswered",
        _I,
        "This challenge is only recognised: the person reads that it can't be done here.",
        "Give `then`, or `links.app_password` where the provider has passwords for applications.",
    ),
    LintRule(
        "K218",
        "chain_without_link",
        _W,
        "The answer is said to be a further challenge, and the list has no other.",
        "Describe the next challenge, or take `then.answers` out.",
    ),
    LintRule(
        "K219",
        "poll_outlives",
        _W,
        "Polling goes on for longer than the challenge lives.",
        "Make `then.poll.for` at most the challenge's `lifetime`.",
    ),
    LintRule(
        "K220",
        "password_polled",
        _W,
        "The password is sent again with each poll.",
        "Capture what the provider gives for it, and put that into `then.params` instead.",
        security=True,
    ),
)
