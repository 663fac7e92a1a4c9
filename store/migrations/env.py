"""Alembic runs this file; the connection and its transaction belong to store.migration."""

from alembic import context

from store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
