"""Settings: `KEYTURN_*` from the environment, each also as `KEYTURN_*_FILE`. The only reader of the environment.

Rule 1: a setting that can't be used stops the start, with its name and what would be right; its value is not echoed.
Rule 2: a name that is nearly one of ours is a warning with the nearest name.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from keyturn.adapters.egress.mail import check_address, mail_server
from keyturn.adapters.egress.syslog import syslog_address
from keyturn.adapters.egress.tunnel import egress_proxy
from keyturn.core.access.rates import Rate
from keyturn.core.errors import SettingsInvalid
from keyturn.core.secret import Secret
from keyturn.core.urls.return_urls import origin_allowed
from keyturn.engine.abuse.guards import LEAST_SIGN_INS
from keyturn.engine.abuse.rate_limits import POLICIES
from keyturn.engine.people.openid.from_settings import read_roles, relying_on
from keyturn.engine.people.openid.relying import SignInSettings
from keyturn.web.kit.brand import Brand, check_color, check_help_url, read_logo

PREFIX: Final = "KEYTURN_"
# Read by the command line, which calls a server, not by the server itself.
CLIENT_NAMES: Final = frozenset({"KEYTURN_URL", "KEYTURN_API_KEY", "KEYTURN_API_KEY_FILE", "KEYTURN_NO_PROMPT"})
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class _Files(PydanticBaseSettingsSource):
    """`KEYTURN_X_FILE`: the setting's value stands in this file (one trailing line end is cut)."""

    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        found = {}
        for name in self.settings_cls.model_fields:
            variable = f"{PREFIX}{name.upper()}_FILE"
            path = os.environ.get(variable)
            if not path:
                continue
            if os.environ.get(f"{PREFIX}{name.upper()}"):
                raise SettingsInvalid(f"{variable} and {PREFIX}{name.upper()} are both set; set one.")
            try:
                text = Path(path).read_text(encoding="utf-8")
            except (OSError, UnicodeError):
                raise SettingsInvalid(f"{variable} names a file that can't be read.") from None
            found[name] = text.removesuffix("\n").removesuffix("\r")
        return found


def check_collector(value: str) -> str:
    """The base URL of an OTLP collector, without a slash at its end; ValueError."""
    parts = urlsplit(value)
    more = parts.query or parts.fragment or "@" in parts.netloc
    if parts.scheme not in ("http", "https") or not parts.hostname or more:
        raise ValueError("an http or https URL without credentials, such as http://127.0.0.1:4318")
    return value.rstrip("/")


class Settings(BaseSettings):
    """What an operator may set."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        extra="ignore",
        arbitrary_types_allowed=True,
        hide_input_in_errors=True,
        frozen=True,
        env_ignore_empty=True,
    )

    data: Path = Path("keyturn-data")
    listen: str = "127.0.0.1:8800"
    database_url: str | None = None
    admin_api_key: Secret | None = Field(default=None, repr=False)
    egress_allow: tuple[Network, ...] = ()
    egress_proxy: Secret | None = Field(default=None, repr=False)
    insecure_http: bool = False
    public_url: str | None = None
    trusted_proxies: tuple[Network, ...] = ()
    return_origins: tuple[str, ...] = ()
    keys: str | None = Field(default=None, repr=False)
    offline_grace: float = Field(default=60.0, ge=0, le=86_400)
    log_level: str = "info"
    log_format: str = "auto"  # auto: console on a terminal, else json
    operator_name: str = ""
    audit_anchor: Path | None = None
    audit_syslog: str | None = None
    audit_retention: int = Field(default=400, ge=0, le=36_500)  # days; 0: for ever
    smtp_url: Secret | None = Field(default=None, repr=False)
    mail_from: str | None = None
    mail_to: tuple[str, ...] = ()
    limit_api: int | None = Field(default=None, ge=1)  # a minute, as all limits
    limit_proxy: int | None = Field(default=None, ge=1)
    limit_connection: int | None = Field(default=None, ge=1)
    limit_token: int | None = Field(default=None, ge=1)
    limit_signin: int | None = Field(default=600, ge=LEAST_SIGN_INS)
    otel_endpoint: str | None = None
    otel_headers: Secret | None = Field(default=None, repr=False)
    otel_propagate: tuple[str, ...] = ()
    brand_color: str | None = None
    brand_logo: Path | None = None
    brand_help_url: str | None = None
    sign_in_links: bool = True
    oidc_issuer: str | None = None
    oidc_client_id: str | None = None
    oidc_client_secret: Secret | None = Field(default=None, repr=False)
    oidc_name: str = ""
    oidc_scopes: tuple[str, ...] = ("openid", "email", "profile")
    oidc_role_claim: str = "groups"
    oidc_roles: str = ""
    oidc_domains: tuple[str, ...] = ()
    oidc_acr: tuple[str, ...] = ()
    oidc_amr: tuple[str, ...] = ()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, then the environment, then the files that it names."""
        return init_settings, env_settings, _Files(settings_cls)

    @field_validator("admin_api_key", mode="before")
    @classmethod
    def _admin_api_key(cls, value: Any) -> Any:
        if value in (None, ""):
            return None
        if isinstance(value, str) and not 32 <= len(value) <= 512:
            raise ValueError("an admin key has 32 to 512 characters")
        if isinstance(value, str) and not all("!" <= c <= "~" for c in value):
            raise ValueError("an admin key is made of visible ASCII characters, as it travels in a header")
        return Secret(value) if isinstance(value, str) else value

    @field_validator("egress_allow", "trusted_proxies", mode="before")
    @classmethod
    def _networks(cls, value: Any) -> Any:
        if isinstance(value, str):
            parts = value.replace(",", " ").split()
            try:
                return tuple(ipaddress.ip_network(part, strict=False) for part in parts)
            except ValueError:
                raise ValueError("networks such as 10.0.0.0/8, with commas or blanks between them") from None
        return value

    @field_validator("log_level")
    @classmethod
    def _log_level(cls, value: str) -> str:
        if value.lower() not in ("debug", "info", "warning", "error"):
            raise ValueError("one of debug, info, warning, error")
        return value.lower()

    @field_validator("audit_syslog")
    @classmethod
    def _audit_syslog(cls, value: str | None) -> str | None:
        if value:
            syslog_address(value)
        return value or None

    @field_validator("smtp_url", mode="before")
    @classmethod
    def _smtp_url(cls, value: Any) -> Any:
        if value in (None, ""):
            return None
        found = Secret(value) if isinstance(value, str) else value
        mail_server(found)
        return found

    @field_validator("egress_proxy", mode="before")
    @classmethod
    def _egress_proxy(cls, value: Any) -> Any:
        if value in (None, ""):
            return None
        found = Secret(value) if isinstance(value, str) else value
        egress_proxy(found)
        return found

    @field_validator("oidc_client_secret", mode="before")
    @classmethod
    def _oidc_client_secret(cls, value: Any) -> Any:
        return (Secret(value) if isinstance(value, str) else value) or None

    @field_validator("oidc_scopes", "oidc_domains", "oidc_acr", "oidc_amr", mode="before")
    @classmethod
    def _words(cls, value: Any) -> Any:
        return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value

    @field_validator("return_origins", mode="before")
    @classmethod
    def _return_origins(cls, value: Any) -> Any:
        found = tuple(value.replace(",", " ").split()) if isinstance(value, str) else value
        for each in found:
            if not origin_allowed(each):
                raise ValueError("an origin is written https://app.example, or http://127.0.0.1:3000 on loopback")
        return found

    @field_validator("oidc_roles")
    @classmethod
    def _oidc_roles(cls, value: str) -> str:
        read_roles(value)
        return value

    @field_validator("mail_from", mode="before")
    @classmethod
    def _mail_from(cls, value: Any) -> Any:
        return check_address(value) if isinstance(value, str) and value else None

    @field_validator("mail_to", mode="before")
    @classmethod
    def _mail_to(cls, value: Any) -> Any:
        if isinstance(value, str):
            return tuple(check_address(each) for each in value.replace(",", " ").split())
        return value

    @field_validator("otel_endpoint")
    @classmethod
    def _otel_endpoint(cls, value: str | None) -> str | None:
        return check_collector(value) if value else None

    @field_validator("otel_headers", mode="before")
    @classmethod
    def _otel_headers(cls, value: Any) -> Any:
        return Secret(value) if isinstance(value, str) and value else value or None

    @field_validator("otel_propagate", mode="before")
    @classmethod
    def _otel_propagate(cls, value: Any) -> Any:
        return tuple(value.lower().replace(",", " ").split()) if isinstance(value, str) else value

    @field_validator("public_url")
    @classmethod
    def _public_url(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("https://", "http://")):
            raise ValueError("an http or https URL")
        return value.rstrip("/") if value else None

    @field_validator("brand_color")
    @classmethod
    def _brand_color(cls, value: str | None) -> str | None:
        return check_color(value.strip()) if value else None

    @field_validator("brand_logo")
    @classmethod
    def _brand_logo(cls, value: Path | None) -> Path | None:
        if value is not None:
            read_logo(value)
        return value

    @field_validator("brand_help_url")
    @classmethod
    def _brand_help_url(cls, value: str | None) -> str | None:
        return check_help_url(value.strip()) if value else None

    @property
    def brand(self) -> Brand:
        """How the pages look. BrandUnusable: the logo was taken away since the settings were read."""
        return Brand(self.brand_color, read_logo(self.brand_logo) if self.brand_logo else None, self.brand_help_url)

    @property
    def collector(self) -> tuple[str, Secret | None] | None:
        """Where traces go, and headers for it: ours, or what OpenTelemetry's own variables say; None: nowhere.

        SettingsInvalid: a variable of OpenTelemetry's that can't be used.
        """
        endpoint = self.otel_endpoint or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT")
        if not endpoint:
            return None
        try:
            url = check_collector(endpoint)
        except ValueError as error:
            raise SettingsInvalid(f"OTEL_EXPORTER_OTLP_ENDPOINT: {error}") from None
        said = os.environ.get("OTEL_EXPORTER_OTLP_HEADERS")
        return f"{url}/v1/traces", self.otel_headers or (Secret(said) if said else None)

    @property
    def rates(self) -> tuple[Rate, ...]:
        """The limits that are set."""
        quotas = {policy: getattr(self, f"limit_{policy}") for policy in POLICIES}
        return tuple(Rate(policy, quota) for policy, quota in quotas.items() if quota is not None)

    @property
    def sign_in(self) -> SignInSettings:
        """How people sign in. SettingsInvalid: what is said of the OpenID provider doesn't fit together."""
        given = {name: getattr(self, name) for name in type(self).model_fields if name.startswith("oidc_")}
        return SignInSettings(relying_on(given, insecure_http=self.insecure_http), self.sign_in_links)

    @property
    def host_and_port(self) -> tuple[str, int]:
        """Where to listen."""
        host, _, port = self.listen.rpartition(":")
        if not host or not port.isdigit() or not 0 <= int(port) <= 65_535:
            raise SettingsInvalid("KEYTURN_LISTEN is HOST:PORT, such as 127.0.0.1:8800.")
        return host.strip("[]"), int(port)


# The two tuples of networks are read from text with commas or blanks, not as JSON.
Settings.model_config["enable_decoding"] = False


def read_settings(**flags: Any) -> Settings:
    """Read them all.

    Args:
        flags: what the command line says; None means that it says nothing.

    Raises:
        SettingsInvalid: with the names of all that can't be used.
    """
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        faults = "; ".join(f"{PREFIX}{str(each['loc'][0]).upper()}: {each['msg']}" for each in error.errors())
        raise SettingsInvalid(faults) from None


def sources_of(settings: Settings) -> dict[str, str]:
    """Where each setting's value came from: `default`, `environment`, `file`, or `start`.

    `start` is the command that started the server: its flags, and what it decides by itself.
    """
    try:
        outside = Settings()
    except (ValidationError, SettingsInvalid):
        outside = settings  # what a flag stands in for can't be used, or a file has gone: its variable is named
    return {name: _source(name, settings, outside) for name in Settings.model_fields}


def _source(name: str, settings: Settings, outside: Settings) -> str:
    variable = f"{PREFIX}{name.upper()}"
    if name not in settings.model_fields_set:
        return "default"
    if getattr(outside, name) == getattr(settings, name):
        for source, each in (("environment", variable), ("file", f"{variable}_FILE")):
            if os.environ.get(each):
                return source
    return "start"


def unknown_names(environment: Mapping[str, str] | None = None) -> list[tuple[str, str | None]]:
    """Each `KEYTURN_*` that is none of ours, with the nearest name that is."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    known |= {f"{name}_FILE" for name in known} | CLIENT_NAMES
    found = []
    for name in sorted(environment if environment is not None else os.environ):
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            found.append((name, near[0] if near else None))
    return found
