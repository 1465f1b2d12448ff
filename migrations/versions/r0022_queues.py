"""Queues of calls: calls about one alert, incident or schedule are posted in the order in which they were made."""

from alembic import op

revision = "0022"
down_revision = "0021"

STATEMENTS = (
    "ALTER TABLE effects ADD COLUMN queue text NOT NULL DEFAULT ''",
    "CREATE INDEX effects_open_queue ON effects (queue, id) "
    "WHERE state IN ('pending', 'leased') AND queue <> ''",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
