"""What Alembic runs: the steps, within the transaction that `migrating.migrate` has begun."""

from __future__ import annotations

from alembic import context

from keyturn.adapters.store.database.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,
    render_as_batch=True,
)
context.run_migrations()
