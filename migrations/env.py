"""Alembic's entry point: runs the revisions on the connection of `postgres/connection/migrate.py`."""

from __future__ import annotations

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, transaction_per_migration=False, version_table="schema_revision")
with context.begin_transaction():
    context.run_migrations()
