"""Owners that are named inside a row which is about more than them: jobs' arguments, and API keys' limits.

Rule: the name gives way to the subject, never to nothing: a key that was limited to one owner would reach everybody's.
"""

from __future__ import annotations

import json
from typing import Any, Final

import sqlalchemy as sa

from keyturn.adapters.store.database.jobs_table import jobs
from keyturn.adapters.store.database.schema import api_keys
from keyturn.adapters.store.rows.plain_columns import json_of

_NAMES: Final = frozenset({"owner", "owners"})
_PLACES: Final = ((jobs, jobs.c.arguments), (api_keys, api_keys.c.owners))


def rename_within(tx: sa.Connection, owner: str, project: str, subject: str) -> int:
    """Put the subject where the owner is named; returns in how many rows."""
    number = 0
    for table, column in _PLACES:
        found = sa.select(table.c.id, column).where(
            table.c.project == project, sa.func.instr(column, json.dumps(owner)) > 0
        )
        for row_id, text in tx.execute(found).all():
            renamed = json_of(_renamed(json.loads(text), owner, subject))
            if renamed != text:
                tx.execute(sa.update(table).where(table.c.id == row_id).values({column: renamed}))
                number += 1
    return number


def _renamed(value: Any, owner: str, subject: str, *, names: bool = True) -> Any:
    """The same value with another name; in a mapping only `owner` and `owners` name one."""
    if isinstance(value, dict):
        return {key: _renamed(each, owner, subject, names=key in _NAMES) for key, each in value.items()}
    if isinstance(value, list):
        return [_renamed(each, owner, subject, names=names) for each in value]
    return subject if names and value == owner else value
