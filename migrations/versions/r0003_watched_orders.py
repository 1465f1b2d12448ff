"""Orders that were sent are watched as rows: how long each was watched is kept with it."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute("ALTER TABLE effects ADD COLUMN watched_s double precision NOT NULL DEFAULT 0")
