"""Query parameters of a call, read as strictly as a body, and pages of what a call lists."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TypeVar

from discord_sandbox.discord.rules.fields import Fields

T = TypeVar("T")


class Query(Fields):
    """Readers return None for absent and invalid values; `page` and `check` refuse the call for invalid ones."""

    __slots__ = ()

    def check(self) -> None:
        """Raises 50035 with every complaint."""
        self.complaints.check()

    def limit(self, usual: int, most: int, *, least: int = 1) -> int:
        found: int | None = self.number("limit", least, most)
        return usual if found is None else found

    def flag(self, key: str) -> bool | None:
        value = str(self.body.get(key, "")).lower()
        if value in ("true", "1"):
            return True
        if value not in ("", "false", "0"):
            self.complain(key, "BOOLEAN_TYPE_CONVERT", "Must be either true or false.")
        return False if value in ("false", "0") else None

    def moment(self, key: str) -> float | None:
        """Unix seconds of an ISO 8601 time."""
        given = self.time(key)
        if given is None:
            return None
        found = datetime.fromisoformat(given)
        return (found if found.tzinfo is not None else found.replace(tzinfo=UTC)).timestamp()

    def page(self, items: Iterable[T], id_of: Callable[[T], str], usual: int, most: int) -> list[T]:
        """The first after an id, or the nearest before one; both in rising order of ids. Raises 50035."""
        limit = self.limit(usual, most)
        before, after = self.snowflake("before"), self.snowflake("after")
        self.check()
        found = sorted(items, key=lambda one: int(id_of(one)))
        if after is not None:
            found = [one for one in found if int(id_of(one)) > after]
        if before is not None:
            found = [one for one in found if int(id_of(one)) < before]
        return found[-limit:] if before is not None and after is None else found[:limit]
