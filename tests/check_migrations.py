"""`make check`: one head, an upgrade from nothing on a real PostgreSQL, and the schema that is committed.

`python -m tests.check_migrations --write` renews `migrations/schema.sql` after a new revision.
"""

from __future__ import annotations

import asyncio
import difflib
import re
import subprocess
import sys

from bot.adapters.postgres.connection.migrate import head, revisions, upgrade
from bot.adapters.postgres.connection.schema import is_newest, newest
from tests.support.paths import ROOT
from tests.support.postgres import PostgresServer, postgres_server

SNAPSHOT = ROOT / "migrations" / "schema.sql"


def main() -> int:
    revision = head()
    with postgres_server(migrated=False) as server:
        asyncio.run(_twice(server.dsn()))
        text = schema(server)
    if "--write" in sys.argv:
        SNAPSHOT.write_text(text, encoding="utf-8")
        print(f"migrations: {SNAPSHOT.name} is at revision {revision} now")
        return 0
    committed = SNAPSHOT.read_text(encoding="utf-8") if SNAPSHOT.exists() else ""
    if committed == text:
        print(
            f"migrations: one head ({revision}), upgrade from nothing works, the schema is the committed one"
        )
        return 0
    sys.stdout.writelines(
        difflib.unified_diff(committed.splitlines(True), text.splitlines(True), "committed", "migrated")
    )
    print("migrations: the schema differs; `python -m tests.check_migrations --write` renews the snapshot")
    return 1


async def _twice(dsn: str) -> None:
    """Two processes that start at once: one migrates, the other waits, and a third finds nothing to do."""
    before = await is_newest(dsn)
    await asyncio.gather(upgrade(dsn), upgrade(dsn))
    await upgrade(dsn)
    have, need = await revisions(dsn)
    if have != need:
        raise SystemExit(f"migrations: at {have} after an upgrade to {need}")
    if before or newest() != need or not await is_newest(dsn):
        raise SystemExit(
            "migrations: a start would not see from the revision whether there is anything to do"
        )


def schema(server: PostgresServer) -> str:
    """What pg_dump says of the schema, without what differs from run to run."""
    dump = server.binary("pg_dump")
    command = [str(dump), "--schema-only", "--no-owner", "--no-privileges", "--dbname", server.dsn()]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    kept = [
        line for line in text.splitlines() if not line.startswith(("--", "SET ", "SELECT pg_catalog", "\\"))
    ]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip() + "\n"


if __name__ == "__main__":
    sys.exit(main())
