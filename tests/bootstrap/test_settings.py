"""Settings: what is read, what is refused, and that no value is echoed."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest

from keyturn.bootstrap.settings import read_settings, unknown_names
from keyturn.core.access.roles import Role
from keyturn.core.errors import SettingsInvalid
from keyturn.core.secret import Secret


def test_a_file_gives_a_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`KEYTURN_X_FILE` for any of them; one line end is cut, no more."""
    (tmp_path / "key").write_text("x" * 32 + "\n")
    monkeypatch.setenv("KEYTURN_ADMIN_API_KEY_FILE", str(tmp_path / "key"))

    assert Secret("x" * 32) == read_settings().admin_api_key


def test_networks_are_read_with_commas_or_blanks(monkeypatch: pytest.MonkeyPatch) -> None:
    """As people write lists."""
    monkeypatch.setenv("KEYTURN_EGRESS_ALLOW", "127.0.0.0/8, 10.1.0.0/16 fd00::/8")

    assert tuple(map(ip_network, ("127.0.0.0/8", "10.1.0.0/16", "fd00::/8"))) == read_settings().egress_allow


def test_return_origins_are_origins(monkeypatch: pytest.MonkeyPatch) -> None:
    """With commas or blanks between them; a path or an odd way of writing one is refused at the start."""
    monkeypatch.setenv("KEYTURN_RETURN_ORIGINS", "https://app.example, http://127.0.0.1:3000")
    found = read_settings().return_origins
    monkeypatch.setenv("KEYTURN_RETURN_ORIGINS", "https://app.example/done")

    assert ("https://app.example", "http://127.0.0.1:3000") == found
    with pytest.raises(SettingsInvalid):
        read_settings()


def test_a_flag_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is typed is meant."""
    monkeypatch.setenv("KEYTURN_LISTEN", "127.0.0.1:1")

    assert ("127.0.0.1", 2) == read_settings(listen="127.0.0.1:2").host_and_port


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("KEYTURN_ADMIN_API_KEY", "canary-short", id="short admin key"),
        pytest.param("KEYTURN_BRAND_COLOR", "canary", id="no colour"),
        pytest.param("KEYTURN_BRAND_COLOR", "#ffcc00", id="a colour that nobody can read"),
        pytest.param("KEYTURN_BRAND_HELP_URL", "http://canary.example/", id="help by plain http"),
        pytest.param("KEYTURN_BRAND_LOGO", "/canary/logo.png", id="a logo that is not there"),
        pytest.param("KEYTURN_ADMIN_API_KEY", "canary" * 100, id="long admin key"),
        pytest.param("KEYTURN_ADMIN_API_KEY", "canary" * 6 + "é", id="admin key that fits no header"),
        pytest.param("KEYTURN_ADMIN_API_KEY", "canary" * 6 + " ", id="admin key with a blank at its end"),
        pytest.param("KEYTURN_EGRESS_ALLOW", "canary", id="no network"),
        pytest.param("KEYTURN_EGRESS_PROXY", "socks5://canary:1080", id="a proxy of another kind"),
        pytest.param("KEYTURN_TRUSTED_PROXIES", "10.0.0.0/8,canary", id="one of two no network"),
        pytest.param("KEYTURN_LOG_LEVEL", "canary", id="no level"),
        pytest.param("KEYTURN_OFFLINE_GRACE", "canary", id="no number"),
        pytest.param("KEYTURN_OFFLINE_GRACE", "-1", id="negative"),
        pytest.param("KEYTURN_PUBLIC_URL", "ftp://canary", id="no http URL"),
        pytest.param("KEYTURN_OIDC_ROLES", "canary", id="no role"),
        pytest.param("KEYTURN_OIDC_ROLES", "staff=viewer, canary=root", id="one of two no role"),
        pytest.param("KEYTURN_KEYS_FILE", "/canary/nowhere", id="no such file"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_but_not_echoed(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name, and what would be right."""
    monkeypatch.setenv(name, value)

    with pytest.raises(SettingsInvalid) as refused:
        read_settings()

    assert name in str(refused.value)
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "named"),
    [
        pytest.param({"CLIENT_ID": "canary"}, "OIDC_ISSUER", id="no issuer"),
        pytest.param({"ISSUER": "https://canary.example"}, "OIDC_CLIENT_ID", id="no client"),
        pytest.param({"ISSUER": "http://canary.example", "CLIENT_ID": "x"}, "OIDC_ISSUER", id="plain http"),
        pytest.param({"ISSUER": "https://canary.example/?x", "CLIENT_ID": "x"}, "OIDC_ISSUER", id="a query"),
        pytest.param(
            {"ISSUER": "https://canary.example", "CLIENT_ID": "x", "DOMAINS": "canary.example"}, "OIDC_ROLES",
            id="domains without roles",
        ),
        pytest.param(
            {"ISSUER": "https://canary.example", "CLIENT_ID": "x", "SCOPES": "email"}, "OIDC_SCOPES", id="no openid"
        ),
    ],
)  # fmt: skip
def test_an_openid_provider_that_does_not_fit_together(
    given: dict[str, str], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is missing is named, and nothing is echoed."""
    for name, value in given.items():
        monkeypatch.setenv(f"KEYTURN_OIDC_{name}", value)

    with pytest.raises(SettingsInvalid) as refused:
        _ = read_settings().sign_in

    assert f"KEYTURN_{named}" in str(refused.value)
    assert "canary" not in str(refused.value)


def test_an_openid_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists with commas or blanks; the host stands for a name."""
    given = {
        "ISSUER": "https://id.example/", "CLIENT_ID": "keyturn", "CLIENT_SECRET": "s", "AMR": "mfa,hwk",
        "ROLES": "/keyturn admins=admin, staff = viewer", "DOMAINS": "@Example.com example.org",
    }  # fmt: skip
    for name, value in given.items():
        monkeypatch.setenv(f"KEYTURN_OIDC_{name}", value)
    monkeypatch.setenv("KEYTURN_SIGN_IN_LINKS", "0")
    found = read_settings().sign_in

    assert found.relying is not None
    assert (False, "id.example", "https://id.example/") == (found.links, found.relying.name, found.relying.issuer)
    assert {"/keyturn admins": Role.ADMIN, "staff": Role.VIEWER} == found.relying.roles
    assert frozenset({"example.com", "example.org"}) == found.relying.domains
    assert ("mfa", "hwk") == found.relying.amr
    assert Secret("s") == found.relying.client_secret


def test_both_forms_at_once_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody can tell which was meant."""
    (tmp_path / "x").write_text("info")
    monkeypatch.setenv("KEYTURN_LOG_LEVEL", "info")
    monkeypatch.setenv("KEYTURN_LOG_LEVEL_FILE", str(tmp_path / "x"))

    with pytest.raises(SettingsInvalid):
        read_settings()


def test_a_misspelt_name_is_told_with_the_nearest() -> None:
    """A warning, not an error: another program may have settings of that name."""
    names = {"KEYTURN_LISTN": "", "KEYTURN_DATA": "", "KEYTURN_API_KEY": "", "KEYTURN_KEYS_FILE": "", "PATH": ""}

    assert [("KEYTURN_LISTN", "KEYTURN_LISTEN")] == unknown_names(names)
