"""Weekly test pages of on-call schedules: whom each went to, and whether it was answered or missed."""

from alembic import op

revision = "0012"
down_revision = "0011"

STATEMENTS = (
    """
    CREATE TABLE on_call_pages (
        schedule    text NOT NULL,
        due_at      timestamptz NOT NULL,
        user_id     bigint NOT NULL,
        user_name   text NOT NULL,
        sent_at     timestamptz NOT NULL,
        answered_at timestamptz,
        missed_at   timestamptz,
        PRIMARY KEY (schedule, due_at)
    )
    """,
    "CREATE INDEX on_call_pages_due ON on_call_pages (due_at)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
