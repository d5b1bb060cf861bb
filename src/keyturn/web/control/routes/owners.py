"""Owners: the callers' own ids for persons. What can be done with one here is to erase it."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from keyturn.web.control.caller import App, Calling
from keyturn.web.control.operations import Operation
from keyturn.web.control.shapes.audit import ErasedAnswer
from keyturn.web.control.shapes.showing import answer

TAG: Final = "owners"


async def erase_owner(owner: str, app: App, caller: Calling) -> Response:
    """Erase a person.

    Ends all connections of the owner, as a disconnect of each does, ends the open connect links, and takes the name
    out of everything that is kept; the audit log keeps a subject id that nobody can be found by. Asking twice is
    fine, and so is an owner that has nothing.
    """
    caller.must_see_owner(owner)
    erased = await app.erase_owner(owner, caller.actor, project=caller.principal.project)
    return answer(ErasedAnswer(connections=erased.connections, revocation=dict(erased.revocation)))


OPERATIONS: Final = (
    Operation(
        "DELETE",
        "/v1/owners/{owner}",
        erase_owner,
        "admin",
        {200: ErasedAnswer},
        TAG,
        problems=("generation_conflict", "key_unavailable"),
        unlimited_by=("connectors",),
        answer_example={"connections": 2, "revocation": {"done": 1, "pending": 1}},
    ),
)
