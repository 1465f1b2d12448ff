"""Tokens of the HTTP API. The secret itself is nowhere: `hash` is its SHA-256."""

from alembic import op

revision = "0007"
down_revision = "0006"

STATEMENTS = (
    """
    CREATE TABLE tokens (
        id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        name         text NOT NULL,
        hash         bytea NOT NULL UNIQUE,
        guild_id     bigint NOT NULL,
        owner_id     bigint NOT NULL,
        owner        text NOT NULL,
        roles        text[] NOT NULL,
        scopes       text[] NOT NULL,
        services     text[] NOT NULL,
        environments text[] NOT NULL,
        created_at   timestamptz NOT NULL DEFAULT now(),
        created_by   text NOT NULL,
        expires_at   timestamptz,
        last_used_at timestamptz,
        revoked_at   timestamptz
    )
    """,
    # A name says which one is meant, in the audit log and on the command line.
    "CREATE UNIQUE INDEX tokens_name ON tokens (name) WHERE revoked_at IS NULL",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
