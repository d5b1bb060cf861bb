"""Tests of what a connector's token may be sent to."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keyturn.core.urls.allowed_urls import AllowedUrls, InvalidRule, ProxyBase, Reason, Rule, join_path, rule_valid
from keyturn.core.urls.public_suffixes import PublicSuffixes
from keyturn.core.urls.url_paths import TextFault

R = Reason
SUFFIXES = PublicSuffixes.from_text("com\nexample\nco.uk\nuk\ngithub.io\n*.kawasaki.jp\n!city.kawasaki.jp\n公司.cn\n")


def allowed(*rules: str, insecure_http: bool = False) -> AllowedUrls:
    """Read the rules, all of which must be valid."""
    return AllowedUrls([Rule.parse(rule, SUFFIXES) for rule in rules], insecure_http)


@pytest.mark.parametrize(
    "text",
    [
        "https://api.example.com",
        "https://api.example.com/",
        "HTTPS://API.example.com./v2",
        "http://localhost:8080",
        "https://api.example.com:1",
        "https://api.example.com:65535/v2/",
        "https://*.example.com",
        "https://*.mine.github.io:8443/v2",
        "https://*.city.kawasaki.jp",
        "https://*.b.a.kawasaki.jp",
        "https://*.bücher.example",
        "https://192.0.2.1/v2",
        "https://[2001:DB8::1]:8443",
        "https://intranet",
        "https://api.example.com/.well-known/%C3%A9;x=1/é",
        "https://api.example.com/%2A",
        "https://api.example.com/@x:y",
        "https://api.example.com/" + "x" * (8192 - 24),
    ],
)
def test_rules_that_are_valid(text: str) -> None:
    """A rule is a scheme, a host, perhaps a port and a path prefix."""
    assert rule_valid(text, SUFFIXES) is True


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", R.MALFORMED, id="nothing"),
        pytest.param("api.example.com", R.MALFORMED, id="no scheme"),
        pytest.param("//api.example.com", R.MALFORMED, id="no scheme, but slashes"),
        pytest.param("https:api.example.com", R.MALFORMED, id="no slashes"),
        pytest.param("https:/api.example.com", R.MALFORMED, id="one slash"),
        pytest.param("https:///v2", R.MALFORMED, id="no host"),
        pytest.param("httpſ://api.example.com", R.MALFORMED, id="long s in the scheme"),
        pytest.param("ftp://api.example.com", R.SCHEME, id="another scheme"),
        pytest.param("wss://api.example.com", R.SCHEME, id="secure, but another scheme"),
        pytest.param("https://u@api.example.com", R.USERINFO, id="user"),
        pytest.param("https://@api.example.com", R.USERINFO, id="empty user"),
        pytest.param("https://api.example.com:", R.PORT, id="empty port"),
        pytest.param("https://api.example.com:0", R.PORT, id="port 0"),
        pytest.param("https://api.example.com:65536", R.PORT, id="port over 65535"),
        pytest.param("https://api.example.com:0443", R.PORT, id="leading zero"),
        pytest.param("https://api.example.com:100000", R.PORT, id="six digits"),
        pytest.param("https://api.example.com:４43", R.PORT, id="full-width digit in the port"),
        pytest.param("https://api.example.com:4４3", R.PORT, id="full-width digit later in the port"),
        pytest.param("https://api.example.com:+443", R.PORT, id="sign"),
        pytest.param("https://[::1]:", R.PORT, id="empty port behind a bracket"),
        pytest.param("https://:443", R.HOST, id="port without a host"),
        pytest.param("https://api%2eexample.com", R.HOST, id="escape in the host"),
        pytest.param("https://010.0.0.1", R.HOST, id="octal IPv4"),
        pytest.param("https://[::1", R.HOST, id="bracket not closed"),
        pytest.param("https://[::1]x", R.HOST, id="text behind a bracket"),
        pytest.param("https://::1", R.PORT, id="IPv6 without brackets"),
        pytest.param("https://＊.example.com", R.HOST, id="full-width asterisk"),
        pytest.param("https://*", R.WILDCARD, id="only an asterisk"),
        pytest.param("https://*.", R.HOST, id="asterisk over nothing"),
        pytest.param("https://*example.com", R.WILDCARD, id="asterisk not a whole label"),
        pytest.param("https://a*.example.com", R.WILDCARD, id="asterisk inside a label"),
        pytest.param("https://a.*.example.com", R.WILDCARD, id="asterisk as second label"),
        pytest.param("https://*.*.example.com", R.WILDCARD, id="two asterisks"),
        pytest.param("https://*\u3002example.com", R.WILDCARD, id="asterisk before an ideographic full stop"),
        pytest.param("https://example.com:*", R.WILDCARD, id="asterisk for a port"),
        pytest.param("https://example.com/*", R.WILDCARD, id="asterisk in the path"),
        pytest.param("*://example.com", R.MALFORMED, id="asterisk for a scheme"),
        pytest.param("https://*.192.0.2.1", R.WILDCARD, id="asterisk over IPv4"),
        pytest.param("https://*.[2001:db8::1]", R.WILDCARD, id="asterisk over IPv6"),
        pytest.param("https://*.2.1", R.HOST, id="asterisk over the end of an address"),
        pytest.param("https://*..example.com", R.HOST, id="asterisk and an empty label"),
        pytest.param("https://*.com", R.PUBLIC_SUFFIX, id="asterisk over a top level"),
        pytest.param("https://*.COM.", R.PUBLIC_SUFFIX, id="asterisk over a top level, other spelling"),
        pytest.param("https://*.ｃｏｍ", R.PUBLIC_SUFFIX, id="asterisk over a top level in full-width letters"),
        pytest.param("https://*.intranet", R.PUBLIC_SUFFIX, id="asterisk over a single label"),
        pytest.param("https://*.co.uk", R.PUBLIC_SUFFIX, id="asterisk over a suffix"),
        pytest.param("https://*.github.io", R.PUBLIC_SUFFIX, id="asterisk over a private suffix"),
        pytest.param("https://*.kawasaki.jp", R.PUBLIC_SUFFIX, id="asterisk over the base of a wildcard entry"),
        pytest.param("https://*.a.kawasaki.jp", R.PUBLIC_SUFFIX, id="asterisk over a suffix by a wildcard entry"),
        pytest.param("https://*.公司.cn", R.PUBLIC_SUFFIX, id="asterisk over a suffix in Unicode"),
        pytest.param("https://api.example.com?", R.QUERY, id="empty query"),
        pytest.param("https://api.example.com/v2?x=1", R.QUERY, id="query"),
        pytest.param("https://api.example.com#", R.QUERY, id="empty fragment"),
        pytest.param(" https://api.example.com", R.CHARACTER, id="leading space"),
        pytest.param("https://api.example.com\n", R.CHARACTER, id="trailing newline"),
        pytest.param("https://api.example.com\\v2", R.CHARACTER, id="backslash"),
        pytest.param("https://api.example.com/\ud800", R.NOT_UTF8, id="lone surrogate"),
        pytest.param("https://api.example.com/" + "x" * (8193 - 24), R.TOO_LONG, id="8193 bytes"),
        pytest.param("https://api.example.com//", R.EMPTY_SEGMENT, id="two slashes"),
        pytest.param("https://api.example.com/v2//x", R.EMPTY_SEGMENT, id="empty segment inside"),
        pytest.param("https://api.example.com/v2/../x", R.DOT_SEGMENT, id="dot segment"),
        pytest.param("https://api.example.com/%252e", R.DOT_SEGMENT, id="twice escaped dot segment"),
        pytest.param("https://api.example.com/%2f", R.HIDDEN_CHARACTER, id="escaped slash"),
        pytest.param("https://api.example.com/%ff", R.NOT_UTF8, id="escapes that are no UTF-8"),
        pytest.param("https://api.example.com/%", R.BAD_ESCAPE, id="broken escape"),
    ],
)
def test_rules_that_are_invalid(text: str, reason: Reason) -> None:
    """A rule that is doubtful in any part is refused with the reason, and never taken for a wider one."""
    with pytest.raises(InvalidRule) as caught:
        Rule.parse(text, SUFFIXES)

    assert reason is caught.value.reason
    assert "example" not in str(caught.value)
    assert rule_valid(text, SUFFIXES) is False


@pytest.mark.parametrize(
    ("rule", "url", "reason"),
    [
        pytest.param("https://api.example.com", "https://api.example.com", R.ALLOWED, id="no path"),
        pytest.param("https://api.example.com", "HTTPS://API.EXAMPLE.COM.:443/X?y#z", R.ALLOWED, id="other spelling"),
        pytest.param("https://API.example.com.:443", "https://api.example.com/", R.ALLOWED, id="other rule spelling"),
        pytest.param(
            "https://api.example.com", "https://api.example.com:80/", R.NOT_COVERED, id="another default port"
        ),
        pytest.param("https://api.example.com:8443", "https://api.example.com/", R.NOT_COVERED, id="default port only"),
        pytest.param("https://api.example.com", "https://xapi.example.com/", R.NOT_COVERED, id="host as a suffix"),
        pytest.param("https://api.example.com", "https://a.api.example.com/", R.NOT_COVERED, id="label below"),
        pytest.param(
            "https://api.example.com", "https://api.example.com.evil.com/", R.NOT_COVERED, id="host as a prefix"
        ),
        pytest.param("https://api.example.com", "https://api.example.com@evil.com/", R.USERINFO, id="host as a user"),
        pytest.param("https://api.example.com", "https://@api.example.com/", R.USERINFO, id="empty user"),
        pytest.param(
            "https://api.example.com", "https://api.example.com/@evil.com", R.ALLOWED, id="at sign in the path"
        ),
        pytest.param(
            "https://api.example.com", "https://api.example.com?@evil.com", R.ALLOWED, id="at sign in the query"
        ),
        pytest.param(
            "https://api.example.com", "https://api.example.com#@evil.com", R.ALLOWED, id="at sign in the fragment"
        ),
        pytest.param("https://api.example.com", "http://api.example.com/", R.SCHEME, id="one letter short of https"),
        pytest.param("https://api.example.com", "https://api.example.com:/", R.PORT, id="empty port"),
        pytest.param("https://api.example.com", "https://api.example.com:00443/", R.PORT, id="leading zeros"),
        pytest.param("https://api.example.com", "https:///api.example.com/", R.MALFORMED, id="three slashes"),
        pytest.param("https://api.example.com", "https:api.example.com", R.MALFORMED, id="no slashes"),
        pytest.param("https://api.example.com", "https://?x", R.MALFORMED, id="no host but a query"),
        pytest.param("https://api.example.com", "https://api.example.com/\t", R.CHARACTER, id="tab at the end"),
        pytest.param(
            "https://api.example.com", "https://api.example.com/#\u3000", R.CHARACTER, id="space in the fragment"
        ),
        pytest.param(
            "https://api.example.com", "https://api.example.com/#\ud800", R.NOT_UTF8, id="surrogate in the fragment"
        ),
        pytest.param(
            "https://api.example.com", "https://api.example.com/#%/../%2f", R.ALLOWED, id="fragment not judged"
        ),
        pytest.param(
            "https://api.example.com", "https://api.example.com/?%", R.BAD_ESCAPE, id="broken escape in the query"
        ),
        pytest.param(
            "https://api.example.com", "https://api.example.com/?a%00", R.HIDDEN_CHARACTER, id="NUL in the query"
        ),
        pytest.param("https://api.example.com", "https://api.example.com/?../%2f", R.ALLOWED, id="dots in the query"),
        pytest.param("https://api.example.com", "https://api.example.com/../x", R.DOT_SEGMENT, id="dots in the path"),
        pytest.param(
            "https://api.example.com", "https://api.example.com?/../x", R.ALLOWED, id="the query begins early"
        ),
        pytest.param("https://*.example.com", "https://a.example.com/", R.ALLOWED, id="wildcard, one label"),
        pytest.param("https://*.example.com", "https://c.b.a.example.com/", R.ALLOWED, id="wildcard, three labels"),
        pytest.param("https://*.example.com", "https://example.com/", R.NOT_COVERED, id="wildcard, apex"),
        pytest.param("https://*.example.com", "https://aexample.com/", R.NOT_COVERED, id="wildcard, no dot"),
        pytest.param("https://*.example.com", "https://.example.com/", R.HOST, id="wildcard, empty label"),
        pytest.param("https://*.example.com", "https://*.example.com/", R.HOST, id="wildcard, an asterisk itself"),
        pytest.param("https://*.example.com", "https://a.example.com.evil.com/", R.NOT_COVERED, id="wildcard, inside"),
        pytest.param("https://192.0.2.1", "https://192.0.2.1/", R.ALLOWED, id="IPv4"),
        pytest.param("https://192.0.2.1", "https://192.0.2.10/", R.NOT_COVERED, id="another IPv4"),
        pytest.param("https://192.0.2.1", "https://3221225985/", R.HOST, id="the same IPv4 in decimal"),
        pytest.param("https://192.0.2.1", "https://[::ffff:192.0.2.1]/", R.NOT_COVERED, id="the same IPv4 in IPv6"),
        pytest.param(
            "https://[2001:db8::1]", "https://[2001:0DB8::0:1]:443/", R.ALLOWED, id="IPv6 in another spelling"
        ),
        pytest.param("https://[2001:db8::1]", "https://[2001:db8::2]/", R.NOT_COVERED, id="another IPv6"),
        pytest.param("https://api.example.com/v2", "https://api.example.com/v2", R.ALLOWED, id="the prefix"),
        pytest.param(
            "https://api.example.com/v2", "https://api.example.com/v2/", R.ALLOWED, id="the prefix and a slash"
        ),
        pytest.param("https://api.example.com/v2", "https://api.example.com/v2/x", R.ALLOWED, id="below the prefix"),
        pytest.param(
            "https://api.example.com/v2", "https://api.example.com/v2?x", R.ALLOWED, id="the prefix and a query"
        ),
        pytest.param("https://api.example.com/v2", "https://api.example.com/%762", R.ALLOWED, id="the prefix escaped"),
        pytest.param("https://api.example.com/%762", "https://api.example.com/v2", R.ALLOWED, id="an escaped prefix"),
        pytest.param("https://api.example.com/é", "https://api.example.com/%c3%a9", R.ALLOWED, id="a raw prefix"),
        pytest.param("https://api.example.com/v2", "https://api.example.com/v2x", R.NOT_COVERED, id="longer segment"),
        pytest.param("https://api.example.com/v2", "https://api.example.com/v", R.NOT_COVERED, id="shorter segment"),
        pytest.param("https://api.example.com/v2", "https://api.example.com/V2", R.NOT_COVERED, id="case of the path"),
        pytest.param("https://api.example.com/v2", "https://api.example.com/v2;x", R.NOT_COVERED, id="parameter"),
        pytest.param(
            "https://api.example.com/v2", "https://api.example.com//v2", R.NOT_COVERED, id="empty segment in front"
        ),
        pytest.param(
            "https://api.example.com/v2", "https://api.example.com/v2//x", R.ALLOWED, id="empty segment below"
        ),
        pytest.param(
            "https://api.example.com/v2", "https://api.example.com/v2%2fx", R.HIDDEN_CHARACTER, id="escaped slash"
        ),
        pytest.param("https://api.example.com/v2", "https://api.example.com/v2%3Fx", R.NOT_COVERED, id="escaped ?"),
        pytest.param("https://api.example.com/v2/", "https://api.example.com/v2/", R.ALLOWED, id="slash prefix itself"),
        pytest.param(
            "https://api.example.com/v2/", "https://api.example.com/v2/x", R.ALLOWED, id="below a slash prefix"
        ),
        pytest.param(
            "https://api.example.com/v2/", "https://api.example.com/v2", R.NOT_COVERED, id="slash prefix, no slash"
        ),
        pytest.param(
            "https://api.example.com/a@b", "https://api.example.com/a%40b", R.NOT_COVERED, id="escaped at sign"
        ),
        pytest.param("https://api.example.com/", "https://api.example.com", R.ALLOWED, id="prefix of only a slash"),
    ],
)
def test_judge(rule: str, url: str, reason: Reason) -> None:
    """One rule covers what it says: same scheme, host and port, and the paths below its prefix."""
    verdict = allowed(rule).judge(url)

    assert reason is verdict.reason
    assert (reason is R.ALLOWED) == verdict.allowed == (verdict.target is not None) == (verdict.rule is not None)


@pytest.mark.parametrize(
    ("rule", "url", "insecure_http", "reason"),
    [
        pytest.param("http://a.example.com", "http://a.example.com:80/", True, R.ALLOWED, id="with leave"),
        pytest.param("http://a.example.com", "http://a.example.com/", False, R.SCHEME, id="without leave"),
        pytest.param("http://a.example.com", "https://a.example.com/", True, R.NOT_COVERED, id="http is not https"),
        pytest.param("https://a.example.com", "http://a.example.com/", True, R.NOT_COVERED, id="https is not http"),
        pytest.param("http://a.example.com:443", "https://a.example.com/", True, R.NOT_COVERED, id="same port only"),
        pytest.param(
            "http://a.example.com:443", "https://a.example.com/", False, R.NOT_COVERED, id="rule without leave"
        ),
        pytest.param("http://a.example.com", "ws://a.example.com/", True, R.SCHEME, id="another scheme"),
    ],
)
def test_http_needs_leave(rule: str, url: str, insecure_http: bool, reason: Reason) -> None:
    """An http rule covers http, and only for a connector with `insecure_http`."""
    assert reason is allowed(rule, insecure_http=insecure_http).judge(url).reason


@pytest.mark.parametrize(("length", "reason"), [(8192, R.ALLOWED), (8193, R.TOO_LONG)])
@pytest.mark.parametrize(
    "start", ["https://api.example.com/", "https://api.example.com/?é", "https://api.example.com/#日"]
)
def test_the_length_is_counted_in_bytes(start: str, length: int, reason: Reason) -> None:
    """A URL has at most 8192 bytes in UTF-8, fragment and all."""
    url = start + "x" * (length - len(start.encode()))

    assert reason is allowed("https://api.example.com").judge(url).reason


def test_the_target_is_what_was_judged() -> None:
    """The target holds the normalised parts and the URL that they make."""
    verdict = allowed("https://*.bücher.example:8443/v2").judge("HTTPS://Shop.Bücher.example:8443/%76%32/é?q=é%c3#x")

    target = verdict.target
    assert target is not None
    assert ("https", "shop.xn--bcher-kva.example", 8443) == (target.scheme, target.host, target.port)
    assert ("/v2/%C3%A9", "q=%C3%A9%c3") == (target.path, target.query)
    assert "https://shop.xn--bcher-kva.example:8443/v2/%C3%A9?q=%C3%A9%c3" == target.url


@pytest.mark.parametrize(
    ("url", "query", "sent"),
    [
        ("https://a.example.com", None, "https://a.example.com/"),
        ("https://a.example.com?", "", "https://a.example.com/?"),
        ("https://a.example.com:443/x?a?b", "a?b", "https://a.example.com/x?a?b"),
        ("http://a.example.com:443/#x", None, "http://a.example.com:443/"),
        ("https://[2001:DB8::1]/", None, "https://[2001:db8::1]/"),
    ],
)
def test_the_url_to_send(url: str, query: str | None, sent: str) -> None:
    """A default port and the fragment are left out; an empty query is not the same as none."""
    rules = ["https://a.example.com", "http://a.example.com:443", "https://[2001:db8::1]"]
    target = allowed(*rules, insecure_http=True).judge(url).target

    assert target is not None
    assert (query, sent) == (target.query, target.url)


def test_the_first_rule_that_covers_is_named() -> None:
    """With several rules the verdict names the first; the host of one never goes with the path of another."""
    rules = [
        "https://a.example.com/v1",
        "https://*.example.com/v2",
        "https://b.example.com",
        "https://b.example.com/v2",
    ]
    urls = AllowedUrls.from_texts(["", "https://*.com", *rules, "nonsense"], SUFFIXES)

    assert Rule.parse(rules[0], SUFFIXES) == urls.judge("https://a.example.com/v1/x").rule
    assert Rule.parse(rules[1], SUFFIXES) == urls.judge("https://b.example.com/v2").rule
    assert Rule.parse(rules[2], SUFFIXES) == urls.judge("https://b.example.com/v1").rule
    assert urls.judge("https://a.example.com/v3").rule is None
    assert urls.judge("https://evil.com/").rule is None


def test_without_rules_nothing_is_allowed() -> None:
    """No rules, or only invalid ones, refuse everything."""
    assert R.NOT_COVERED is AllowedUrls([]).judge("https://api.example.com/").reason
    assert R.NOT_COVERED is AllowedUrls.from_texts(["*"], SUFFIXES).judge("https://api.example.com/").reason


def test_every_fault_of_a_text_is_a_reason() -> None:
    """What is wrong with a text can be said in a verdict."""
    assert {fault.value for fault in TextFault} <= {reason.value for reason in Reason}


V2 = "https://api.example.com/v2"


@pytest.mark.parametrize(
    ("base", "path", "expected"),
    [
        pytest.param(V2, "users?x=1", f"{V2}/users?x=1", id="plain"),
        pytest.param(V2, "/users", f"{V2}/users", id="leading slash"),
        pytest.param(f"{V2}/", "/users", f"{V2}/users", id="slashes on both sides"),
        pytest.param(f"{V2}//", "users", f"{V2}/users", id="two trailing slashes"),
        pytest.param(V2, "", V2, id="empty"),
        pytest.param(f"{V2}/", "", f"{V2}/", id="empty below a slash"),
        pytest.param(V2, "/", f"{V2}/", id="slash"),
        pytest.param(V2, "?x", f"{V2}?x", id="only a query"),
        pytest.param(V2, "/?x", f"{V2}/?x", id="slash and query"),
        pytest.param(V2, "a#b?c", f"{V2}/a", id="fragment"),
        pytest.param(V2, "a%7eb/é", f"{V2}/a~b/%C3%A9", id="normalised"),
        pytest.param(V2, "x?q=é%e9", f"{V2}/x?q=%C3%A9%e9", id="query"),
        pytest.param(V2, "..x", f"{V2}/..x", id="dots beside text"),
        pytest.param("https://api.example.com", "", "https://api.example.com/", id="no path at all"),
        pytest.param("https://api.example.com", "?x", "https://api.example.com/?x", id="no path but a query"),
        pytest.param("https://api.example.com", "@evil.com", "https://api.example.com/@evil.com", id="at sign"),
        pytest.param("https://api.example.com", ".evil.com", "https://api.example.com/.evil.com", id="dot"),
        pytest.param("https://api.example.com", ":8443/x", "https://api.example.com/:8443/x", id="colon"),
        pytest.param("HTTPS://API.example.com.:443/%762", "a", f"{V2}/a", id="base in another spelling"),
    ],
)
def test_paths_that_are_joined(base: str, path: str, expected: str) -> None:
    """A relative path lands below the base, whatever it looks like."""
    verdict = join_path(base, path, allowed("https://api.example.com"))

    assert verdict.target is not None
    assert expected == verdict.target.url


@pytest.mark.parametrize(
    ("base", "path", "reason"),
    [
        pytest.param(V2, "//evil.com", R.SCHEME_RELATIVE, id="two slashes"),
        pytest.param(V2, "https:evil.com", R.ABSOLUTE, id="https"),
        pytest.param(V2, "/ftp:/evil.com", R.ABSOLUTE, id="scheme after a slash"),
        pytest.param(V2, "../x", R.DOT_SEGMENT, id="dot-dot"),
        pytest.param(V2, "..", R.DOT_SEGMENT, id="only dot-dot"),
        pytest.param(V2, "..?x", R.DOT_SEGMENT, id="dot-dot before a query"),
        pytest.param(V2, "%2f", R.HIDDEN_CHARACTER, id="escaped slash"),
        pytest.param(V2, "x?%00", R.HIDDEN_CHARACTER, id="NUL in the query"),
        pytest.param(V2, "x?%", R.BAD_ESCAPE, id="broken escape in the query"),
        pytest.param(V2, "x#\n", R.CHARACTER, id="newline in the fragment"),
        pytest.param(V2, "x\n", R.CHARACTER, id="newline at the end"),
        pytest.param(V2, "\ud800", R.NOT_UTF8, id="lone surrogate"),
        pytest.param("https://api.example.com/v3", "x", R.NOT_COVERED, id="base that no rule covers"),
        pytest.param("https://api.example.com", "v3", R.NOT_COVERED, id="path that no rule covers"),
        pytest.param("http://api.example.com/v2", "x", R.SCHEME, id="http base"),
        pytest.param(f"{V2}?a", "x", R.QUERY, id="base with a query"),
        pytest.param(f"{V2}#", "x", R.QUERY, id="base with a fragment"),
        pytest.param("api.example.com/v2", "x", R.MALFORMED, id="base without a scheme"),
        pytest.param("https://u@api.example.com/v2", "x", R.USERINFO, id="base with a user"),
        pytest.param("https://api.example.com/v2/..", "x", R.DOT_SEGMENT, id="base with a dot segment"),
        pytest.param("https://api.example.com/v2 ", "x", R.CHARACTER, id="base with a space"),
        pytest.param("https://api.example.com:0/v2", "x", R.PORT, id="base with a bad port"),
        pytest.param("https://1/v2", "x", R.HOST, id="base with a bad host"),
        pytest.param("ftp://api.example.com", "x", R.SCHEME, id="base with another scheme"),
    ],
)
def test_paths_that_are_refused(base: str, path: str, reason: Reason) -> None:
    """A path that could lead elsewhere is refused, and so is everything below a base that is none."""
    verdict = join_path(base, path, allowed(V2, "http://api.example.com"))

    assert reason is verdict.reason
    assert verdict.target is None


def test_a_base_need_not_be_covered_itself() -> None:
    """The joined URL must be covered; the base may lie above the rules."""
    base = ProxyBase("https://api.example.com", allowed(V2))

    assert not base.join("").allowed
    assert base.join("v2").allowed
    assert base.join("v2/x").allowed


@pytest.mark.parametrize(("length", "reason"), [(8192, R.ALLOWED), (8193, R.TOO_LONG)])
@pytest.mark.parametrize("start", ["", "/", "é", "?q="])
def test_the_length_of_the_joined_url_counts(start: str, length: int, reason: Reason) -> None:
    """The target's length is limited, not the path's, and a dropped fragment does not count."""
    path = start + "x" * (length - len(V2.encode()) - len(start.encode()) - (not start.startswith(("/", "?"))))

    assert reason is join_path(V2, path, allowed(V2)).reason
    assert reason is join_path(V2, path + "#" + "x" * 9000, allowed(V2)).reason


# Pieces that are special to one reader of URLs or another.
SPECIAL = "/ // . .. ; ? # % %2e %2F %5c %00 %41 %25 %e9 %c3%a9 é : @ a v2 users http: https:// ftp:/ evil.com [ * \\"
PIECES = st.sampled_from([*SPECIAL.split(), "\n", " ", "\u3000", "\ud800", "x" * 4090])
PATHS = st.one_of(st.lists(PIECES, max_size=8).map("".join), st.text(max_size=12))
BASES = st.sampled_from(
    [
        *(V2, f"{V2}/", f"{V2}//", f"{V2}?x", "https://api.example.com", "https://api.example.com/", "https://"),
        *("https://b.example.com/%762/é", "https://b.example.com:8443/x;y", "http://api.example.com/v2"),
        "https://api.example.com/..",
    ]
)
ALLOWED = allowed(V2, "https://*.example.com/v2/users", "https://b.example.com:8443", "http://api.example.com/v2/")
URLS = st.one_of(
    PATHS,
    st.tuples(BASES, PATHS).map("".join),
    st.tuples(st.sampled_from(["https://", "HTTP://", "https:/"]), PATHS, PATHS).map("".join),
)


@given(BASES, PATHS)
@example(V2, "/")
@example(V2, "users?")
@example(V2, "users/1?limit=10&x=a%20b")
@example(f"{V2}//", "")
@example(f"{V2}/", "x" * 8165)
@example("https://api.example.com", "/..;")
def test_the_quick_way_and_the_full_way_agree(base: str, path: str) -> None:
    """An ordinary path gets the verdict that judging the joined text gives."""
    proxy_base = ProxyBase(base, ALLOWED)

    assert proxy_base.join_in_full(path) == proxy_base.join(path)


@given(BASES, PATHS)
def test_a_joined_path_never_leaves_its_base(base: str, path: str) -> None:
    """Whatever the path, the host stays the base's and the path stays below the base's."""
    target = join_path(base, path, ALLOWED).target
    if target is None:
        return

    itself = allowed("https://*.example.com", "https://b.example.com:8443").judge(base).target
    assert itself is not None
    assert itself[:3] == target[:3]
    assert target.path.startswith(itself.path.rstrip("/"))
    assert target.path[len(itself.path.rstrip("/")) :][:1] in ("", "/")


@given(URLS)
def test_judging_never_raises_and_what_is_sent_is_allowed_again(url: str) -> None:
    """Any text gets a verdict; the URL to send is ASCII, and judged once more it is the same target."""
    verdict = ALLOWED.judge(url)
    if verdict.target is None:
        assert not verdict.allowed
        return

    assert verdict.target.url.isascii()
    assert len(verdict.target.url) > 8192 or verdict == ALLOWED.judge(verdict.target.url)


@given(st.text(st.sampled_from("azAZ09-._~"), min_size=1, max_size=8).filter(lambda s: s not in {".", ".."}), st.data())
def test_escaping_what_needs_none_changes_nothing(segment: str, data: st.DataObject) -> None:
    """However the unreserved characters of a path are escaped, the target is the same."""
    escaped = "".join(
        data.draw(st.sampled_from([character, f"%{ord(character):02x}", f"%{ord(character):02X}"]))
        for character in segment
    )

    assert ALLOWED.judge(f"{V2}/{segment}") == ALLOWED.judge(f"{V2}/{escaped}")


@given(st.text(max_size=30) | URLS)
def test_a_text_is_a_rule_or_is_refused(text: str) -> None:
    """Reading a rule raises nothing but its own error, and a rule that is read covers the URL that it is."""
    try:
        rule = Rule.parse(text, SUFFIXES)
    except InvalidRule:
        return

    assert rule.wildcard or AllowedUrls([rule], insecure_http=True).judge(text).allowed
