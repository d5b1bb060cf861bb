"""Who is meant when somebody on the machine names a person."""

from __future__ import annotations

import pytest

from keyturn.core.access.roles import Role
from keyturn.core.errors import ValidationFailed
from keyturn.engine.actor import Actor
from tests.fakes.application import make_world

OPERATOR = Actor("operator")


async def test_a_person_is_meant_by_name_or_id() -> None:
    """An id is nobody's name, and a name of nobody's is free."""
    people = make_world().application.people
    ada = await people.create("Ada", Role.ADMIN, OPERATOR)

    assert [ada.id, ada.id] == [found.id for text in (" Ada ", ada.id) if (found := await people.meant(text))]
    assert await people.meant("Grace") is None
    with pytest.raises(ValidationFailed) as refused:
        await people.meant("per_nobody")
    assert "There is no person with this id." == refused.value.errors[0].message


async def test_of_several_with_one_name_none_is_guessed() -> None:
    """A name comes from whoever has it, also through an OpenID provider; the ids tell them apart."""
    people = make_world().application.people
    both = [await people.create("Ada", role, OPERATOR) for role in (Role.VIEWER, Role.ADMIN)]

    with pytest.raises(ValidationFailed) as refused:
        await people.meant("Ada")

    assert all(each.id in refused.value.errors[0].message for each in both)
