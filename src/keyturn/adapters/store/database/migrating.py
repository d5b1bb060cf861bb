"""Bringing the tables of a database up to what this release expects.

Rule 1: all steps that are missing run in one write transaction; of two starts at once one runs them, and the other
finds them done.
Rule 2: a database that a newer release has written is left alone: going back loses data.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import sqlalchemy as sa

from keyturn.core.errors import StoreUnavailable

HEAD: Final = "0023"
MIGRATIONS: Final = Path(__file__).parent.parent / "migrations"


def migrate(connection: sa.Connection) -> None:
    """Run what is missing.

    Raises:
        StoreUnavailable: a newer release made this database.
    """
    current = _current(connection)
    if current == HEAD:
        return
    # Loaded here: it takes a tenth of a second, and most starts have nothing to do for it.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    known = {each.revision for each in ScriptDirectory.from_config(config).walk_revisions()}
    if current is not None and current not in known:
        raise StoreUnavailable("a newer release of keyturn has written this database; use that one")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _current(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
