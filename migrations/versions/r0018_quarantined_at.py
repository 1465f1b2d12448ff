"""When the release of a lock was quarantined: a person's lock may be older, or newer."""

from alembic import op

revision = "0018"
down_revision = "0017"

STATEMENTS = (
    "ALTER TABLE locks ADD COLUMN quarantined_at timestamptz",
    "UPDATE locks SET quarantined_at = since WHERE digest <> ''",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
