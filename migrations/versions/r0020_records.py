"""Indexes for alerts and incidents: those to be deleted, those of a lane or of a report's time, and what happened."""

from alembic import op

revision = "0020"
down_revision = "0018"

STATEMENTS = (
    # For what is outdated.
    "CREATE INDEX alerts_ended ON alerts (ended_at, id) WHERE over",
    "CREATE INDEX incidents_closed ON incidents (closed_at, id) WHERE over",
    # A lane is asked for what is open, and for what was opened since a time: not for all of its past.
    "DROP INDEX alerts_lane",
    "CREATE INDEX alerts_lane ON alerts (service, environment, opened_at DESC, id DESC)",
    "CREATE INDEX alerts_lane_open ON alerts (service, environment) WHERE NOT over",
    "CREATE INDEX incidents_opened ON incidents (opened_at)",
    # An incident shows what happened to its lane at its time.
    "DROP INDEX audit_lane",
    "CREATE INDEX audit_lane ON audit (service, environment, at, id)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
