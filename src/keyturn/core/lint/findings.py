"""The findings of the linter: what each is called, how grave it is, and what to do about it.

Rule 1: this table, `challenge_rules` and `login_rules` are the only places that know codes, severities and words; the
reference page is made from them.
Rule 2: a code is public and stable. Its hundreds are the step of the connector that the rule is about, 0 for the whole;
the step that a finding is shown with is that of the place where it was found.
Rule 3: an error blocks publishing; a warning or an information never does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from keyturn.core.building.steps import step_of
from keyturn.core.lint.challenge_rules import CHALLENGE_RULES
from keyturn.core.lint.login_rules import LOGIN_RULES
from keyturn.core.lint.rule import LintRule, Severity

__all__ = ["RULES", "LintFinding", "LintRule", "Severity", "found", "in_order"]


@dataclass(frozen=True, slots=True)
class LintFinding:
    """One thing that the linter found. `pointer`: RFC 6901 into the connector's file."""

    rule: LintRule
    pointer: str

    @property
    def code(self) -> str:
        """The rule's code, such as K101."""
        return self.rule.code

    @property
    def severity(self) -> Severity:
        """How grave it is."""
        return self.rule.severity

    @property
    def step(self) -> int:
        """The step whose form has what was found, 0 for the connector as a whole: whatever the rule is about."""
        return step_of(self.pointer)

    @property
    def message(self) -> str:
        """What was found."""
        return self.rule.message

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return self.rule.remedy

    @property
    def is_error(self) -> bool:
        """Whether it blocks publishing."""
        return self.severity is Severity.ERROR

    def as_json(self) -> dict[str, Any]:
        """Say it as a member of a list of findings."""
        return {
            "code": self.code,
            "name": self.rule.name,
            "severity": self.severity.value,
            "step": self.step,
            "pointer": self.pointer,
            "message": self.message,
            "remedy": self.remedy,
        }


_E, _W, _I = Severity.ERROR, Severity.WARNING, Severity.INFO

_RULES: Final = (
    LintRule(
        "K001",
        "trust_missing",
        _E,
        "Nothing says why a password grant is acceptable here.",
        "Give `trust.reason` and a note; without them the connector can't be published.",
        security=True,
    ),
    LintRule(
        "K002",
        "trust_note_missing",
        _W,
        "The reason for the password grant has no note.",
        "Say in `trust.note` why the provider offers nothing safer; the person who connects reads it.",
    ),
    LintRule("K003", "docs_url_missing", _I, "No link to the provider's documentation.", "Give `docs_url`."),
    LintRule(
        "K004",
        "stale_when_empty",
        _W,
        "Every answer of the API would count as a stale token.",
        "Name in `stale_when` what such an answer looks like, mostly `status: [401]`.",
    ),
    LintRule(
        "K005",
        "register_url_missing",
        _I,
        "The application has to be registered, and nothing says where.",
        "Give `register_url`, or `client.authentication: none` where there is nothing to register.",
    ),
    LintRule(
        "K006",
        "private_network",
        _W,
        "The connector reaches into private networks.",
        "Keep `private_network` only where the API is there; the operator has to allow the network as well.",
        security=True,
    ),
    LintRule(
        "K007",
        "insecure_http",
        _W,
        "The connector may send passwords and tokens over plain http.",
        "Take `insecure_http` out; the operator has to allow it as well.",
        security=True,
    ),
    LintRule(
        "K008",
        "own_authority",
        _I,
        "The connector trusts authorities of its own, and no others.",
        "Keep `tls.ca` only where the provider's certificate is signed by nobody that machines trust by themselves.",
        security=True,
    ),
    LintRule(
        "K009",
        "retires",
        _W,
        "The provider ends this way of connecting on the day that `retires.on` names.",
        "Have the successor ready before that day; 90 days ahead, each connection says so as well.",
    ),
    LintRule(
        "K010",
        "client_address_told",
        _I,
        "Each login passes the end user's IP address on to the provider; the connect page says so.",
        "Keep `client_address_header` only where the provider asks for it. "
        "A renewal by a kept password has no address.",
        security=True,
    ),
    LintRule(
        "K011",
        "placeholder_host",
        _E,
        "This host is a placeholder: it stands in every new file and is nobody's.",
        "Write the provider's own address.",
    ),
    LintRule(
        "K101",
        "field_unused",
        _W,
        "No template uses this field.",
        "Take it out: ask for nothing that isn't needed.",
    ),
    LintRule(
        "K102",
        "secret_not_sealed",
        _W,
        "The name of this field says secret, and its value is kept in the clear.",
        "Give it `type: secret`.",
        security=True,
    ),
    LintRule(
        "K103",
        "label_says_nothing",
        _W,
        "Another input has the same label, or the label doesn't say what is asked.",
        "Write the label that the provider uses for it.",
    ),
    LintRule("K104", "many_fields", _I, "More than four further inputs.", "Ask only for what a login needs."),
    LintRule(
        "K105",
        "single_choice",
        _W,
        "There is only one choice.",
        "Write its value where the field is used, and take the field out.",
    ),
    LintRule(
        "K106",
        "optional_host",
        _W,
        "A field that may be left empty stands in a host; without a value no request can be made.",
        "Give it a default, or take `required: false` out.",
    ),
    LintRule(
        "K107",
        "password_kept_for_nothing",
        _W,
        "The password is kept, and no renewal uses it.",
        "Take `password.keep` out, or name the password in `refresh.strategy`.",
        security=True,
    ),
    LintRule(
        "K108",
        "password_kept",
        _I,
        "The password may be kept, against RFC 6749 §4.3.1: whoever takes over the broker gets it.",
        "Keep it only where the provider gives no refresh token that works.",
        security=True,
    ),
    LintRule(
        "K202",
        "host_from_field",
        _I,
        "The host depends on what the person enters, so it is asked for before the password.",
        "Nothing, where each account has a host of its own.",
    ),
    LintRule(
        "K203",
        "no_lifetime",
        _I,
        "Where an answer names no lifetime, the token is used until the API refuses it.",
        "Give `token.default_ttl` in seconds, or `token.response.expires`.",
    ),
    LintRule(
        "K204",
        "secret_in_query",
        _W,
        "A secret travels in a URL, which servers and proxies on the way write into their logs.",
        "Send it in the body or in a header if the provider takes it there.",
        security=True,
    ),
    LintRule(
        "K205",
        "ip_literal",
        _W,
        "The host is an IP address.",
        "Write a host name; its certificate says who answers.",
        security=True,
    ),
    LintRule(
        "K206",
        "basic_raw",
        _I,
        "Client id and secret go into the header without percent-encoding, against RFC 6749 §2.3.1.",
        "Use `basic` unless the provider fails on it.",
    ),
    LintRule(
        "K207",
        "scope_missing",
        _I,
        "The token request asks for no scope, so the provider grants what it likes.",
        "Ask for the least that the calls need, with `scope` in `token.params`.",
        security=True,
    ),
    LintRule(
        "K208",
        "many_logins",
        _W,
        "More than ten failed logins are allowed in the time given, which may lock the account at the provider.",
        "Stay below the provider's lock-out with `limits`.",
        security=True,
    ),
    LintRule(
        "K209",
        "login_not_repeatable",
        _W,
        "A renewal by the kept password would need a value that is not kept.",
        "Keep the field (`keep: sealed`), or use `refresh.strategy: refresh_only`.",
    ),
    LintRule(
        "K301",
        "ends_with_token",
        _W,
        "Nothing renews the connection: it ends when its first token does.",
        "Use refresh tokens if the provider has them; else say in `notes.warning` how long a connection lasts.",
    ),
    LintRule(
        "K302",
        "refresh_token_elsewhere",
        _I,
        "The access token stands in a place of its own, and nothing says where the refresh token stands.",
        "Give `response.refresh_token` as well, or `refresh: none`.",
    ),
    LintRule(
        "K303",
        "strategy_without_password",
        _W,
        "The strategy names the password, which is never kept.",
        "Use `refresh_only`, or `password.keep: offer` with a reason.",
    ),
    LintRule(
        "K401",
        "no_revoke",
        _W,
        "Disconnecting only forgets the tokens here; at the provider they stay good, and the person is told so.",
        "Give `revoke` if the provider has anything like RFC 7009.",
        security=True,
    ),
    LintRule(
        "K402",
        "revoke_without_token",
        _W,
        "The revocation request names no token.",
        "Put `{{ token }}` into its parameters, headers or URL.",
    ),
    LintRule(
        "K501",
        "test_changes_data",
        _W,
        "The test call has a method that usually changes data, and it runs often.",
        "Use GET or HEAD where the API offers it.",
    ),
    LintRule(
        "K502",
        "test_not_allowed",
        _E,
        "No allowed URL covers the test call, so no connection could be made.",
        "Add it to `allowed_urls`.",
    ),
    LintRule(
        "K503",
        "no_success_rule",
        _I,
        "Any 2xx answer with a body counts as a good test.",
        "Say in `test.expect` what the answer must hold; the value that makes the unique id is a good choice.",
    ),
    LintRule(
        "K602",
        "constant_name",
        _W,
        "Every connection would have the same name.",
        "Take a name or an address of the account from the test's answer.",
    ),
    LintRule(
        "K603",
        "secret_in_name",
        _W,
        "The name or unique id takes in a value whose name says secret; both are shown and stored in the clear.",
        "Take an id or a name of the account.",
        security=True,
    ),
    LintRule(
        "K701",
        "wildcard_host",
        _W,
        "A wildcard lets the token go to every host below a domain.",
        "Name the hosts, or use a field for the part that differs.",
        security=True,
    ),
    LintRule(
        "K704",
        "unused_host",
        _I,
        "Neither the test nor the base of calls is at this host.",
        "Take the rule out unless callers name it as their base.",
    ),
    LintRule(
        "K706",
        "token_endpoint_allowed",
        _W,
        "Calls through a connection may reach the token endpoint.",
        "Narrow the allowed URL to the paths of the API.",
        security=True,
    ),
    LintRule(
        "K707",
        "whole_host_allowed",
        _I,
        "Every path of the host is allowed, while calls go below one path only.",
        "Add the path of the API to the allowed URL.",
        security=True,
    ),
    LintRule(
        "K708",
        "deny_without_effect",
        _W,
        "This denies what no other rule allows.",
        "Compare its host, path and methods with those of the allowed URL that it is to limit, or take it out.",
        security=True,
    ),
    LintRule(
        "K709",
        "allowed_and_denied",
        _W,
        "All that this allows is denied by another rule, and deny wins.",
        "Take one of the two out.",
    ),
    LintRule(
        "K801",
        "mutable_unique_id",
        _W,
        "The unique id looks like a name or an address, which people change.",
        "Take the id that the provider never changes.",
    ),
    LintRule(
        "K803",
        "constant_unique_id",
        _E,
        "Every account has the same unique id, so a second account would take the first one's place.",
        "Take the account's id from the test's answer, the token's claims or a kept value.",
        security=True,
    ),
    LintRule(
        "K804",
        "unique_id_from_form",
        _W,
        "The unique id is only what the person typed; the provider doesn't confirm it.",
        "Take the account's id from an answer, if there is one.",
    ),
    LintRule(
        "K901",
        "secret_literal",
        _E,
        "This looks like a secret, written into the connector for everybody to read.",
        "Make it a field of type secret and name that in a template.",
        security=True,
    ),
    LintRule(
        "K902",
        "reserved_header",
        _E,
        "This header is set by HTTP itself and can't be given.",
        "Take it out.",
        security=True,
    ),
    LintRule(
        "K903",
        "base_not_allowed",
        _W,
        "No allowed URL is at the host of the base URL, so every call would be refused.",
        "Add the host to `allowed_urls`, or correct `request.base_url`.",
    ),
    LintRule(
        "K904",
        "token_not_sent",
        _W,
        "Calls carry no token: the Authorization header is given, and nothing uses the access token.",
        "Put `{{ access_token }}` into a header or query value.",
    ),
    LintRule(
        "K905",
        "encoded_slashes",
        _I,
        "Paths may hold escaped slashes, which servers read in two ways.",
        "Keep it only where the API needs it; both readings of a path have to be allowed.",
        security=True,
    ),
)

RULES: Final[Mapping[str, LintRule]] = {
    rule.code: rule for rule in sorted((*_RULES, *CHALLENGE_RULES, *LOGIN_RULES), key=lambda rule: rule.code)
}
_ORDER: Final = {_E: 0, _W: 1, _I: 2}


def found(code: str, pointer: str) -> LintFinding:
    """Make the finding of a rule."""
    return LintFinding(RULES[code], pointer)


def in_order(findings: list[LintFinding]) -> tuple[LintFinding, ...]:
    """Sort for reading: security first, then the grave before the light, then by step and place."""
    unique = list(dict.fromkeys(findings))
    unique.sort(key=lambda each: (not each.rule.security, _ORDER[each.severity], each.code, each.pointer))
    return tuple(unique)
