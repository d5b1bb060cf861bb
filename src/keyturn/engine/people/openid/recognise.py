"""Who somebody is here whom the OpenID provider has signed in.

Rule 1: a person is known by issuer and subject; an e-mail is good for one thing, to take up an invitation, once.
Rule 2: where the operator has a table of roles, it says the role at each sign-in; else the invitation's stays.
Rule 3: nobody becomes anything by default: without an invitation it takes a domain and a role of the table.

Sources: OpenID Connect Core 1.0 section 5.7; the threat model, A2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from keyturn.core.access.openid import name_in, role_in, verified_email
from keyturn.core.access.roles import Role
from keyturn.core.audit_record import AuditRecord
from keyturn.core.errors import OpenIdNotInvited, OpenIdRoleMissing
from keyturn.engine.actor import Actor
from keyturn.engine.people.openid.exchange import Told
from keyturn.engine.people.openid.relying import RelyingSettings
from keyturn.ports.clock import Clock, Entropy
from keyturn.ports.people import PeopleStore, Person


@dataclass(frozen=True, slots=True)
class RecognisePerson:
    """Finds, links or makes the person."""

    settings: RelyingSettings
    people: PeopleStore
    clock: Clock
    entropy: Entropy

    async def __call__(self, told: Told, actor: Actor) -> Person:
        """The person.

        Raises:
            OpenIdNotInvited, OpenIdRoleMissing: nobody was linked or made.
            GenerationConflict: somebody else wrote the person at this moment.
        """
        settings = self.settings
        role = role_in(told.claims, settings.role_claim, settings.roles) if settings.roles else None
        if settings.roles and role is None:
            raise OpenIdRoleMissing
        subject = f"{settings.issuer} {told.token['sub']}"
        person = await self.people.find_subject(subject)
        if person is not None:
            return await self._with_role(person, role, actor)
        email = verified_email(told.claims)
        invited = await self.people.find_invited(email) if email else None
        if invited is not None:
            linked = replace(invited, subject=subject, email=None)
            record = self._record("person.linked", invited, actor)
            return await self._with_role(await self.people.save(linked, records=[record]), role, actor)
        if email is None or role is None or email.rpartition("@")[2] not in settings.domains:
            raise OpenIdNotInvited
        new = Person(self.entropy.identifier("per"), name_in(told.claims), role, self.clock.now(), subject)
        await self.people.add(new, records=[self._record("person.created", new, actor, role=role.value)])
        return new

    async def _with_role(self, person: Person, role: Role | None, actor: Actor) -> Person:
        if role is None or role is person.role:
            return person
        record = self._record("person.role_changed", person, actor, role=role.value)
        return await self.people.save(replace(person, role=role), end_sessions=True, records=[record])

    def _record(self, action: str, person: Person, actor: Actor, **facts: str) -> AuditRecord:
        told = {"person": person.id, **facts}
        return AuditRecord(self.clock.now(), action, actor.name, request_id=actor.request_id, facts=told)
