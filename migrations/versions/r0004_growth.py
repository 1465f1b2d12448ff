"""What used to grow: drift is compared by kind and its repairs are counted; old audit lines can be archived."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute(
        "ALTER TABLE lanes ADD COLUMN drift_kind text NOT NULL DEFAULT '', "
        "ADD COLUMN repairs integer NOT NULL DEFAULT 0, ADD COLUMN repaired_at timestamptz"
    )
    op.execute("CREATE INDEX notes_old ON notes (updated_at)")
    op.execute(
        """
        CREATE OR REPLACE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            -- `slipway archive` takes out what it has written to a file; for the length of its transaction.
            IF TG_OP = 'DELETE' AND current_setting('slipway.archiving', true) = 'on' THEN
                RETURN NULL;
            END IF;
            RAISE EXCEPTION 'the audit log is append-only';
        END $$
        """
    )
