"""Maintenance silences: what is silent, from when to when, and whether alerts were silenced and woken for it."""

from alembic import op

revision = "0016"
down_revision = "0015"

STATEMENTS = (
    """
    CREATE TABLE silences (
        id          bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
        guild_id    bigint NOT NULL,
        service     text NOT NULL,
        environment text NOT NULL,
        labels      jsonb NOT NULL,
        since       timestamptz NOT NULL,
        until       timestamptz NOT NULL,
        reason      text NOT NULL,
        by_id       bigint NOT NULL,
        by_name     text NOT NULL,
        at          timestamptz NOT NULL,
        begun       boolean NOT NULL DEFAULT false,
        over_at     timestamptz,
        settled     boolean NOT NULL DEFAULT false
    )
    """,
    "CREATE INDEX silences_open ON silences (id) WHERE NOT settled",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
