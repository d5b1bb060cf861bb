"""Writing connectors: a draft that may be wrong in nothing but taste, versions of which only advice is corrected."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final, Literal

from keyturn.core.audit_record import AuditRecord
from keyturn.core.building.corrections import advice_in, immutable_in, only_advice_differs
from keyturn.core.building.recorded import change_facts
from keyturn.core.connector import ClientAuthentication, Connector
from keyturn.core.errors import (
    ConnectorClientMissing,
    ConnectorInvalid,
    Finding,
    NotFound,
    PublishBlocked,
    ValidationFailed,
    VersionConflict,
    VersionImmutable,
)
from keyturn.core.field_values import check_password
from keyturn.core.format.writing import digest
from keyturn.core.lint import LintFinding, blocks_publishing, lint
from keyturn.core.reading import read_connector
from keyturn.core.secret import Secret
from keyturn.core.urls.public_suffixes import PublicSuffixes
from keyturn.engine.actor import Actor
from keyturn.engine.provider_gate import ProviderGate
from keyturn.engine.published import PublishedConnectors
from keyturn.ports.catalogue import Catalogue
from keyturn.ports.client_assertions import ClientAssertions
from keyturn.ports.clock import Clock
from keyturn.ports.store import ClientCredentials, ConnectorStore, Draft, PublishedVersion

LONGEST_CLIENT_VALUE = 4096
LONGEST_NOTE: Final = 500
CLIENT_SET = "connector.client_set"
CORRECTED: Final = "connector.corrected"
PUBLISHED: Final = "published"
UNCHANGED: Final = "unchanged"
_NO_FACTS: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Saved:
    """A stored draft, what lint finds in it, and whether the connector is new."""

    draft: Draft
    findings: tuple[LintFinding, ...]
    created: bool


@dataclass(frozen=True, slots=True)
class Published(PublishedVersion):
    """The version that says what the draft says, and what was done for that.

    `result`: `published`, a new version; `corrected`, the advice of one that was there; `unchanged`, it said so before.
    `corrected`: the keys of the advice that was corrected.
    """

    result: Literal["published", "corrected", "unchanged"] = PUBLISHED
    corrected: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EditConnector:
    """Reads, lints, stores and publishes connectors."""

    store: ConnectorStore
    catalogue: Catalogue
    suffixes: PublicSuffixes
    gate: ProviderGate
    clock: Clock
    assertions: ClientAssertions | None = None
    published: PublishedConnectors | None = None  # what this process remembers of versions

    async def read(self, source: str | bytes) -> Connector:
        """Read a connector file; ConnectorInvalid has every error with line and column.

        In a thread: a file of 256 KiB that is wrong everywhere takes seconds, in which calls go on.
        """
        return await asyncio.to_thread(self._read, source)

    def _read(self, source: str | bytes) -> Connector:
        return read_connector(self.catalogue.read(source), suffixes=self.suffixes)

    async def save(
        self, connector_id: str, source: str | bytes, actor: Actor, *, expected_revision: int | None = None
    ) -> Saved:
        """Store a draft.

        Raises:
            ConnectorInvalid: nothing was saved.
            VersionConflict: the draft is not the one that the caller read.
        """
        connector = await self.read(source)
        if connector.id != connector_id:
            message = "The connector's own id differs from the one that it is to be stored under."
            raise ConnectorInvalid(errors=[Finding("/connector", "id_differs", message)])
        text = source if isinstance(source, str) else source.decode("utf-8-sig")
        before = await self.store.draft(connector_id)
        told = change_facts(before.connector if before is not None else None, connector)
        record = replace(self._record("connector.saved", connector_id, actor), facts=told)
        draft, created = await self.store.put_draft(
            connector, text, at=self.clock.now(), expected_revision=expected_revision, records=[record]
        )
        return Saved(draft, lint(connector), created)

    async def publish(
        self,
        connector_id: str,
        actor: Actor,
        *,
        expected_revision: int | None = None,
        corrects: int | None = None,
        note: str = "",
        facts: Mapping[str, Any] = _NO_FACTS,
    ) -> Published:
        """Publish the draft as the next version, all defaults frozen; `facts` stand in the audit record.

        `note`: one line on what it is for, kept with a new version and in the record.

        Where only advice differs from the newest version, that one is corrected instead: its connections see it at
        once. `corrects`: an older version that is to be corrected, and nothing else done.

        Raises:
            NotFound: there is no draft, or no such version.
            VersionConflict: the draft is not the one that the caller read, or somebody publishes at the same moment.
            PublishBlocked: lint finds errors; `errors` has them.
            VersionImmutable: the version to correct differs in more than advice; `errors` has the keys.
            ValidationFailed: the note is too long, or no line of text.
        """
        note = _checked_note(note)
        draft = await self.store.draft(connector_id)
        if draft is None:
            raise NotFound("There is no such connector.")
        if expected_revision not in (None, draft.revision):
            raise VersionConflict
        findings = lint(draft.connector)
        if blocks_publishing(findings):
            errors = [Finding(each.pointer, each.code, each.message) for each in findings if each.is_error]
            raise PublishBlocked(errors=errors)
        target = await self.store.version(connector_id, corrects)
        if corrects is not None and target is None:
            raise NotFound("There is no such version.")
        if target is not None and target.digest == digest(draft.connector):
            return _published(target, UNCHANGED)
        if target is not None and only_advice_differs(target.connector, draft.connector):
            return await self._correct(target, draft, actor, note)
        if corrects is not None and target is not None:
            raise VersionImmutable(errors=[
                Finding(f"/{name}", "immutable", "This is no advice; it stays as it was published.")
                for name in immutable_in(target.connector, draft.connector)
            ])  # fmt: skip
        told = change_facts(target.connector if target is not None else None, draft.connector) | dict(facts)
        told["version"] = target.version + 1 if target is not None else 1
        record = replace(self._record("connector.published", connector_id, actor), facts={**told, **_said(note)})
        version = await self.store.publish(
            draft.connector, draft.source, digest(draft.connector), at=record.at, by=actor.name, note=note,
            records=[record],
        )  # fmt: skip
        return _published(version, PUBLISHED)

    async def _correct(self, target: PublishedVersion, draft: Draft, actor: Actor, note: str) -> Published:
        keys = advice_in(target.connector, draft.connector)
        wanted = digest(draft.connector)
        told = {"version": target.version, "keys": list(keys), "digest_before": target.digest, "digest": wanted}
        record = replace(self._record(CORRECTED, draft.connector.id, actor), facts={**told, **_said(note)})
        version = await self.store.correct(target, draft.connector, draft.source, wanted, records=[record])
        if self.published is not None:  # the other processes hear of it by the record
            self.published.forget(draft.connector.id)
        return replace(_published(version, "corrected"), corrected=keys)

    async def set_client(self, connector_id: str, client_id: str, client_secret: Secret | None, actor: Actor) -> None:
        """Seal the application's id and secret; an empty secret is none. NotFound, ValidationFailed."""
        errors = []
        if not client_id.strip() or len(client_id) > LONGEST_CLIENT_VALUE or not client_id.isprintable():
            message = "A client id has 1 to 4096 characters, none of them a control character."
            errors.append(Finding("/client_id", "required", message))
        if client_secret and check_password(client_secret):
            errors.append(Finding("/client_secret", "invalid", "A client secret has at most 4096 characters."))
        elif client_secret and self.assertions is not None and await self._signs(connector_id):
            try:
                self.assertions.check(client_secret)
            except ConnectorClientMissing:
                message = "A private key in PEM or JWK is wanted, not encrypted: RSA of 2048 bits or more, or P-256."
                errors.append(Finding("/client_secret", "invalid", message))
        if errors:
            raise ValidationFailed(errors=errors)
        credentials = ClientCredentials(client_id.strip(), client_secret if client_secret else None)
        record = self._record(CLIENT_SET, connector_id, actor)
        await self.store.set_client(connector_id, credentials, at=self.clock.now(), records=[record])
        if self.published is not None:
            self.published.forget_client(connector_id)
        self.gate.end_alarm(connector_id)

    async def _signs(self, connector_id: str) -> bool:
        """Whether the draft, or what is published, proves the application by its private key."""
        draft, newest = await self.store.draft(connector_id), await self.store.version(connector_id)
        known = [each.connector for each in (draft, newest) if each is not None]
        way = ClientAuthentication.PRIVATE_KEY_JWT
        return any(way in (each.client_authentication, each.token.authentication) for each in known)

    def _record(self, action: str, connector_id: str, actor: Actor) -> AuditRecord:
        return AuditRecord(self.clock.now(), action, actor.name, connector=connector_id, request_id=actor.request_id)


def _published(version: PublishedVersion, result: Literal["published", "corrected", "unchanged"]) -> Published:
    return Published(
        version.connector, version.version, version.digest, version.source, version.published_at,
        version.published_by, version.note, result=result,
    )  # fmt: skip


def _checked_note(note: str) -> str:
    note = note.strip()
    if len(note) > LONGEST_NOTE or not note.isprintable():
        message = f"A note is one line of {LONGEST_NOTE} characters at most."
        raise ValidationFailed(errors=[Finding("/note", "invalid", message)])
    return note


def _said(note: str) -> Mapping[str, str]:
    return {"note": note} if note else {}
