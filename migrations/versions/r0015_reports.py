"""Reports: what lanes served by the day, which reports were posted, and indexes for what ended or began in a time.

`served` keeps two weeks; a row of `served_days` is the sum of a day (UTC). It is counted again until the day is over.
"""

from alembic import op

revision = "0015"
down_revision = "0013"

STATEMENTS = (
    """
    CREATE TABLE served_days (
        service     text NOT NULL,
        environment text NOT NULL,
        day         date NOT NULL,
        seconds     double precision NOT NULL,
        requests    bigint NOT NULL,
        bad         bigint NOT NULL,
        counted_at  timestamptz NOT NULL,
        PRIMARY KEY (service, environment, day)
    )
    """,
    # For what is outdated.
    "CREATE INDEX served_days_day ON served_days (day)",
    # The newest report of each server; of two processes, one moves it on.
    "CREATE TABLE reports_posted (guild_id bigint PRIMARY KEY, due_at timestamptz NOT NULL)",
    "CREATE INDEX rollouts_ended ON rollouts (ended_at) WHERE ended_at IS NOT NULL",
    "CREATE INDEX rollouts_created ON rollouts (created_at)",
    "CREATE INDEX alerts_opened ON alerts (opened_at)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
