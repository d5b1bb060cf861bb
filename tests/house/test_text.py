"""What must not stand in files: addresses of package registries, somebody's own folders, providers in code."""

from __future__ import annotations

import re

import pytest

from tests.house.sources import ROOT, SRC, shown, tracked_files

LARGEST_READ_BYTES = 2_000_000
# A lock that names a host would send everyone there who has a registry of their own.
REGISTRIES = re.compile(r"(pypi|pythonhosted|npmjs|deb[.]debian)[.]org", re.IGNORECASE)
OWN_FOLDERS = re.compile(r"(?<![\w.$}~:*>-])/(?:root|work|home/\w+)/|(?:[.][.]/)+shared/")
# An ability that one provider needs is a field of the connector format, never a name in code.
PROVIDERS = (
    "acumatica apigee auth0 bitwarden bullhorn cloudfoundry cognito concur dayforce directus docuware drupal duende "
    "enphase erpnext firebase frappe fusionauth gotrue huawei intacct jellyfin jira keycloak keystone laravel magento "
    "metabase moodle odoo okta openiddict orocommerce pocketbase proxmox reddit rocketchat salesforce sellercloud "
    "servicenow shopify shopware strapi sugarcrm suitecrm supabase superset synology tableau thingsboard trustpilot "
    "vaultwarden vcenter veeva wso2 zabbix zendesk"
).split()
NAMED_PROVIDER = re.compile(rf"(?<![a-z])({'|'.join(PROVIDERS)})(?![a-z])", re.IGNORECASE)
CODE_SUFFIXES = {".py", ".html", ".js", ".css", ".sql", ".mako"}


def lines_with(
    pattern: re.Pattern[str], *, below: str = "", but: str = "\0", suffixes: set[str] | None = None
) -> list[str]:
    """List `file:line match` for each tracked text file below one folder and not below another."""
    found = []
    for path in tracked_files():
        name = shown(path)
        if not name.startswith(below) or name.startswith(but) or (suffixes and path.suffix not in suffixes):
            continue
        if path.stat().st_size > LARGEST_READ_BYTES:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        for match in pattern.finditer(text):
            found.append(f"{name}:{text.count(chr(10), 0, match.start()) + 1} {match.group()}")
    return found


def test_no_file_names_a_package_registry() -> None:
    """Where packages come from is the business of the machine that installs them."""
    assert [] == lines_with(REGISTRIES)


def test_no_file_names_a_folder_of_one_machine() -> None:
    """A path that exists for one person only is wrong for everyone else."""
    assert [] == lines_with(OWN_FOLDERS)


def test_no_provider_is_named_in_code() -> None:
    """Providers stand in the catalogue, as data."""
    assert [] == lines_with(NAMED_PROVIDER, below="src/keyturn/", but="src/keyturn/catalogue/", suffixes=CODE_SUFFIXES)


@pytest.mark.parametrize(
    ("pattern", "text", "hit"),
    [
        pytest.param(REGISTRIES, "https://files.pythonhosted" + ".org/x", True, id="registry"),
        pytest.param(REGISTRIES, "https://docs.python.org/", False, id="documentation is no registry"),
        pytest.param(OWN_FOLDERS, "see " + "/ro" + "ot/notes", True, id="somebody's own folder"),
        pytest.param(OWN_FOLDERS, "https://api.example.com/" + "wo" + "rk/1", False, id="part of an address"),
        pytest.param(NAMED_PROVIDER, 'if name == "Okta":', True, id="provider in a condition"),
        pytest.param(NAMED_PROVIDER, "a keystonelike arch", False, id="longer word"),
    ],
)
def test_the_patterns(pattern: re.Pattern[str], text: str, hit: bool) -> None:
    """The patterns find what they are for and nothing beside it."""
    assert hit == bool(pattern.search(text))


def test_something_is_read() -> None:
    """A rule over no files would always hold."""
    names = {shown(path) for path in tracked_files()}

    assert {"pyproject.toml", "Makefile", shown(SRC / "core" / "secret.py")} <= names
    assert ROOT.joinpath("LICENSE").read_text(encoding="utf-8").lstrip().startswith("Apache License")
