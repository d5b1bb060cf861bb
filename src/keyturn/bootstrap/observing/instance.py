"""What the console's pages of settings and of the API show, made of the settings and the tables of calls.

Rule 1: the value of a setting that may hold a secret is not read here, not even its length.
Rule 2: a setting that is new shows without its value until it is named among those that hold no secret.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from keyturn.bootstrap.settings import PREFIX, Settings, sources_of
from keyturn.web.console.instance import Instance, ShownCall, ShownSetting
from keyturn.web.control.application import OPERATIONS
from keyturn.web.control.shapes.answers import SettingAnswer
from keyturn.web.kit.log_level import LogLevelSwitch

# None of these can hold a password or a key.
PLAIN: Final = frozenset(
    {
        "data", "listen", "egress_allow", "insecure_http", "public_url", "trusted_proxies", "offline_grace",
        "log_level", "log_format", "operator_name", "audit_anchor", "audit_syslog", "audit_retention", "mail_from",
        "mail_to", "limit_api", "limit_proxy", "limit_connection", "limit_token", "limit_signin", "brand_color",
        "brand_logo", "brand_help_url", "otel_endpoint", "otel_propagate", "return_origins",
        "sign_in_links", "oidc_issuer", "oidc_client_id", "oidc_name", "oidc_scopes", "oidc_role_claim",
        "oidc_roles", "oidc_domains", "oidc_acr", "oidc_amr",
    }
)  # fmt: skip
_LISTEN: Final = Settings.model_fields["listen"].default
_METHODS: Final = ("get", "post", "put", "patch", "delete")


def instance_of(settings: Settings, log_level: LogLevelSwitch, other_paths: Mapping[str, Any]) -> Instance:
    """Put it together.

    Args:
        settings: as the server runs with them.
        log_level: the process's.
        other_paths: other zones' calls, as `paths` of an OpenAPI document.
    """
    return Instance(
        tuple(_settings(settings)),
        (*_own_calls(), *_other_calls(other_paths)),
        log_level,
        settings.brand,
        link_options(settings),
    )


def link_options(settings: Settings, *, data: Path | None = None, address: str | None = None) -> str:
    """The words that make `keyturn person link` mean this server, whatever its shell has set.

    Args:
        settings: as the server runs with them.
        data: its directory as a person in the same folder would write it; by default from the root on.
        address: where it is reached, if it is known better than the settings know it.
    """
    place = f"--data {shlex.quote(str(data or settings.data.absolute()))}"
    here = address or settings.public_url or f"http://{settings.listen}"
    return place if here == f"http://{_LISTEN}" else f"{place} --url {shlex.quote(here)}"


def setting_answers(instance: Instance) -> tuple[SettingAnswer, ...]:
    """Its settings as the API answers them."""
    return tuple(
        SettingAnswer(name=each.name, value=each.value, is_set=each.is_set, source=each.source)
        for each in instance.settings
    )


def _settings(settings: Settings) -> Iterator[ShownSetting]:
    sources = sources_of(settings)
    for name in Settings.model_fields:
        is_set = getattr(settings, name) not in (None, "", ())
        value = _text(getattr(settings, name)) if name in PLAIN else None
        yield ShownSetting(f"{PREFIX}{name.upper()}", sources[name], value, is_set)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return ", ".join(str(each) for each in value)
    return "" if value is None else str(value)


def _own_calls() -> Iterator[ShownCall]:
    for each in OPERATIONS:
        title = (each.endpoint.__doc__ or "").strip().partition("\n")[0]
        yield ShownCall(each.method, each.path, title, each.scope, each.tag)


def _other_calls(paths: Mapping[str, Any]) -> Iterator[ShownCall]:
    for path, item in paths.items():
        for method in _METHODS:
            if method in item:
                call = item[method]
                yield ShownCall(
                    method.upper(), path, call["summary"], call.get("x-required-scope", ""), call["tags"][0]
                )
