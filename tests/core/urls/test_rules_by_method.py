"""Rules by method and path: deny wins however a path is spelled; escaped slashes are read both ways."""

from __future__ import annotations

import pytest

from keyturn.core.urls.allowed_urls import AllowedUrls, ProxyBase, Reason, StatedRule
from keyturn.core.urls.denied_paths import lies_below
from tests.core.connector_files import SUFFIXES

BASE = "https://api.example.com"
READS = StatedRule(f"{BASE}/v1", frozenset({"GET"}))
WRITES = StatedRule(f"{BASE}/v1/items", frozenset({"POST", "DELETE"}))
NO_KEYS = StatedRule(f"{BASE}/v1/keys", deny=True)
NO_ERASING = StatedRule(f"{BASE}/v1/items/all", frozenset({"DELETE"}), deny=True)
BELOW = StatedRule(f"{BASE}/v1/users/", deny=True)
R = Reason


def guard(*rules: StatedRule, encoded_slashes: bool = False) -> AllowedUrls:
    """The rules, ready to judge."""
    return AllowedUrls.from_texts(rules, SUFFIXES, encoded_slashes=encoded_slashes)


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        pytest.param("GET", "/v1/items", R.ALLOWED, id="a method that is named"),
        pytest.param("HEAD", "/v1/items", R.ALLOWED, id="GET stands for HEAD"),
        pytest.param("POST", "/v1/items/3", R.ALLOWED, id="by the second rule"),
        pytest.param("POST", "/v1/other", R.METHOD, id="another path's method"),
        pytest.param("PUT", "/v1/items", R.METHOD, id="a method that no rule names"),
        pytest.param("post", "/v1/items", R.METHOD, id="not in capitals"),
        pytest.param("GET", "/v2", R.NOT_COVERED, id="no rule for the path"),
        pytest.param(None, "/v1/items", R.METHOD, id="nobody said which method"),
        pytest.param("GET", "/v1/keys", R.DENIED, id="denied"),
        pytest.param("GET", "/v1/keys/3?x=1", R.DENIED, id="below what is denied"),
        pytest.param("GET", "/v1/keystore", R.ALLOWED, id="a longer segment"),
        pytest.param("GET", "/v1/KEYS", R.DENIED, id="denied in capitals"),
        pytest.param("GET", "/v1//keys/", R.DENIED, id="denied behind an empty segment"),
        pytest.param("GET", "/v1/keys;a=b/3", R.DENIED, id="denied with a parameter"),
        pytest.param("GET", "/v1;a/keys", R.NOT_COVERED, id="a parameter behind the allowed prefix"),
        pytest.param("GET", "/v1/%6bey%73", R.DENIED, id="denied and escaped"),
        pytest.param("GET", "/v1/%256bey%2573", R.DENIED, id="denied and escaped twice"),
        pytest.param("DELETE", "/v1/items/all", R.DENIED, id="denied for this method"),
        pytest.param("GET", "/v1/items/all", R.ALLOWED, id="not denied for that one"),
        pytest.param("GET", "/v1/users", R.ALLOWED, id="the list, where only what is below is denied"),
        pytest.param("GET", "/v1/users/", R.DENIED, id="with its slash"),
        pytest.param("GET", "/v1/users/3", R.DENIED, id="one of them"),
    ],
)
def test_method_and_path(method: str | None, path: str, expected: Reason) -> None:
    """By URL and below a base alike."""
    rules = guard(READS, WRITES, NO_KEYS, NO_ERASING, BELOW)
    whole, joined = rules.judge(BASE + path, method), ProxyBase(BASE, rules).join(path, method)

    assert (expected, expected) == (whole.reason, joined.reason)
    assert (expected is R.ALLOWED) == whole.allowed == (joined.target is not None)
    assert rules.by_method


@pytest.mark.parametrize("method", ["DELETE", "delete", "Delete"])
def test_what_is_denied_by_method_is_denied_in_any_spelling(method: str) -> None:
    """A lenient server takes a method in small letters too."""
    rules = guard(StatedRule(BASE), StatedRule(BASE, frozenset({"DELETE"}), deny=True))

    assert R.DENIED is rules.judge(BASE, method).reason
    assert R.ALLOWED is rules.judge(BASE, "GET").reason
    assert R.DENIED is rules.judge(BASE).reason


def test_a_deny_rule_that_cannot_be_read_denies_everything() -> None:
    """Nobody knows what it was to keep out; one that allows and can't be read is passed over as ever."""
    assert R.NOT_COVERED is guard(StatedRule(BASE), StatedRule("https://*", deny=True)).judge(BASE).reason
    assert R.ALLOWED is guard(StatedRule(BASE), StatedRule("https://*")).judge(BASE).reason


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        pytest.param([READS], R.ALLOWED, id="some method may be sent below it"),
        pytest.param([READS, StatedRule(f"{BASE}/v1", frozenset({"GET"}), deny=True)], R.ALLOWED, id="some are denied"),
        pytest.param([READS, StatedRule(BASE, deny=True)], R.DENIED, id="all are denied"),
        pytest.param([WRITES], R.NOT_COVERED, id="the allowed path is further down"),
    ],
)
def test_a_base_is_judged_without_a_method(rules: list[StatedRule], expected: Reason) -> None:
    """What is joined to it is judged by itself."""
    assert expected is guard(*rules).judge(f"{BASE}/v1", as_base=True).reason


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        pytest.param("/v1/projects/group%2Fproject", R.ALLOWED, id="an escaped slash"),
        pytest.param("/v1/projects/group%2fproject?x=%2F", R.ALLOWED, id="in small letters"),
        pytest.param("/v1/projects/%2F%2Fx", R.ALLOWED, id="two of them"),
        pytest.param("/v1%2Fprojects", R.NOT_COVERED, id="covered by one reading only"),
        pytest.param("/v1/projects/..%2Fadmin", R.DOT_SEGMENT, id="climbing"),
        pytest.param("/v1/projects/x%2F..", R.DOT_SEGMENT, id="climbing at the end"),
        pytest.param("/v1/projects/x%2F%2E%2E", R.DOT_SEGMENT, id="climbing by escaped dots"),
        pytest.param("/v1/projects/a%252Fb", R.HIDDEN_CHARACTER, id="escaped twice"),
        pytest.param("/v1/projects/a%5Cb", R.HIDDEN_CHARACTER, id="a backslash"),
        pytest.param("/v1/projects/a%00b", R.HIDDEN_CHARACTER, id="a nought"),
        pytest.param("/v1/projects/group%2Fsecret", R.DENIED, id="denied when decoded"),
        pytest.param("/v1/projects%2Fgroup%2FSecret/x", R.DENIED, id="denied in any spelling"),
    ],
)
def test_escaped_slashes_are_read_both_ways(path: str, expected: Reason) -> None:
    """Where they are allowed; elsewhere they are what they always were."""
    rules = (StatedRule(f"{BASE}/v1"), StatedRule(f"{BASE}/v1/projects/group/secret", deny=True))
    allowing, refusing = guard(*rules, encoded_slashes=True), guard(*rules)
    verdict = ProxyBase(BASE, allowing).join(path, "GET")

    assert (expected, expected) == (verdict.reason, allowing.judge(BASE + path, "GET").reason)
    assert R.HIDDEN_CHARACTER is refusing.judge(BASE + path, "GET").reason or "%2" not in path.partition("?")[0]
    if verdict.target is not None:
        assert path.replace("%2f", "%2F") == verdict.target.url.removeprefix(BASE)


def test_both_readings_of_an_escaped_slash_need_the_method() -> None:
    """What the decoded path is allowed for counts as well."""
    rules = guard(StatedRule(f"{BASE}/v1/a"), StatedRule(f"{BASE}/v1/a%2Fb", frozenset({"POST"})), encoded_slashes=True)

    assert R.ALLOWED is rules.judge(f"{BASE}/v1/a/x%2Fy", "POST").reason


@pytest.mark.parametrize(
    ("path", "prefix", "expected"),
    [
        pytest.param("/x", "/", True, id="everything"),
        pytest.param("/", "/", True, id="the root itself"),
        pytest.param("/a/b", "/a/b/c", False, id="above it"),
        pytest.param("/%C3%84/b", "/%C3%A4", True, id="case beyond ASCII"),
    ],
)
def test_generous_reading(path: str, prefix: str, expected: bool) -> None:
    """Of denied paths only."""
    assert expected == lies_below(path, prefix)
