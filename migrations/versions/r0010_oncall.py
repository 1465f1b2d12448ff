"""On-call: overrides of schedules, the last hand-over of each that was announced, and what was read of calendars.

A gap has no user. An event is its beginning, its end, its title and the names of those who attend.
"""

from alembic import op

revision = "0010"
down_revision = "0009"

STATEMENTS = (
    """
    CREATE TABLE on_call_overrides (
        id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        schedule  text NOT NULL,
        user_id   bigint NOT NULL,
        user_name text NOT NULL,
        since     timestamptz NOT NULL,
        until     timestamptz NOT NULL CHECK (until > since),
        by_id     bigint NOT NULL,
        by_name   text NOT NULL,
        reason    text NOT NULL,
        at        timestamptz NOT NULL
    )
    """,
    "CREATE INDEX on_call_overrides_until ON on_call_overrides (until)",
    """
    CREATE TABLE on_call_told (
        schedule  text PRIMARY KEY,
        user_id   bigint,
        user_name text NOT NULL,
        since     timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE on_call_calendars (
        schedule text PRIMARY KEY,
        source   text NOT NULL,
        events   jsonb NOT NULL,
        until    timestamptz,
        read_at  timestamptz NOT NULL,
        problem  text NOT NULL
    )
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
