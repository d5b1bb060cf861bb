"""The headers of pages."""

from __future__ import annotations

from keyturn.web.kit.security_headers import OF_IMMUTABLE_FILE, OF_PAGE


def test_the_policy_allows_our_own_files_and_nothing_else() -> None:
    """Every source is this origin, none, or data: for images; nothing inline, nobody frames a page."""
    policy = dict(OF_PAGE)[b"content-security-policy"].decode()
    directives = {name: set(rest) for name, *rest in (each.split() for each in policy.split("; "))}

    assert {"'none'"} == directives["default-src"] == directives["frame-ancestors"] == directives["base-uri"]
    assert {"'self'"} == directives["script-src"] == directives["style-src"] == directives["form-action"]
    assert {"'self'", "data:"} == directives["img-src"]
    assert b"no-store" == dict(OF_PAGE)[b"cache-control"]


def test_names_are_lower_case_and_there_once() -> None:
    """As ASGI wants them."""
    for headers in (OF_PAGE, OF_IMMUTABLE_FILE):
        names = [name for name, _ in headers]

        assert sorted({name.lower() for name in names}) == sorted(names)
