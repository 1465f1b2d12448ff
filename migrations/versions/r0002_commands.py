"""Slash commands: manifests by content, backups, changes with their budget, the fence of each lane, readings."""

from alembic import op

revision = "0002"
down_revision = "0001"

STATEMENTS = (
    # Manifests are text, not jsonb: what was validated is kept to the character. `guild_digest` is what a guild
    # that serves it shows, since some fields mean nothing there.
    """
    CREATE TABLE command_manifests (
        digest       text PRIMARY KEY,
        guild_digest text NOT NULL,
        manifest     text NOT NULL,
        at           timestamptz NOT NULL DEFAULT now()
    )
    """,
    "CREATE INDEX command_manifests_guild ON command_manifests (guild_digest)",
    # Which manifests were seen for which application, and where they came from.
    """
    CREATE TABLE command_sources (
        application text NOT NULL,
        digest      text NOT NULL,
        origin      text NOT NULL,
        commit      text NOT NULL DEFAULT '',
        at          timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (application, digest)
    )
    """,
    "CREATE INDEX command_sources_newest ON command_sources (application, at DESC)",
    # The fence: the newest desired state that each lane was told. An older generation is refused.
    """
    CREATE TABLE command_lanes (
        service     text NOT NULL,
        environment text NOT NULL,
        generation  bigint NOT NULL,
        stable      text NOT NULL,
        candidate   text NOT NULL,
        weight      integer NOT NULL,
        withdrawn   text NOT NULL DEFAULT '',
        aborted     jsonb,
        updated_at  timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (service, environment)
    )
    """,
    # One backup for each state that a change replaced; the digest makes a repeated attempt harmless.
    """
    CREATE TABLE command_backups (
        id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        application    text NOT NULL,
        application_id bigint NOT NULL,
        service        text NOT NULL,
        environment    text NOT NULL,
        scope          bigint NOT NULL,
        generation     bigint NOT NULL,
        digest         text NOT NULL,
        commands       text NOT NULL,
        permissions    text NOT NULL,
        count          integer NOT NULL,
        overwrites     integer NOT NULL,
        who            text NOT NULL,
        why            text NOT NULL,
        rollout_id     bigint,
        at             timestamptz NOT NULL DEFAULT now(),
        UNIQUE (service, environment, scope, generation, digest)
    )
    """,
    "CREATE INDEX command_backups_newest ON command_backups (application, id DESC)",
    # One row for each generation and scope, written before the first call: what it may create counts from then on.
    """
    CREATE TABLE command_changes (
        id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        application    text NOT NULL,
        application_id bigint NOT NULL,
        service        text NOT NULL,
        environment    text NOT NULL,
        scope          bigint NOT NULL,
        generation     bigint NOT NULL,
        from_digest    text NOT NULL,
        to_digest      text NOT NULL,
        creates        integer NOT NULL,
        calls          integer NOT NULL DEFAULT 0,
        result         text NOT NULL,
        detail         text NOT NULL DEFAULT '',
        who            text NOT NULL,
        why            text NOT NULL,
        rollout_id     bigint,
        began_at       timestamptz NOT NULL DEFAULT now(),
        ended_at       timestamptz,
        UNIQUE (service, environment, scope, generation)
    )
    """,
    "CREATE INDEX command_changes_newest ON command_changes (application, id DESC)",
    "CREATE INDEX command_changes_budget ON command_changes (application_id, scope, began_at DESC)",
    """
    CREATE TABLE command_readings (
        application_id bigint NOT NULL,
        scope          bigint NOT NULL,
        at             timestamptz NOT NULL,
        ms             double precision NOT NULL,
        count          integer NOT NULL,
        digest         text NOT NULL,
        error          text NOT NULL DEFAULT ''
    )
    """,
    "CREATE INDEX command_readings_newest ON command_readings (application_id, scope, at DESC)",
    "CREATE INDEX command_readings_age ON command_readings (at)",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
