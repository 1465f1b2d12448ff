"""What lists and reports take of a rollout's charter, in columns: a charter has some kilobytes, and is read as a whole.

PostgreSQL computes them when the row is written; a charter never changes.
"""

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE rollouts
            ADD COLUMN returns boolean NOT NULL
                GENERATED ALWAYS AS (COALESCE((charter ->> 'known_good')::boolean, false)) STORED,
            ADD COLUMN from_digest text NOT NULL
                GENERATED ALWAYS AS (COALESCE(charter #>> '{stable,digest}', '')) STORED,
            ADD COLUMN made_at text GENERATED ALWAYS AS (charter #>> '{candidate,made_at}') STORED
        """
    )
