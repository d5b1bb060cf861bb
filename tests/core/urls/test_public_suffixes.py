"""Tests of where the names that anybody may register begin."""

from __future__ import annotations

import pytest

from keyturn.adapters.suffix_list import load_public_suffixes
from keyturn.core.urls.public_suffixes import PublicSuffixes, UnreadableSuffixList, registrable_domain

LIST = """\
// ===BEGIN ICANN DOMAINS===
com
jp

*.kawasaki.jp
!city.kawasaki.jp
uk   // what follows white space is no part of the entry
co.uk\tnor is this
cn
公司.cn
// ===END ICANN DOMAINS===
// ===BEGIN PRIVATE DOMAINS===
github.io
*.compute.example
// ===END PRIVATE DOMAINS===
"""
SUFFIXES = PublicSuffixes.from_text(LIST)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        pytest.param("com", True, id="entry"),
        pytest.param("example.com", False, id="below an entry"),
        pytest.param("co.uk", True, id="entry before a tab"),
        pytest.param("uk", True, id="entry before spaces"),
        pytest.param("xco.uk", False, id="ends in an entry's letters"),
        pytest.param("github.io", True, id="private section"),
        pytest.param("mine.github.io", False, id="below the private section"),
        pytest.param("io", True, id="single label above an entry"),
        pytest.param("unlisted", True, id="single label without an entry"),
        pytest.param("a.unlisted", False, id="below a label without an entry"),
        pytest.param("a.kawasaki.jp", True, id="below a wildcard entry"),
        pytest.param("b.a.kawasaki.jp", False, id="two below a wildcard entry"),
        pytest.param("kawasaki.jp", True, id="base of a wildcard entry"),
        pytest.param("xkawasaki.jp", False, id="ends in that base's letters"),
        pytest.param("city.kawasaki.jp", False, id="exception entry"),
        pytest.param("a.city.kawasaki.jp", False, id="below an exception entry"),
        pytest.param("compute.example", True, id="base of a wildcard entry without an entry of its own"),
        pytest.param("a.compute.example", True, id="below that base"),
        pytest.param("xn--55qx5d.cn", True, id="entry in Unicode"),
        pytest.param("a.xn--55qx5d.cn", False, id="below an entry in Unicode"),
    ],
)
def test_is_public_suffix(host: str, expected: bool) -> None:
    """A wildcard may stand only over what somebody owns whole."""
    assert expected == SUFFIXES.is_public_suffix(host)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        pytest.param("com", None, id="suffix"),
        pytest.param("example.com", "example.com", id="itself"),
        pytest.param("a.b.example.com", "example.com", id="below"),
        pytest.param("a.shop.co.uk", "shop.co.uk", id="suffix of two labels"),
        pytest.param("c.b.a.kawasaki.jp", "b.a.kawasaki.jp", id="wildcard entry"),
        pytest.param("a.kawasaki.jp", None, id="suffix by a wildcard entry"),
        pytest.param("kawasaki.jp", "kawasaki.jp", id="base of a wildcard entry, by the list's own algorithm"),
        pytest.param("city.kawasaki.jp", "city.kawasaki.jp", id="exception entry"),
        pytest.param("a.city.kawasaki.jp", "city.kawasaki.jp", id="below an exception entry"),
        pytest.param("b.a.unlisted", "a.unlisted", id="no entry"),
        pytest.param("intranet", None, id="single label"),
        pytest.param("192.0.2.1", None, id="IPv4 address"),
        pytest.param("[2001:db8::1]", None, id="IPv6 address"),
    ],
)
def test_registrable_domain(host: str, expected: str | None) -> None:
    """The registrable domain is the suffix and one label, and a suffix or an address has none."""
    assert expected == registrable_domain(host, SUFFIXES)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="nothing"),
        pytest.param("// only a comment\n\n", id="no entry"),
        pytest.param("com\na.*.example\n", id="asterisk inside"),
        pytest.param("com\n*\n", id="only an asterisk"),
        pytest.param("com\n*.\n", id="asterisk over nothing"),
        pytest.param("com\n!\n", id="exception of nothing"),
        pytest.param("<html>com</html>\n", id="a page instead of the list"),
    ],
)
def test_a_list_that_cannot_be_read_in_full_is_an_error(text: str) -> None:
    """No entry is passed over in silence."""
    with pytest.raises(UnreadableSuffixList):
        PublicSuffixes.from_text(text)


# From the vectors that publicsuffix.org publishes with the list, in the public domain.
@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("com", None),
        ("www.example.com", "example.com"),
        ("b.example.example", "example.example"),
        ("biz", None),
        ("a.b.domain.biz", "domain.biz"),
        ("uk.com", None),
        ("b.example.uk.com", "example.uk.com"),
        ("test.ac", "test.ac"),
        ("c.mm", None),
        ("a.b.c.mm", "b.c.mm"),
        ("ac.jp", None),
        ("www.test.ac.jp", "test.ac.jp"),
        ("kyoto.jp", None),
        ("test.kyoto.jp", "test.kyoto.jp"),
        ("ide.kyoto.jp", None),
        ("a.b.ide.kyoto.jp", "b.ide.kyoto.jp"),
        ("c.kobe.jp", None),
        ("a.b.c.kobe.jp", "b.c.kobe.jp"),
        ("www.city.kobe.jp", "city.kobe.jp"),
        ("test.ck", None),
        ("a.b.test.ck", "b.test.ck"),
        ("www.www.ck", "www.ck"),
        ("www.test.k12.ak.us", "test.k12.ak.us"),
        ("k12.ak.us", None),
        ("xn--85x722f.com.cn", "xn--85x722f.com.cn"),
        ("www.xn--85x722f.xn--55qx5d.cn", "xn--85x722f.xn--55qx5d.cn"),
        ("xn--55qx5d.cn", None),
        ("xn--fiqs8s", None),
    ],
)
def test_the_installed_list_agrees_with_its_vectors(host: str, expected: str | None) -> None:
    """The installed list, read by us, gives what its publishers say."""
    assert expected == registrable_domain(host, load_public_suffixes())


@pytest.mark.parametrize(
    "host", ["co.uk", "github.io", "herokuapp.com", "kawasaki.jp", "xn--55qx5d.cn", "s3.amazonaws.com"]
)
def test_the_installed_list_holds_both_sections(host: str) -> None:
    """Registries and hosting services are in the installed list alike."""
    assert load_public_suffixes().is_public_suffix(host)
    assert not load_public_suffixes().is_public_suffix(f"b.a.{host}")


def test_the_installed_list_is_read_once() -> None:
    """Ten thousand entries are parsed once per process."""
    assert load_public_suffixes() is load_public_suffixes()
