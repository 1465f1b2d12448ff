"""Random stamps beside versions and generations, which a database that lost commits gives a second time."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    # The defaults stay: a Slipway of an earlier version writes rows without a stamp while it is being replaced.
    op.execute("ALTER TABLE rollouts ADD COLUMN stamp text NOT NULL DEFAULT ''")
    op.execute("ALTER TABLE lanes ADD COLUMN stamp text NOT NULL DEFAULT ''")
