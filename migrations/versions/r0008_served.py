"""What lanes serve between rollouts, in blocks: the judge measures with it how failures hang together.

A row has the ticks of ten minutes in full, or of six hours by the minute (`thinned`), that counted the same measures:
each its end after `since` and its length, both in milliseconds, then total and bad for each measure.
"""

from alembic import op

revision = "0008"
down_revision = "0007"

STATEMENTS = (
    """
    CREATE TABLE served (
        service     text NOT NULL,
        environment text NOT NULL,
        thinned     boolean NOT NULL,
        since       timestamptz NOT NULL,
        measures    text[] NOT NULL,
        ticks       jsonb NOT NULL,
        PRIMARY KEY (service, environment, thinned, since, measures)
    )
    """,
    # For what is outdated, of lanes that left the catalog too.
    "CREATE INDEX served_since ON served (since)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
