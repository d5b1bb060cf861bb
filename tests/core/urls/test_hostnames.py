"""Tests of the one spelling that each host has."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keyturn.core.urls.hostnames import HostError, HostFault, literal_address, normalise_host

HOST_CHARACTERS = st.one_of(
    st.sampled_from(
        [*"abzAZ019.-", "xn--", "ü", "ß", "\u3002", "\uff41", "\u00ad", "\u0301", "مثال", "\u200c", "日本"]
    ),
    st.characters(),
)
HOSTS = st.lists(HOST_CHARACTERS, max_size=20).map("".join)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("API.Example.COM", "api.example.com", id="lower case"),
        pytest.param("api.example.com.", "api.example.com", id="one trailing dot"),
        pytest.param(
            "api\u3002example\uff0ecom\uff61", "api.example.com", id="full stops of other scripts, one at the end"
        ),
        pytest.param("ａｐｉ.example.com", "api.example.com", id="full-width letters"),
        pytest.param("ap\u00adi.example.com", "api.example.com", id="soft hyphen"),
        pytest.param("ap\u200bi.example.com", "api.example.com", id="zero-width space"),
        pytest.param("bücher.example", "xn--bcher-kva.example", id="U-label"),
        pytest.param("BÜCHER.example", "xn--bcher-kva.example", id="upper-case U-label"),
        pytest.param("bu\u0308cher.example", "xn--bcher-kva.example", id="decomposed"),
        pytest.param("XN--BCHER-KVA.example", "xn--bcher-kva.example", id="upper-case A-label"),
        pytest.param("ｘｎ－－bcher-kva.example", "xn--bcher-kva.example", id="A-label in full-width letters"),
        pytest.param("straße.example", "xn--strae-oqa.example", id="sharp s stays"),
        pytest.param("STRAẞE.example", "xn--strae-oqa.example", id="capital sharp s"),
        pytest.param("نامه\u200cای.example", "xn--mgba3gch31f060k.example", id="joiner where the script needs it"),
        pytest.param("مثال.إختبار", "xn--mgbh0fb.xn--kgbechtv", id="right to left"),
        pytest.param("l·l.example", "xn--ll-0ea.example", id="middle dot between two l"),
        pytest.param("a--b.example", "a--b.example", id="two hyphens"),
        pytest.param("ab--c.example", "ab--c.example", id="hyphens in third and fourth place"),
        pytest.param("3com.4chan", "3com.4chan", id="labels that begin with a digit"),
        pytest.param("127.0.0.1.nip.example", "127.0.0.1.nip.example", id="begins like an address"),
        pytest.param("a.0b", "a.0b", id="last label not all digits"),
        pytest.param("a.0xg", "a.0xg", id="last label not all hex"),
        pytest.param("a.x0", "a.x0", id="last label no hex number"),
        pytest.param("intranet", "intranet", id="single label"),
        pytest.param("a" * 63 + ".b", "a" * 63 + ".b", id="label of 63"),
        pytest.param("a." * 126 + "b", "a." * 126 + "b", id="name of 253"),
        pytest.param("a." * 126 + "b.", "a." * 126 + "b", id="name of 253 and a dot"),
        pytest.param("a" + "\u00ad" * 3000 + ".b", "a.b", id="long only as written"),
        pytest.param(
            "a" * 20 + "\u00ad" * 1003 + "u\u0308.b", normalise_host("a" * 20 + "ü.b"), id="composed over a cut"
        ),
        pytest.param("0.0.0.0", "0.0.0.0", id="lowest IPv4"),
        pytest.param("255.249.199.99", "255.249.199.99", id="IPv4 of many widths"),
        pytest.param("[2001:DB8:0:0::1]", "[2001:db8::1]", id="IPv6"),
        pytest.param("[::ffff:192.0.2.1]", normalise_host("[::ffff:c000:201]"), id="IPv6 with dotted end"),
        pytest.param("[1:2:3:4:5:6:7::]", "[1:2:3:4:5:6:7:0]", id="double colon for one group"),
    ],
)
def test_normalise_host(text: str, expected: str) -> None:
    """Every spelling of a host becomes the same text."""
    assert expected == normalise_host(text)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        pytest.param("", HostFault.EMPTY, id="nothing"),
        pytest.param(".", HostFault.EMPTY, id="only a dot"),
        pytest.param("\u00ad", HostFault.EMPTY, id="only a soft hyphen"),
        pytest.param("a..b", HostFault.EMPTY, id="empty label"),
        pytest.param(".a", HostFault.EMPTY, id="leading dot"),
        pytest.param("a.b..", HostFault.EMPTY, id="two trailing dots"),
        pytest.param("a.b.\u3002", HostFault.EMPTY, id="two trailing dots, one ideographic"),
        pytest.param("a.\u00ad.b", HostFault.EMPTY, id="label that maps to nothing"),
        *(
            pytest.param(f"a{character}b.example", HostFault.CHARACTER, id=f"ASCII {ord(character):02x}")
            for character in map(chr, range(128))
            if not character.isalnum() and character not in ".-"
        ),
        pytest.param("a＠b.example", HostFault.CHARACTER, id="full-width at sign"),
        pytest.param("＊.example", HostFault.CHARACTER, id="full-width asterisk"),
        pytest.param("a＿b.example", HostFault.CHARACTER, id="full-width low line"),
        pytest.param("a℀b.example", HostFault.CHARACTER, id="maps to a slash inside"),
        pytest.param("［::1］", HostFault.CHARACTER, id="full-width brackets"),
        pytest.param("a\ud800b.example", HostFault.CHARACTER, id="lone surrogate"),
        pytest.param("a" * 1030 + "＠", HostFault.CHARACTER, id="behind the first cut"),
        pytest.param("-a.example", HostFault.LABEL, id="leading hyphen"),
        pytest.param("a-.example", HostFault.LABEL, id="trailing hyphen"),
        pytest.param("a.-", HostFault.LABEL, id="only a hyphen"),
        pytest.param("ab--ü.example", HostFault.LABEL, id="hyphens in third and fourth place of a U-label"),
        pytest.param("xn--ü.example", HostFault.LABEL, id="A-label prefix on a U-label"),
        pytest.param("xn--.example", HostFault.LABEL, id="A-label of nothing"),
        pytest.param("xn--a.example", HostFault.LABEL, id="A-label that decodes to a control character"),
        pytest.param("xn--abc-.example", HostFault.LABEL, id="A-label of an ASCII label"),
        pytest.param("xn--bcher-kv.example", HostFault.LABEL, id="A-label cut off"),
        pytest.param("xn---bbk.example", HostFault.LABEL, id="second A-label of the same characters"),
        pytest.param("xn--99999999.example", HostFault.LABEL, id="A-label beyond Unicode"),
        pytest.param("xn--strasse-oqa.example", HostFault.LABEL, id="A-label of something else"),
        pytest.param("☃.example", HostFault.LABEL, id="symbol"),
        pytest.param("xn--n3h.example", HostFault.LABEL, id="A-label of a symbol"),
        pytest.param("💩.example", HostFault.LABEL, id="emoji"),
        pytest.param("\u0301a.example", HostFault.LABEL, id="combining mark first"),
        pytest.param("a\u200cb.example", HostFault.LABEL, id="joiner without need"),
        pytest.param("l·a.example", HostFault.LABEL, id="middle dot elsewhere"),
        pytest.param("aمثال.example", HostFault.LABEL, id="left to right, then right to left"),
        pytest.param("مثالa.example", HostFault.LABEL, id="right to left, then left to right"),
        pytest.param("a" * 64 + ".b", HostFault.LENGTH, id="label of 64"),
        pytest.param("ü" * 58 + ".b", HostFault.LENGTH, id="A-label over 63"),
        pytest.param("ü" * 64 + ".b", HostFault.LENGTH, id="U-label over 63"),
        pytest.param("a." * 126 + "bc", HostFault.LENGTH, id="name of 254"),
        pytest.param("ü." * 40 + "example", HostFault.LENGTH, id="name over 253 in A-labels"),
        pytest.param("1", HostFault.IPV4_FORM, id="decimal number"),
        pytest.param("0", HostFault.IPV4_FORM, id="zero"),
        pytest.param("0x", HostFault.IPV4_FORM, id="empty hex number"),
        pytest.param("0X7F.1", HostFault.IPV4_FORM, id="mixed"),
        pytest.param("1.2.3.0x4", HostFault.IPV4_FORM, id="hex part"),
        pytest.param("1.2.3", HostFault.IPV4_FORM, id="three parts"),
        pytest.param("1.2.3.4.5", HostFault.IPV4_FORM, id="five parts"),
        pytest.param("a.2.3.4", HostFault.IPV4_FORM, id="letter in front"),
        pytest.param("example.4", HostFault.IPV4_FORM, id="name that ends in a number"),
        pytest.param("1.2.3.256", HostFault.IPV4_FORM, id="over 255"),
        pytest.param("1.2.3.260", HostFault.IPV4_FORM, id="well over 255"),
        pytest.param("1.2.3.04", HostFault.IPV4_FORM, id="leading zero"),
        pytest.param("1.2.3.4.", HostFault.IPV4_FORM, id="trailing dot"),
        pytest.param("１.2.3.4", HostFault.IPV4_FORM, id="full-width digit"),
        pytest.param("1\u30022.3.4", HostFault.IPV4_FORM, id="ideographic full stop"),
        pytest.param("1.2.3.4\u00ad", HostFault.IPV4_FORM, id="soft hyphen behind"),
        pytest.param("a.१२", HostFault.IPV4_FORM, id="digits of another script"),
        pytest.param("[]", HostFault.IPV6_FORM, id="empty brackets"),
        pytest.param("[", HostFault.IPV6_FORM, id="only a bracket"),
        pytest.param("[::1", HostFault.IPV6_FORM, id="not closed"),
        pytest.param("[::1].", HostFault.IPV6_FORM, id="dot behind"),
        pytest.param("[1.2.3.4]", HostFault.IPV6_FORM, id="IPv4 in brackets"),
        pytest.param("[::1%eth0]", HostFault.IPV6_FORM, id="zone id"),
        pytest.param("[::1%25eth0]", HostFault.IPV6_FORM, id="escaped zone id"),
        pytest.param("[v1.a]", HostFault.IPV6_FORM, id="IPvFuture"),
        pytest.param("[::1/64]", HostFault.IPV6_FORM, id="network"),
        pytest.param("[:::1]", HostFault.IPV6_FORM, id="three colons"),
        pytest.param("[2606::4700::1]", HostFault.IPV6_FORM, id="two double colons"),
        pytest.param("[1:2:3:4:5:6:7:8:9]", HostFault.IPV6_FORM, id="nine groups"),
        pytest.param("[00001::]", HostFault.IPV6_FORM, id="five digits"),
        pytest.param("[::1.2.3.04]", HostFault.IPV6_FORM, id="leading zero in the dotted end"),
        pytest.param("[::１]", HostFault.IPV6_FORM, id="full-width digit in brackets"),
        pytest.param("::1", HostFault.CHARACTER, id="without brackets"),
    ],
)
def test_what_is_no_host_is_refused(text: str, fault: HostFault) -> None:
    """A text that names no host, or an address in an odd form, is refused with what is wrong."""
    with pytest.raises(HostError) as caught:
        normalise_host(text)

    assert fault == caught.value.fault


@pytest.mark.parametrize(
    "text", ["geheim wort.example", "geheim＠.example", "geheim-.example", "xn--geheim.example", "[geheim]"]
)
def test_the_error_says_nothing_of_the_text(text: str) -> None:
    """What was typed never gets into a message, nor into what the message was raised from."""
    with pytest.raises(HostError) as caught:
        normalise_host(text)

    assert "geheim" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@given(HOSTS)
@example("[::FFFF:1.2.3.4]")
def test_a_normalised_host_stays_as_it_is(text: str) -> None:
    """Normalising is total and idempotent, and gives lower-case ASCII of a name's length."""
    try:
        host = normalise_host(text)
    except HostError:
        return

    assert host == normalise_host(host)
    assert host == host.lower()
    assert host.isascii()
    assert len(host) <= 253


@given(st.text(st.characters(categories=["Ll", "Lo", "Nd", "Mn"]), max_size=12))
def test_canonically_equivalent_hosts_are_one(label: str) -> None:
    """Composed and decomposed spellings of a host are the same host, or none."""
    verdicts = []
    for form in ("NFC", "NFD"):
        try:
            verdicts.append(normalise_host(unicodedata.normalize(form, label) + ".example"))
        except HostError:
            verdicts.append("")

    assert verdicts[0] == verdicts[1]


@given(st.ip_addresses())
def test_addresses_are_literals(address: object) -> None:
    """Every address, plainly written, is a host and gives itself back."""
    written = f"[{address}]" if ":" in str(address) else str(address)

    assert str(address) == literal_address(normalise_host(written))


@pytest.mark.parametrize("host", ["example.com", "1.2.3.4.example", "xn--bcher-kva.example"])
def test_names_are_no_literals(host: str) -> None:
    """A name gives no address, however it begins."""
    assert literal_address(host) is None


@given(st.text(st.sampled_from("ab1x-.n0"), max_size=12))
@example("xn--a.b")
@example("a.0x1")
@example("a" * 63 + ".b")
@example("a" * 64 + ".b")
@example(("a" * 60 + ".") * 4 + "b" * 9)
@example(("a" * 60 + ".") * 4 + "b" * 10)
def test_what_is_ordinary_is_no_other_host(text: str) -> None:
    """The short way for plain names gives what the mapping gives, or the same refusal."""
    assert _outcome(text) == _outcome(text.replace("a", "A").replace("b", "B").replace("x", "\uff58"))


def _outcome(text: str) -> str:
    try:
        return normalise_host(text)
    except HostError as error:
        return f"refused: {error.fault}"
