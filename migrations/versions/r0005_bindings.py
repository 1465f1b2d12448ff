"""What environments compare: the release's digest without what one environment lays over it."""

from alembic import op

revision = "0005"
down_revision = "0004"

STATEMENTS = (
    "ALTER TABLE rollouts ADD COLUMN to_base text NOT NULL DEFAULT ''",
    # Digests of earlier versions never covered an overlay.
    "UPDATE rollouts SET to_base = to_digest",
    "ALTER TABLE rollouts ALTER COLUMN to_base DROP DEFAULT",
    "DROP INDEX rollouts_succeeded",
    "CREATE INDEX rollouts_succeeded ON rollouts (service, environment, to_base) WHERE phase = 'succeeded'",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
