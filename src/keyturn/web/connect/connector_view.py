"""What a person has to know of a connector before typing a password: where it goes, what is kept, what it opens.

Rule 1: the host is taken from the request that would be sent, built by the code that sends it.
Rule 2: what decides that host is asked for first, on a page of its own.
Rule 3: only http and https addresses become links.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from markupsafe import Markup

from keyturn.core.connector import Connector, Field, FieldType, Keep
from keyturn.core.errors import KeyturnError
from keyturn.core.secret import Secret
from keyturn.core.templates import Reference, Template
from keyturn.core.urls.public_suffixes import PublicSuffixes, registrable_domain
from keyturn.engine.before.run_before import Opening
from keyturn.engine.published import PublishedConnectors
from keyturn.engine.template_values import answered_host_in, login_requests, login_values
from keyturn.ports.store import ClientCredentials, ConnectSession

SECRET_TYPES: Final = frozenset({FieldType.SECRET, FieldType.TOTP_SEED, FieldType.OTP})
_A_LABEL_PREFIX: Final = "xn--"
_OPEN: Final = "…"
_WILDCARD: Final = "*."


@dataclass(frozen=True, slots=True)
class ShownHost:
    """Where a request goes.

    `text`: host and port, perhaps with a wildcard; `markup`: the same for pages, without it. `encrypted`: by https.
    `lookalike`: it has letters of other alphabets.
    """

    text: str
    markup: Markup
    encrypted: bool
    lookalike: bool

    @property
    def wildcard(self) -> bool:
        """Whether it stands for every host below it."""
        return self.text.startswith(_WILDCARD)


@dataclass(frozen=True, slots=True)
class ConnectorView:
    """A published connector with its registered application, as the pages need it."""

    connector: Connector
    version: int
    client: ClientCredentials | None
    suffixes: PublicSuffixes

    @property
    def deciding_fields(self) -> tuple[Field, ...]:
        """The fields that decide where the password goes, name a host of the person's own, or show other fields."""
        urls = (each.url for each in login_requests(self.connector))
        roots = {name for url in urls for part in authority_of(url) if isinstance(part, Reference)
                 for name in (part.root, *part.names())}  # fmt: skip
        roots |= {key for each in self.connector.before for key in each.when}
        roots |= {key for each in self.connector.fields for key in each.visible_when}
        return tuple(
            each
            for each in self.connector.fields
            if each.type not in SECRET_TYPES
            and (each.key in roots or (each.type is FieldType.HOST and each.self_hosted))
        )

    @property
    def further_fields(self) -> tuple[Field, ...]:
        """The fields that are asked for beside the password."""
        decided = {each.key for each in self.deciding_fields}
        return tuple(each for each in self.connector.fields if each.key not in decided)

    @property
    def kept_labels(self) -> list[str]:
        """The labels of the fields whose values outlive the login; for a seed a box of its own asks."""
        return [
            each.label
            for each in self.connector.fields
            if each.keep is not Keep.NEVER and each.type is not FieldType.TOTP_SEED
        ]

    def token_host(self, details: Mapping[str, Any]) -> ShownHost:
        """Where the password goes, with these values of the deciding fields.

        Raises:
            ValidationFailed: one of them makes no host. ConnectorInvalid: the connector makes no request.
        """
        stand_ins = {each.key: _stand_in(each) for each in self.further_fields}
        values = login_values({**stand_ins, **details}, "-", Secret("-"), self.client)
        parts = urlsplit(Opening(self.connector, self.client, values).first_with_password().url)
        return self.shown(parts.netloc, encrypted=parts.scheme == "https")

    def test_host(self, details: Mapping[str, Any]) -> Markup:
        """Where the test call goes."""
        return self.shown(_authority_text(self.connector.test.request.url, details)).markup

    def api_hosts(self, details: Mapping[str, Any]) -> list[ShownHost]:
        """The hosts of the allowed URLs; what is not known yet stands as an ellipsis."""
        texts: dict[str, None] = {}
        for each in self.connector.allowed_urls:
            answered = answered_host_in(each.url)
            listed = self.connector.token.response.hosts.get(answered or "", ())
            if not each.deny:  # what the provider will name is one of those that the connector lists
                texts |= dict.fromkeys(listed or [_authority_text(each.url, details)])
        return [self.shown(text) for text in texts]

    def revoke_hosts(self, details: Mapping[str, Any]) -> list[ShownHost]:
        """The hosts that are told to end the access."""
        texts = dict.fromkeys(_authority_text(each.request.url, details) for each in self.connector.revokes)
        return [self.shown(text) for text in texts]

    def shown(self, netloc: str, *, encrypted: bool = True) -> ShownHost:
        """A host with the part in bold that somebody registered, and is answerable for."""
        host, port = netloc, ""
        if not netloc.endswith("]") and ":" in netloc:
            host, _, port = netloc.rpartition(":")
        host = host.removeprefix(_WILDCARD)
        domain = registrable_domain(host, self.suffixes) or host
        before = host.removesuffix(domain)
        code = Markup('<bdi class="host">{}<strong>{}</strong>{}</bdi>')
        markup = code.format(before, domain, f":{port}" if port else "")
        lookalike = any(label.startswith(_A_LABEL_PREFIX) for label in host.split("."))
        return ShownHost(netloc, markup, encrypted, lookalike)


async def view_for(session: ConnectSession, published: PublishedConnectors, suffixes: PublicSuffixes) -> ConnectorView:
    """The newest version of a session's connector.

    Raises:
        NotFound, ConnectorNotPublished, ConnectorClientMissing: nobody can connect with it.
    """
    newest = await published.newest(session.connector, project=session.project)
    client = await published.client(newest.connector, project=session.project)
    return ConnectorView(newest.connector, newest.version, client, suffixes)


def authority_of(template: Template) -> Iterator[str | Reference]:
    """The parts of a URL template that stand between `://` and the path."""
    begun = False
    for part in template.parts:
        if isinstance(part, Reference):
            yield part
            continue
        text = part
        if not begun:
            text = text.partition("://")[2]
            begun = True
        end = min((text.index(mark) for mark in "/?#" if mark in text), default=None)
        if text[:end]:
            yield text[:end]
        if end is not None:
            return


def web_address(text: str | None) -> str | None:
    """An address that may stand in a link; None for anything else."""
    if text is None or not text.lower().startswith(("https://", "http://")):
        return None
    return text


def _authority_text(template: Template, details: Mapping[str, Any]) -> str:
    written = []
    for part in authority_of(template):
        value = details.get(part.root) if isinstance(part, Reference) and not part.filters else None
        written.append(part if isinstance(part, str) else _OPEN if value is None else str(value))
    return "".join(written).lower()


def _stand_in(field: Field) -> Any:
    """A value of the right type: it fills what is not about the host, and is sent nowhere."""
    match field.type:
        case FieldType.CHOICE:
            return next(iter(field.choices), "-")
        case FieldType.NUMBER:
            return 0
        case FieldType.BOOLEAN:
            return False
        case FieldType.URL:
            return "https://-.invalid/"
        case _ if field.type in SECRET_TYPES:
            return Secret("-")
    return "-"


def host_or_none(view: ConnectorView, details: Mapping[str, Any]) -> ShownHost | None:
    """Where the password would go; None where these values make no host."""
    try:
        return view.token_host(details)
    except KeyturnError:
        return None
