"""`{{ name }}` and its filters."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyturn.core.errors import ValueAbsent
from keyturn.core.secret import Secret
from keyturn.core.templates import Masked, Template, TemplateError, look_up, mask

VALUES: dict[str, object] = {
    "name": "Ana",
    "padded": "  Ana ",
    "port": 8443,
    "ratio": 2.0,
    "half": 0.5,
    "flag": True,
    "none": None,
    "list": [{"id": 7}, "x"],
    "token": {"account-id": "a1", "deep": {"n": 3}},
    "infinite": float("inf"),
    "password": Secret("p w"),
    "key": Secret("k"),
}


def _md5(raw: bytes) -> bytes:
    return hashlib.md5(raw, usedforsecurity=False).digest()


def _shown(text: str, values: dict[str, object] | None = None) -> str:
    """The rendered text, secret or not."""
    found = Template.parse(text).render(VALUES if values is None else values)
    return found.reveal() if isinstance(found, Secret) else str(found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("plain {text}", "plain {text}", id="no reference"),
        pytest.param("", "", id="empty"),
        pytest.param("{{ name }}", "Ana", id="alone"),
        pytest.param("{{name}}:{{ port }}", "Ana:8443", id="two, with and without blanks"),
        pytest.param("{{ token.account-id }}", "a1", id="path with a hyphen"),
        pytest.param("{{ list[0].id }}", "7", id="index"),
        pytest.param("{{ ratio }} {{ half }}", "2 0.5", id="floats"),
        pytest.param("{{ flag }}", "true", id="boolean"),
        pytest.param("{{ padded | trim }}", "Ana", id="trim"),
        pytest.param("{{ name | lower | base64 }}", "YW5h", id="two filters"),
        pytest.param("{{ name | hex }}", "416e61", id="hex"),
        pytest.param("{{ password | base64url }}", "cCB3", id="of a secret"),
    ],
)
def test_render(text: str, expected: str) -> None:
    """Values stand where they are named, through their filters."""
    assert expected == _shown(text)


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        pytest.param("sha256", hashlib.sha256(b"Ana").hexdigest(), id="a digest that ends the chain is hex"),
        pytest.param("sha256 | hex", hashlib.sha256(b"Ana").hexdigest(), id="hex once"),
        pytest.param("md5 | base64", base64.b64encode(_md5(b"Ana")).decode(), id="raw into base64"),
        pytest.param(
            "sha1 | lower", hashlib.sha1(b"Ana", usedforsecurity=False).hexdigest(), id="hex into a filter of texts"
        ),
        pytest.param("sha256 | trim", hashlib.sha256(b"Ana").hexdigest(), id="hex into trim"),
        pytest.param("md5 | md5", _md5(_md5(b"Ana")).hex(), id="raw into a digest"),
        pytest.param("hmac_sha256(key)", hmac.digest(b"k", b"Ana", "sha256").hex(), id="keyed"),
        pytest.param(
            "hmac_sha256( key ) | base64",
            base64.b64encode(hmac.digest(b"k", b"Ana", "sha256")).decode(),
            id="keyed, raw",
        ),
    ],
)
def test_digests(filters: str, expected: str) -> None:
    """A digest is raw until it is written."""
    assert expected == _shown(f"{{{{ name | {filters} }}}}")


@pytest.mark.parametrize(
    ("text", "offset"),
    [
        pytest.param("a {{ b", 2, id="not closed"),
        pytest.param("a }} b", 2, id="not opened"),
        pytest.param("{{ }}", 2, id="no name"),
        pytest.param("{{ 1a }}", 2, id="a name begins with a letter"),
        pytest.param("{{ a b }}", 2, id="two names"),
        pytest.param("{{ a.b() }}", 2, id="a call"),
        pytest.param("{{ a[-1] }}", 2, id="a negative index"),
        pytest.param("{{ a | nope }}", 2, id="no such filter"),
        pytest.param("{{ a | }}", 2, id="no filter"),
        pytest.param("{{ a | trim(b) }}", 2, id="a key for a plain filter"),
        pytest.param("{{ a | hmac_sha256 }}", 2, id="no key for a keyed filter"),
        pytest.param("{{ a | hmac_sha256(1) }}", 2, id="a key that is no name"),
        pytest.param("{{ a }}{{ {{ b }} }}", 9, id="nested"),
    ],
)
def test_what_is_no_template(text: str, offset: int) -> None:
    """The error says where the text stops being one."""
    with pytest.raises(TemplateError) as caught:
        Template.parse(text)

    assert offset == caught.value.offset


@pytest.mark.parametrize(
    "name", ["absent", "none", "token", "list", "list[2]", "name.upper", "name.__class__", "token.deep.x", "infinite"]
)
def test_an_absent_value(name: str) -> None:
    """What leads to nothing, to null, to an object or list, or to no finite number is absent, and said by its name."""
    with pytest.raises(ValueAbsent) as caught:
        Template.parse(f"{{{{ {name} }}}}").render(VALUES)

    assert name == caught.value.path


def test_an_absent_key() -> None:
    """So is the key of a keyed filter."""
    with pytest.raises(ValueAbsent) as caught:
        Template.parse("{{ name | hmac_sha256(absent) }}").render(VALUES)

    assert "absent" == caught.value.path


@pytest.mark.parametrize(
    "text", ["{{ password }}", "a{{ name }}{{ password }}", "{{ password | sha256 }}", "{{ name | hmac_sha256(key) }}"]
)
def test_what_took_in_a_secret_is_one(text: str) -> None:
    """Also by a filter's key."""
    assert isinstance(Template.parse(text).render(VALUES), Secret)
    assert isinstance(Template.parse("{{ name }}").render(VALUES), str)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{ password }}", "‹password›"),
        ("u={{ name }}&p={{ password }}", "u=Ana&p=‹password›"),
        ("{{ password | sha256 | base64 }}", "‹base64(sha256(password))›"),
        ("{{ password | lower }}{{ key }}", "‹lower(password)›‹key›"),
        ("{{ name | hmac_sha256(key) }}", "‹hmac_sha256(key)(…)›"),
        ("{{ name }}", "Ana"),
    ],
)
def test_masked_values(text: str, expected: str) -> None:
    """A preview shows which secret stands there and what was done with it."""
    masked = mask(VALUES)

    assert isinstance(masked, dict)
    assert expected == str(Template.parse(text).render(masked))


def test_mask_goes_down_and_stops_at_what_is_empty() -> None:
    """Secrets are named by their path; an empty one hides nothing; others stay."""
    found = mask({"a": [Secret("x"), 1], "b": {"c": Secret("y")}, "d": Secret(""), "e": Masked("e")})

    assert {"a": [Masked("a[0]"), 1], "b": {"c": Masked("b.c")}, "d": "", "e": Masked("e")} == found


def test_names_and_roots() -> None:
    """Every path that rendering reads, keys of filters too."""
    template = Template.parse("{{ a.b[0] | hmac_sha256(c.d) }} {{ e }}")

    assert ["a.b[0]", "c.d", "e"] == list(template.names())
    assert template.uses("c")
    assert not template.uses("d", "b")
    assert template.only_reference is None
    assert Template.parse("{{ e }}").only_reference is not None
    assert Template.parse(" {{ e }}").only_reference is None


@pytest.mark.parametrize("value", ["\ud800", Secret("a\udfff")])
@pytest.mark.parametrize("filters", ["trim", "lower", "hex", "base64", "sha256", "hmac_sha256(v)"])
def test_half_a_character_is_no_crash(value: str | Secret, filters: str) -> None:
    """A lone surrogate passes through filters; whoever encodes the result refuses it."""
    assert _shown(f"{{{{ v | {filters} }}}}", {"v": value})


@given(st.text())
def test_values_are_data(value: str) -> None:
    """Whatever a value holds, braces too, it is put in once and not looked at."""
    assert f"<{value}>" == _shown("<{{ v }}>", {"v": value})
    assert value == _shown("{{ v }}", {"v": value})


@given(st.text())
def test_parsing_ends_in_a_template_or_its_error(text: str) -> None:
    """No text crashes the parser, and a template keeps its source."""
    source, offset = text, 0
    try:
        source = Template.parse(text).source
    except TemplateError as error:
        offset = error.offset

    assert text == source
    assert 0 <= offset <= len(text)


@given(st.text(), st.recursive(st.none() | st.text(), lambda inner: st.dictionaries(st.text(), inner), max_leaves=5))
def test_look_up_never_raises(path: str, values: object) -> None:
    """A path leads somewhere or nowhere."""
    found = look_up(path, {"a": values})

    assert found is None or isinstance(found, str | dict)
