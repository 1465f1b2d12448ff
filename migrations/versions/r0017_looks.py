"""What checks answered in other locations: the newest look of each check and location, until the controller reads it.

`at`: when it was asked. `saved`: when it was written here, which the controller reads on from.
"""

from alembic import op

revision = "0017"
down_revision = "0016"

STATEMENTS = (
    """
    CREATE TABLE monitor_looks (
        service     text NOT NULL,
        environment text NOT NULL,
        name        text NOT NULL,
        location    text NOT NULL,
        at          timestamptz NOT NULL,
        saved       timestamptz NOT NULL,
        look        jsonb NOT NULL,
        PRIMARY KEY (service, environment, name, location)
    ) WITH (fillfactor = 70)
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
