"""`docs/reference/settings.md`: every setting, from the settings themselves; the sentences are written here."""

from __future__ import annotations

from typing import Any, Final

from pydantic.fields import FieldInfo

from scripts.reference_sources import CLIENT_NAMES, PREFIX, Settings

# One sentence or two for each field of Settings; a missing or a left-over one stops the writing.
SENTENCES: Final = {
    "data": "The data directory: database, key file, spill files. It is made where it is absent, for its owner alone. "
    "`keyturn dev` does not look at this setting.",
    "listen": "`HOST:PORT` to listen on. Port 0 picks a free one.",
    "database_url": "`sqlite:///PATH` puts the database elsewhere than into the data directory. This version runs on "
    "SQLite only.",
    "admin_api_key": "An API key with the scope `admin`, good while it is set and never stored. Any text of 32 or more "
    "characters.",
    "egress_allow": "Private networks (CIDRs, with commas or blanks between them) for connectors that ask for them "
    "by `private_network: true` or `insecure_http: true`. A cloud metadata address has to be named alone.",
    "egress_proxy": "`http://[USER:PASSWORD@]HOST:PORT`: a proxy that every request to a provider or API goes through, "
    "by CONNECT. Addresses are looked up and judged here before, and the proxy is asked for the address. Best as "
    "`KEYTURN_EGRESS_PROXY_FILE` where it has a password. No proxy of the environment is ever used.",
    "insecure_http": "`1` allows connectors with `insecure_http: true` to speak plain http. Then passwords travel in "
    "the clear.",
    "public_url": "The address by which people reach this server. Connect links begin with it, and pages accept forms "
    "only from there. `http://` and the listening address where unset.",
    "return_origins": "Origins, with commas or blanks between them, such as `https://app.example`: connect links send "
    "people back there alone, and popups tell only windows of them. Where unset, any https address will do, and http "
    "on loopback.",
    "trusted_proxies": "Networks of proxies, with commas or blanks between them, whose `X-Forwarded-Method` and "
    "`X-Forwarded-Uri` forward-auth believes, and whose `X-Forwarded-For` says by which address connect pages count. "
    "No other forwarded header is believed.",
    "keys": "Where the keys are that wrap all others, one or several with commas between them: `file:PATH` (it has to "
    "exist), `env:NAME` (a variable with 32 bytes of base64), `awskms:ARN` (with `?endpoint=URL`; needs "
    "`keyturn[aws]`), `vault:https://HOST/MOUNT/KEY?token_file=PATH` (Vault or OpenBao; also `token_env`, `namespace`, "
    "`ca`, `name`). On the first start the first is current, afterwards whichever was rotated to. Where unset, "
    "`keyturn.key` in the data directory, made on the first start, and each `keyturn-….key` there.",
    "offline_grace": "How long calls go on from memory once the database is gone, in seconds; 0 ends them at once.",
    "log_level": "`debug`, `info`, `warning` or `error`.",
    "log_format": "`json`, `console`, or `auto`: `console` on a terminal and else `json`. The log goes to standard "
    "error.",
    "limit_api": "Calls of the control plane that one API key may make in a minute.",
    "limit_proxy": "Proxied calls and forward-auth questions that one API key may make in a minute.",
    "limit_connection": "Proxied calls that may go through one connection in a minute.",
    "limit_token": "Tokens that one API key may ask for in a minute, at the token endpoint.",
    "limit_signin": "Logins in a minute: over REST by API key and by owner, at connect pages by address and by owner; "
    "claims of links by address as well. 60 or more.",
    "operator_name": "Who runs this server, as people read it on the connect page.",
    "audit_anchor": "A file, best where the server can't write over it, to which the signed head of the audit log is "
    "added every hour in which something happened and at the end; `keyturn audit verify` holds the log against it.",
    "audit_syslog": "`udp://HOST:514`, `tcp://HOST:601` or `unix:/dev/log`: where each audit record is sent as it is "
    "written.",
    "audit_retention": "How many days audit records are kept; 0 is for ever. Older ones are cut off, with a signed "
    "mark. Successful renewals and vended tokens are kept for three days in full, and then as one record a connection "
    "and day.",
    "smtp_url": "The mail server by which the operator is told what needs somebody: `smtps://USER:PASSWORD@HOST`, "
    "`smtp+starttls://USER:PASSWORD@HOST`, or `smtp://HOST` in the clear and without credentials. Best as "
    "`KEYTURN_SMTP_URL_FILE`. Where unset, no mail is sent.",
    "mail_from": "The sender's address. The first of `KEYTURN_MAIL_TO` where unset.",
    "mail_to": "Whom mail goes to: addresses with commas or blanks between them.",
    "otel_endpoint": "Where traces are sent: the address of an OpenTelemetry collector that takes OTLP over HTTP, such "
    "as `http://127.0.0.1:4318`. Needs `keyturn[otel]`. Where unset, `OTEL_EXPORTER_OTLP_ENDPOINT` counts, and without "
    "both there are no traces.",
    "otel_headers": "Headers for the collector: `NAME=VALUE`, with commas between them. Best as "
    "`KEYTURN_OTEL_HEADERS_FILE`. `OTEL_EXPORTER_OTLP_HEADERS` where unset.",
    "otel_propagate": "Hosts of APIs, with commas or blanks between them, that are sent a `traceparent` of ours. None "
    "where unset: an API learns nothing of our traces.",
    "brand_color": "The colour of the connect page's buttons and links, `#rrggbb`. White has to be readable on it "
    "(4.5 to 1, WCAG 2.2); a lighter one for dark screens is made of it.",
    "brand_logo": "A PNG file of up to 8 KiB that stands on top of the connect page.",
    "brand_help_url": "Where people get help: an https URL. The connect page has a link to it on every step.",
    "sign_in_links": "`0`: console and REST make no sign-in links, and none of theirs lets in; those of "
    "`keyturn person link`, on the machine itself, always do.",
    "oidc_issuer": "The OpenID provider through which people sign in to the console: the https URL by which it names "
    "itself, exactly. [How](../how-to/sign-in.md).",
    "oidc_client_id": "As the provider knows this instance. The redirect address there is "
    "`KEYTURN_PUBLIC_URL/sign-in/openid/callback`.",
    "oidc_client_secret": "The client's secret; best as `KEYTURN_OIDC_CLIENT_SECRET_FILE`. None for a public client.",
    "oidc_name": "What the button is called: “Sign in with …”. The issuer's host where unset.",
    "oidc_scopes": "The scopes that are asked for, `openid` among them.",
    "oidc_role_claim": "The claim that says who gets which role: its name, or a path such as `realm_access.roles`.",
    "oidc_roles": "`GROUP=ROLE`, several with commas between them: what each value of that claim gives, at each "
    "sign-in. Who has none of them is not let in. Where unset, the role of the invitation counts.",
    "oidc_domains": "Domains of verified e-mails with which somebody may come without an invitation; needs "
    "`KEYTURN_OIDC_ROLES`. Where unset, only invited people come in.",
    "oidc_acr": "One of these has to be the `acr` of the ID token; they are asked for as well.",
    "oidc_amr": "One of these has to be among the `amr` of the ID token, such as `mfa` or `hwk`.",
}

HEAD: Final = """\
# Settings

<!-- Made by `python -m scripts.write_pages` from the settings themselves; a test holds it equal. -->

Settings are environment variables. Each may also be given as `NAME_FILE`: a file that holds the value (one line end is
cut); both at once are refused. What stands on the command line wins over both. A setting that can't be used stops the
start and is named; its value is not repeated. An unknown `KEYTURN_` name is a warning with the nearest one that exists.

How to use them: [Run it](../how-to/run-it.md).

## Of the server

| setting | default | what it does |
|---|---|---|
"""

CLIENT: Final = {
    "KEYTURN_URL": ("`http://127.0.0.1:8800`", "Which server the commands talk to."),
    "KEYTURN_API_KEY": ("none", "The API key that the commands send. Also as `KEYTURN_API_KEY_FILE`."),
    "KEYTURN_API_KEY_FILE": ("none", "A file that holds the API key, so that it stands in no environment."),
    "KEYTURN_NO_PROMPT": ("off", "`1`: never ask anything; a command that would have to ask fails and says how else."),
}

MIDDLE: Final = """
## Of the command line

For `connector`, `connection`, `call`, `link` and `doctor`. `NO_COLOR` switches colours off.

| setting | default | what it does |
|---|---|---|
"""


def settings_page() -> str:
    """Write the page; raises where a setting has no sentence, or a sentence no setting."""
    fields = Settings.model_fields
    if set(fields) != set(SENTENCES):
        raise ValueError(f"settings without a sentence, or the reverse: {sorted(set(fields) ^ set(SENTENCES))}")
    if CLIENT_NAMES - set(CLIENT):
        raise ValueError(f"settings of the command line without a sentence: {sorted(CLIENT_NAMES - set(CLIENT))}")
    ours = [f"| `{PREFIX}{name.upper()}` | {_default(field)} | {SENTENCES[name]} |" for name, field in fields.items()]
    theirs = [f"| `{name}` | {default} | {text} |" for name, (default, text) in CLIENT.items()]
    return HEAD + "\n".join(ours) + "\n" + MIDDLE + "\n".join(theirs) + "\n"


def _default(field: FieldInfo) -> str:
    value: Any = field.default
    if value in (None, "", ()):
        return "none"
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"`{value:g}` s" if isinstance(value, float) else f"`{value}`"
