"""What monitors remember between two answers, and for how long each check passed and failed.

A row of `monitor_days` has the hours of a day (UTC): each its number, and the milliseconds in which the check passed
and failed. The rest of an hour is a gap.
"""

from alembic import op

revision = "0011"
down_revision = "0010"

STATEMENTS = (
    """
    CREATE TABLE monitors (
        service     text NOT NULL,
        environment text NOT NULL,
        name        text NOT NULL,
        state       jsonb NOT NULL,
        PRIMARY KEY (service, environment, name)
    ) WITH (fillfactor = 70)
    """,
    """
    CREATE TABLE monitor_days (
        service     text NOT NULL,
        environment text NOT NULL,
        name        text NOT NULL,
        since       timestamptz NOT NULL,
        hours       jsonb NOT NULL,
        PRIMARY KEY (service, environment, name, since)
    ) WITH (fillfactor = 70)
    """,
    # For what is outdated.
    "CREATE INDEX monitor_days_since ON monitor_days (since)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
