"""A plan of moving connections, as callers get it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from keyturn.core.building.moving import WORDS
from keyturn.engine.migration.plan_migration import MigrationPlan
from keyturn.web.control.shapes.requests import Members

Reason = Literal[
    "needs_reconnect", "host_not_pinned", "field_missing", "value_missing", "password_needed", "other_account"
]


class NewMigration(Members):
    """`dry_run`: true says what would be done, and does nothing; false begins. It has to be said which."""

    dry_run: bool


class ChangeAnswer(BaseModel):
    """One difference between two versions. `step`: 0 for the connector as a whole."""

    step: int
    risky: bool
    sentence: str


class OlderVersionAnswer(BaseModel):
    """A version that connections are still on, how many, and what the newest changes of it."""

    version: int
    connections: int
    changes: list[ChangeAnswer]


class StaysAnswer(BaseModel):
    """A connection whose person has to sign in."""

    connection: str
    reason: Reason


class ReasonAnswer(BaseModel):
    """Why connections stay, and how many."""

    reason: Reason
    connections: int
    message: str


class MigrationAnswer(BaseModel):
    """What would be done. `moves`: how many go over, if their test call passes; `stays`: a thousand at most."""

    version: int
    already: int
    moves: int
    older: list[OlderVersionAnswer]
    needs_login: list[ReasonAnswer]
    stays: list[StaysAnswer]


def migration_answer(plan: MigrationPlan) -> MigrationAnswer:
    """Show a plan."""
    older = [
        OlderVersionAnswer(
            version=version,
            connections=count,
            changes=[
                ChangeAnswer(step=each.step, risky=each.risky, sentence=each.sentence)
                for each in plan.changes.get(version, ())
            ],
        )
        for version, count in plan.by_version.items()
    ]
    return MigrationAnswer(
        version=plan.version,
        already=plan.already,
        moves=plan.moves,
        older=older,
        needs_login=[
            ReasonAnswer(reason=reason.value, connections=count, message=WORDS[reason])
            for reason, count in plan.needs_login.items()
        ],
        stays=[StaysAnswer(connection=name, reason=reason.value) for name, reason in plan.named],
    )
