"""What Hypothesis draws to read: whole connectors that are right, by way of their files."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

WORDS = st.sampled_from(["id", "user.id", "data[0].name", "header:X-Token", "cookie:sid", "a || b", "@"])
EXPRESSIONS = st.sampled_from(["error == 'x'", "ok", "length(items) > `0`", "!token"])
TEXTS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp"), exclude_characters="{}"),
    min_size=1,
    max_size=20,
)
HEADER_NAMES = st.sampled_from(["Accept", "X-Api-Version", "Content-Language", "X-Tenant"])
PARAM_TEXTS = TEXTS | st.sampled_from(["{{ username }}", "{{ region | lower }}", "{{ key | sha256 | base64 }}", ""])
TREES = st.recursive(
    PARAM_TEXTS | st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(-1e9, 1e9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
PARAMS = st.dictionaries(TEXTS, TREES, max_size=4)
HEADERS = st.dictionaries(HEADER_NAMES, TEXTS.filter(lambda text: text.strip() != ""), max_size=2)


def objects(required: dict[str, Any] | None = None, /, **optional: Any) -> st.SearchStrategy[dict[str, Any]]:
    """An object with all of the required and some of the optional keys."""
    return st.fixed_dictionaries(required or {}, optional=optional)


STATUSES = st.lists(st.integers(100, 599), max_size=3, unique=True)
CONDITIONS = objects(
    {"body": EXPRESSIONS}, status=STATUSES, header=st.dictionaries(HEADER_NAMES, st.sampled_from(["a+", "^x"]))
)
LIFETIMES = objects({"from": WORDS}, unit=st.sampled_from(["s", "ms", "minutes", "iso8601", "jwt_exp"]))
FAILURES = st.lists(
    objects({"when": CONDITIONS, "class": st.sampled_from(["locked", "wrong_code", "rate_limited"])}, help=TEXTS),
    max_size=2,
)
RESPONSES = objects(
    access_token=WORDS,
    refresh_token=WORDS,
    error=WORDS,
    expires=LIFETIMES,
    retry_after=LIFETIMES,
    refresh_expires=LIFETIMES,
    keep=st.dictionaries(st.sampled_from(["account", "site"]), st.sampled_from(["account.id", "site.id"]), max_size=2),
)
COMMON: dict[str, Any] = {
    "method": st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    "encoding": st.sampled_from(["form", "json", "multipart", "query"]),
    "headers": HEADERS,
    "params": PARAMS,
    "authentication": st.sampled_from(["none", "basic", "basic_raw"]),
    "response": RESPONSES,
    "success_when": CONDITIONS,
    "rejected_when": CONDITIONS,
    "failures": FAILURES,
}
URLS = st.sampled_from(["https://login.example.com/token", "https://{{ region }}.example.com/t?a={{ username }}"])
REFRESHES = st.just("none") | objects(
    **COMMON,
    url=URLS,
    strategy=st.sampled_from(["refresh_only", "password_only", "refresh_then_password"]),
    rotation=st.sampled_from(["rotating", "stable"]),
    leeway=st.sampled_from([0, 1.5, "15m", "500ms"]),
    lifetime=st.sampled_from(["30d", 3600]),
)
TEXTUAL = objects(
    {"url": URLS, "encoding": st.just("xml"), "method": st.just("POST"), "authentication": st.just("none")},
    body=st.just("<a b='{{ client_id }}'>{{ token }}</a>"),
).filter(lambda one: "body" in one)
REVOKES = TEXTUAL | objects(
    {"url": URLS},
    **COMMON,
    tokens=st.sampled_from([["access_token"], ["access_token", "refresh_token"]]),
    on_replace=st.booleans(),
)
ASKED: list[dict[str, Any]] = [
    {"key": "code", "label": "Code", "type": "otp"},
    {"key": "factor", "label": "How", "type": "choice", "choices_from": "f[].{value: i, label: n}", "required": False},
]
CHALLENGES = st.lists(
    objects(
        {
            "when": CONDITIONS,
            "then": objects(
                **COMMON,
                url=URLS,
                extra_params=PARAMS,
                poll=objects({"while": EXPRESSIONS}, every=st.sampled_from([1, 2.5, "3s"]), **{"for": st.just("1m")}),
                answers=st.just("challenge"),
            ),
        },
        ask=st.sampled_from([[], ASKED[:1], ASKED]),
        capture=st.just({"session": "session"}),
        lifetime=st.sampled_from([180, 1.5, "3m"]) | LIFETIMES,
        resend=objects(**COMMON, url=URLS, extra_params=PARAMS),
    ),
    max_size=2,
)
FIELDS = [
    {"key": "region", "label": "Region", "pattern": "[a-z]{2}"},
    {"key": "key", "label": "Key", "type": "secret"},
    {"key": "kind", "label": "Kind", "type": "choice", "choices": {"b": "B", "a": "A"}, "default": "a"},
    {"key": "seed", "label": "Seed", "type": "totp_seed"},
    {"key": "site", "label": "Site", "visible_when": {"kind": "a", "region": ["eu", "us"]}},
]
HASH = {"join": ["{{ username }}", "{{ client_id }}"], "filters": ["hmac_sha256(client_secret)", "base64"]}
CALL_QUERIES = st.dictionaries(TEXTS, st.sampled_from(["v2", "{{ token.account }}", "{{ key }}", ""]), max_size=2)
SOME_CALLS = objects(
    {"methods": st.sampled_from([["POST", "DELETE"], ["GET"]])},
    paths=st.sampled_from([["/"], ["/api/*/items", "/api/v2/"]]),
    headers=HEADERS,
    query=CALL_QUERIES,
    body=PARAMS,
)
ALLOWED_URLS = st.sampled_from(
    [
        ["https://api.example.com/v1", "https://*.example.com"],
        [
            {"url": "https://api.example.com/v1/keys", "deny": True},
            {"url": "https://api.example.com/v1", "methods": ["POST", "GET"], "deny": False},
            {"url": "https://{{ region }}.example.com", "deny": True, "methods": ["DELETE"]},
        ],
    ]
)
REQUESTS = objects(
    base_url=st.just("https://api.example.com/v2"),
    headers=HEADERS,
    query=CALL_QUERIES,
    body=PARAMS,
    only=st.lists(SOME_CALLS, max_size=2),
    encoded_slashes=st.just("allow"),
)

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"

CONNECTOR_FILES = objects(
    {
        "keyturn": st.just(1),
        "connector": st.sampled_from(["acme", "a-1"]),
        "title": TEXTS,
        "fields": st.just(FIELDS),
        "token": objects(
            {"url": URLS, "response": st.just({"keep": {"account": "account"}})},
            **{key: value for key, value in COMMON.items() if key != "response"},
            default_ttl=st.sampled_from([60, 1.25, "2h"]),
        ),
        "test": objects({"url": URLS}, **COMMON, expect=objects(status=STATUSES, body=EXPRESSIONS)),
        "allowed_urls": ALLOWED_URLS,
        "unique_id": st.sampled_from(["{{ test.id }}", "{{ region }}:{{ username | lower }}"]),
    },
    trust=objects(
        {"reason": st.just("legacy")}, note=TEXTS, alternative=st.sampled_from(["acme-2", "https://a.example/b"])
    ),
    password=st.sampled_from([{}, {"keep": "offer", "reason": "No refresh tokens."}]),
    username=objects(label=TEXTS, type=st.sampled_from(["text", "email"]), help=TEXTS),
    client=objects(authentication=st.sampled_from(["none", "basic", "basic_raw"])),
    derive=st.just({"made": "{{ username }}:{{ key }}", "hash": HASH}) | st.just({"made": "{{ region | lower }}x"}),
    refresh=REFRESHES,
    revoke=REVOKES | st.lists(REVOKES, min_size=1, max_size=3),
    connection_name=st.sampled_from(["{{ test.name }}", "x {{ token.account }}"]),
    on_duplicate=st.sampled_from(["update", "reject", "allow"]),
    request=REQUESTS,
    challenges=CHALLENGES,
    failures=FAILURES,
    stale_when=CONDITIONS | st.just({}),
    limits=objects(logins=st.integers(1, 20), per=st.sampled_from(["15m", 90, "1h"])),
    session=st.fixed_dictionaries({"limit": st.integers(1, 9)}, optional={"logout_first": st.booleans()})
    | st.just({"logout_first": True}),
    links=objects(unlock=st.just("https://a.example/unlock")),
    notes=objects(setup=TEXTS, warning=TEXTS),
    private_network=st.booleans(),
    insecure_http=st.booleans(),
    client_address_header=st.sampled_from(["X-Forwarded-For", "auth0-forwarded-for", "Forwarded"]),
    retires=objects({"on": st.just("2027-01-31")}, successor=st.sampled_from(["acme-2", "https://a.example/b"])),
    tls=objects(ca=st.sampled_from(["{{ site }}", PEM]), client_certificate=st.just("{{ key }}")),
)
