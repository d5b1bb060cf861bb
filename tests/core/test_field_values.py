"""What a person typed, held against what the connector declares."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.core.connector import Field, FieldType, UsernameInput
from keyturn.core.field_values import (
    check_answers,
    check_fields,
    check_hosts,
    check_owner,
    check_password,
    check_username,
    origin_of,
)
from keyturn.core.secret import Secret
from keyturn.core.templates import Template

T = FieldType


def one(kind: FieldType = T.TEXT, **more: Any) -> Field:
    """A field with the key `f`."""
    return Field("f", "F", kind, **more)


READ = [
    pytest.param(one(), "  a b ", "a b", id="text, trimmed"),
    pytest.param(one(), 7, "7", id="text from a number"),
    pytest.param(one(), Secret("x"), "x", id="text that came wrapped"),
    pytest.param(one(), "x" * 4096, "x" * 4096, id="the longest"),
    pytest.param(one(T.SECRET), "  s ", Secret("  s "), id="a secret byte for byte"),
    pytest.param(one(T.OTP), "012345", Secret("012345"), id="a code"),
    pytest.param(one(T.OTP), " 012 345 ", Secret("012345"), id="a code with blanks"),
    pytest.param(one(T.OTP), "012–34-5", Secret("012345"), id="a code with dashes"),
    pytest.param(one(T.OTP), " ab12-cd34 ", Secret("ab12-cd34"), id="dashes of a code with letters"),
    pytest.param(one(T.OTP, pattern="[0-9]{3}-[0-9]{3}"), " 012-345", Secret("012-345"), id="the provider's dashes"),
    pytest.param(one(T.TOTP_SEED), "JBSWY3DPEHPK3PXP", Secret("JBSWY3DPEHPK3PXP"), id="a seed"),
    pytest.param(one(T.NUMBER), "12", 12, id="a number"),
    pytest.param(one(T.NUMBER), " -1.5 ", -1.5, id="with a fraction"),
    pytest.param(one(T.NUMBER), 3, 3, id="a number as such"),
    pytest.param(one(T.NUMBER), "9" * 18, int("9" * 18), id="the longest number"),
    pytest.param(one(T.BOOLEAN), "ON", True, id="true in words"),
    pytest.param(one(T.BOOLEAN), "0", False, id="false in digits"),
    pytest.param(one(T.BOOLEAN), False, False, id="false as such"),
    pytest.param(one(T.CHOICE, choices={"eu": "EU"}), "eu", "eu", id="a choice"),
    pytest.param(one(T.EMAIL), "jo@acme.example", "jo@acme.example", id="an address"),
    pytest.param(one(T.URL), "HTTPS://acme.example/x?y", "HTTPS://acme.example/x?y", id="a URL"),
    pytest.param(one(T.URL), "http://acme.example", "http://acme.example", id="a URL without a path"),
    pytest.param(one(T.HOST, hosts=("*.acme.example",)), "EU.Acme.Example.", "eu.acme.example", id="a host"),
    pytest.param(one(T.HOST, hosts=("acme.example",)), "acme.example", "acme.example", id="the host itself"),
    pytest.param(one(T.HOST, hosts=("*.Acme.example",)), "a.b.acme.example", "a.b.acme.example", id="deeper"),
    pytest.param(one(T.HOST, self_hosted=True), "my.server.example", "my.server.example", id="any host"),
    pytest.param(one(pattern="[a-z]+"), "abc", "abc", id="its pattern"),
    pytest.param(one(min_length=2, max_length=3), "ab", "ab", id="long enough"),
    pytest.param(one(min_length=2, max_length=3), "abc", "abc", id="short enough"),
    pytest.param(one(default="d"), None, "d", id="a default for nothing"),
    pytest.param(one(default="d"), "", "d", id="a default for an empty text"),
    pytest.param(one(T.BOOLEAN, default=False), None, False, id="a default that is false"),
]


@pytest.mark.parametrize(("declared", "given_value", "value"), READ)
def test_a_good_value_is_read(declared: Field, given_value: object, value: object) -> None:
    """In its type, trimmed where it is no secret."""
    values, errors = check_fields([declared], {"f": given_value})

    assert ([], {"f": value}) == (errors, values)
    assert type(value) is type(values["f"])


REFUSED = [
    pytest.param(one(), None, "required", id="nothing"),
    pytest.param(one(), "", "required", id="empty"),
    pytest.param(one(), True, "invalid", id="no text"),
    pytest.param(one(), ["x"], "invalid", id="a list"),
    pytest.param(one(), "a\nb", "invalid", id="a line break"),
    pytest.param(one(), "a\x7fb", "invalid", id="delete"),
    pytest.param(one(), "x" * 4097, "invalid", id="too long"),
    pytest.param(one(T.SECRET), "a\x00", "invalid", id="a control character in a secret"),
    pytest.param(one(T.NUMBER), "1e3", "invalid", id="no plain number"),
    pytest.param(one(T.NUMBER), "9" * 19, "invalid", id="too many digits"),
    pytest.param(one(T.NUMBER), float("nan"), "invalid", id="not a number"),
    pytest.param(one(T.NUMBER), float("inf"), "invalid", id="endless"),
    pytest.param(one(T.NUMBER), True, "invalid", id="a truth is no number"),
    pytest.param(one(T.BOOLEAN), "maybe", "invalid", id="neither true nor false"),
    pytest.param(one(T.BOOLEAN), 1, "invalid", id="a number is no truth"),
    pytest.param(one(T.CHOICE, choices={"eu": "EU"}), "us", "invalid", id="none of the choices"),
    pytest.param(one(T.EMAIL), "jo", "invalid", id="no address"),
    pytest.param(one(T.EMAIL), "j o@x", "invalid", id="a blank in it"),
    pytest.param(one(T.EMAIL), "@x", "invalid", id="nobody"),
    pytest.param(one(T.URL), "ftp://x.example", "invalid", id="another scheme"),
    pytest.param(one(T.URL), "https://", "invalid", id="no host"),
    pytest.param(one(T.URL), "https://jo@x.example", "invalid", id="a user in it"),
    pytest.param(one(T.URL), "https://x.example\\@y", "invalid", id="a backslash"),
    pytest.param(one(T.HOST, self_hosted=True), "a b", "invalid", id="no host"),
    pytest.param(one(T.HOST, self_hosted=True), "https://x.example", "invalid", id="a URL is no host"),
    pytest.param(one(T.HOST, hosts=("*.acme.example",)), "acme.example", "invalid", id="the domain of the wildcard"),
    pytest.param(one(T.HOST, hosts=("*.acme.example",)), "xacme.example", "invalid", id="only its end"),
    pytest.param(one(T.HOST, hosts=("*.acme.example",)), "acme.example.evil.example", "invalid", id="only its start"),
    pytest.param(one(T.HOST, hosts=("acme.example",)), "x.acme.example", "invalid", id="no wildcard"),
    pytest.param(one(T.HOST), "acme.example", "invalid", id="no host is allowed"),
    pytest.param(one(pattern="[a-z]+"), "abc1", "invalid", id="more than its pattern"),
    pytest.param(one(pattern="[a-z]+"), "1abc", "invalid", id="its pattern in the middle"),
    pytest.param(one(min_length=2), "a", "invalid", id="too short"),
    pytest.param(one(max_length=3), "abcd", "invalid", id="over its length"),
]


@pytest.mark.parametrize(("declared", "given_value", "code"), REFUSED)
def test_a_bad_value_is_refused_by_its_field(declared: Field, given_value: object, code: str) -> None:
    """And not said again: what was typed may be a secret."""
    values, errors = check_fields([declared], {"f": given_value})

    assert ([("/fields/f", code)], {}) == ([(e.pointer, e.code) for e in errors], values)
    if isinstance(given_value, str) and len(given_value) > 4:
        assert given_value not in errors[0].message


def test_an_optional_value_may_be_left_out() -> None:
    """It is then absent, not empty."""
    assert ({}, []) == check_fields([one(required=False)], {"f": ""})
    assert ({}, []) == check_fields([one(T.NUMBER, required=False)], {})


def test_every_wrong_value_is_named_at_once() -> None:
    """With the good ones read, and an unknown key told by the keys that there are."""
    fields = [Field("a", "A"), Field("b", "B", T.NUMBER), Field("c", "C")]

    values, errors = check_fields(fields, {"b": "x", "c": "fine", "canary-key": 1, "another": 2})

    assert {"c": "fine"} == values
    assert [("/fields", "unknown_field"), ("/fields/a", "required"), ("/fields/b", "invalid")] == [
        (each.pointer, each.code) for each in errors
    ]
    assert "a, b, c" in errors[0].message
    assert "canary" not in errors[0].message
    assert "no fields" in check_fields([], {"x": 1})[1][0].message


def test_a_pattern_can_not_be_made_to_run_for_long() -> None:
    """What the person types is theirs; the time that it takes is ours."""
    declared = one(pattern="[a-z]*[a-z]*[a-z]*!")
    began = time.monotonic()

    _, errors = check_fields([declared], {"f": "a" * 4000})

    assert 1 == len(errors)
    assert time.monotonic() - began < 2


@given(st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none(), st.lists(st.integers())))
def test_any_input_is_read_or_refused(value: object) -> None:
    """Whatever JSON can hold: a value or an error, never both, never a crash."""
    for kind in FieldType:
        values, errors = check_fields([Field("f", "F", kind, choices={"a": "A"}, self_hosted=True)], {"f": value})
        assert (1, 0) == (len(values) + len(errors), len(values) * len(errors))


USERNAMES = [
    ("jo", T.TEXT, None),
    (" jo ", T.TEXT, None),
    ("x" * 4096, T.TEXT, None),
    ("x" * 4097, T.TEXT, "invalid"),
    ("a\tb", T.TEXT, "invalid"),
    ("", T.TEXT, "required"),
    ("  ", T.TEXT, "required"),
    (None, T.TEXT, "required"),
    (7, T.TEXT, "required"),
    ("jo@acme.example", T.EMAIL, None),
    (" jo@acme.example ", T.EMAIL, None),
    ("jo", T.EMAIL, "invalid"),
]


@pytest.mark.parametrize(("name", "kind", "code"), USERNAMES)
def test_a_username_is_checked(name: object, kind: FieldType, code: str | None) -> None:
    """It is sent as it is, so blanks around it stay."""
    errors = check_username(UsernameInput(type=kind), name)

    assert ([] if code is None else [("/username", code)]) == [(e.pointer, e.code) for e in errors]


PASSWORDS = [
    (Secret("x"), None),
    (Secret(" \x00\n"), None),
    (Secret("x" * 4096), None),
    (Secret("x" * 4097), "invalid"),
    (Secret(""), "required"),
    (None, "required"),
]


@pytest.mark.parametrize(("password", "code"), PASSWORDS)
def test_a_password_may_be_anything_but_nothing(password: Secret | None, code: str | None) -> None:
    """It is sent byte for byte."""
    errors = check_password(password)

    assert ([] if code is None else [("/password", code)]) == [(e.pointer, e.code) for e in errors]


OWNERS = [
    ("o", None),
    ("x" * 255, None),
    ("x" * 256, "invalid"),
    ("a\nb", "invalid"),
    (" ", "required"),
    ("", "required"),
    (None, "required"),
    (7, "required"),
]


@pytest.mark.parametrize(("owner", "code"), OWNERS)
def test_an_owner_has_1_to_255_characters(owner: object, code: str | None) -> None:
    """And is no number: ids are texts."""
    assert ([] if code is None else [("/owner", code)]) == [(e.pointer, e.code) for e in check_owner(owner)]


HOSTS = [
    pytest.param("https://{{ f }}.acme.example/x", "eu-1", None, id="one label"),
    pytest.param("https://{{ f }}.acme.example", "a.b", "invalid", id="two labels"),
    pytest.param("https://{{ f }}.acme.example", "evil.example/", "invalid", id="a way out"),
    pytest.param("https://{{ f }}.acme.example", "a_b", "invalid", id="no label"),
    pytest.param("https://{{ f }}.acme.example", "-a", "invalid", id="a hyphen first"),
    pytest.param("https://{{ f }}.acme.example", "x" * 64, "invalid", id="too long"),
    pytest.param("https://*.{{ f }}.acme.example/api", "eu", None, id="in an allowed URL"),
    pytest.param("https://*.{{ f }}.acme.example/api", "e/u", "invalid", id="out of an allowed URL"),
    pytest.param("https://{{ f }}", "acme.example", None, id="the whole host"),
    pytest.param("https://{{ f }}/p?q", "acme example", "invalid", id="no host"),
    pytest.param("https://{{ f }}.acme.example:8443/p", "eu", None, id="with a port"),
    pytest.param("https://acme.example/{{ f }}", "a b/c", None, id="in the path it may be anything"),
    pytest.param("https://acme.example?q={{ f }}", "a b/c", None, id="in the query too"),
    pytest.param("https://{{ f }}.acme.example/x", None, "required", id="absent"),
    pytest.param("https://acme.example/{{ f }}", None, None, id="absent where it does no harm"),
]


@pytest.mark.parametrize(("url", "value", "code"), HOSTS)
def test_a_value_that_makes_no_host_is_refused_by_its_field(url: str, value: str | None, code: str | None) -> None:
    """Before anything is sent, and once however many URLs it stands in."""
    values = {} if value is None else {"f": value}

    errors = check_hosts([Template.parse(url)] * 3, values)

    assert ([] if code is None else [("/fields/f", code)]) == [(e.pointer, e.code) for e in errors]


def test_a_field_with_a_pattern_may_be_several_labels() -> None:
    """Its author said what it looks like."""
    url = Template.parse("https://{{ f }}.acme.example")

    assert [] == check_hosts([url], {"f": "a.b"}, dotted=frozenset({"f"}))
    assert 1 == len(check_hosts([url], {"f": "a..b"}, dotted=frozenset({"f"})))


def test_every_field_that_makes_no_host_is_named() -> None:
    """One finding each."""
    urls = [Template.parse(f"https://{{{{ {name} }}}}.acme.example") for name in ("f", "g")]

    assert ["/fields/f", "/fields/g"] == [each.pointer for each in check_hosts(urls, {"f": "a/b", "g": "c d"})]


ORIGINS = [
    ("https://a.example", "https://a.example"),
    ("https://a.example/x/{{ f }}", "https://a.example"),
    ("https://a.example:8443?{{ f }}", "https://a.example:8443"),
    ("https://{{ f }}.a.example/x?y", "https://{{ f }}.a.example"),
    ("https://{{ f }}", "https://{{ f }}"),
    ("https://{{ f }}/{{ g }}", "https://{{ f }}"),
    ("https://*.{{ f }}.a.example#x", "https://*.{{ f }}.a.example"),
]


@pytest.mark.parametrize(("url", "origin"), ORIGINS)
def test_the_origin_is_cut_off_behind_host_and_port(url: str, origin: str) -> None:
    """What a connection is pinned to hangs on no value of the path."""
    assert [p for p in Template.parse(origin).parts if p] == [p for p in origin_of(Template.parse(url)).parts if p]


FIELDS = (
    Field("kind", "Kind", T.CHOICE, choices={"cloud": "Cloud", "own": "Own"}, default="cloud"),
    Field("host", "Host", T.HOST, self_hosted=True, visible_when={"kind": ("own",)}),
    Field("proxy", "Proxy", T.BOOLEAN, required=False, visible_when={"host": ("a.example", "b.example")}),
)


@pytest.mark.parametrize(
    ("given_values", "expected", "wrong"),
    [
        pytest.param({}, {"kind": "cloud"}, [], id="hidden by a default"),
        pytest.param({"kind": "cloud", "host": ""}, {"kind": "cloud"}, [], id="hidden, and sent empty by a form"),
        pytest.param({"host": "a.example"}, {"kind": "cloud"}, [("/fields/host", "not_allowed")], id="hidden, given"),
        pytest.param({"kind": "own"}, {"kind": "own"}, [("/fields/host", "required")], id="shown, and missing"),
        pytest.param({"kind": "own", "host": "c.example"}, {"kind": "own", "host": "c.example"}, [], id="shown"),
        pytest.param(
            {"kind": "own", "host": "b.example", "proxy": "on"},
            {"kind": "own", "host": "b.example", "proxy": True},
            [],
            id="one of several values",
        ),
        pytest.param(
            {"kind": "cloud", "proxy": True},
            {"kind": "cloud"},
            [("/fields/proxy", "not_allowed")],
            id="hidden by a hidden one",
        ),
        pytest.param({"kind": "none", "host": "a.example"}, {}, [("/fields/kind", "invalid")], id="no way to tell"),
    ],
)
def test_fields_that_depend_on_others(
    given_values: dict[str, Any], expected: dict[str, Any], wrong: list[tuple[str, str]]
) -> None:
    """A hidden field is not required, and a value for it is refused."""
    values, errors = check_fields(FIELDS, given_values)

    assert expected == values
    assert wrong == [(each.pointer, each.code) for each in errors]


def test_answers_are_checked_like_fields() -> None:
    """Against the questions as they were asked, each error at its answer, nothing echoed."""
    ask = (
        Field("otp", "Code", T.OTP, min_length=6),
        Field("how", "How", T.CHOICE, choices={"sms": "SMS"}),
        Field("note", "Note", required=False),
    )

    assert ({"otp": Secret("123456"), "how": "sms"}, []) == check_answers(ask, {"otp": "123 456", "how": "sms"})
    values, errors = check_answers(ask, {"otp": " ", "how": "pigeon", "more": "hunter2"})
    assert {} == values
    assert [("/answers", "unknown_field"), ("/answers/otp", "required"), ("/answers/how", "invalid")] == [
        (each.pointer, each.code) for each in errors
    ]
    assert not any(text in each.message for each in errors for text in ("pigeon", "hunter2"))
    assert [("/answers/otp", "too_short")] == [
        (each.pointer, each.rule) for each in check_answers(ask[:1], {"otp": "12 345"})[1]
    ]


def test_nothing_is_asked() -> None:
    """What is confirmed elsewhere takes no answer."""
    assert ({}, []) == check_answers((), {})
    assert ["Nothing is asked."] == [each.message for each in check_answers((), {"a": "b"})[1]]


def test_what_is_no_seed_is_refused_without_an_echo() -> None:
    """The form of a seed is checked before anything is kept."""
    _, errors = check_fields([one(T.TOTP_SEED)], {"f": "JBSWY3DP"})

    assert [("/fields/f", "not_seed")] == [(each.pointer, each.rule) for each in errors]
    assert "JBSWY3DP" not in errors[0].message
