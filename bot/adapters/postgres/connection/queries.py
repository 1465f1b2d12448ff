"""Named SQL: `-- name: save` begins a query; the comments under it explain it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


class Queries(Mapping[str, str]):
    """Queries by name. Raises ValueError for a name that is used twice."""

    def __init__(self, text: str) -> None:
        self._found: dict[str, str] = {}
        opened = list(_NAME.finditer(text))
        for match, after in zip(opened, [*opened[1:], None], strict=True):
            name = match[1]
            if name in self._found:
                raise ValueError(f"two queries are called {name!r}")
            # The name stays in the text as a comment, so that pg_stat_activity shows it.
            self._found[name] = text[match.start() : after.start() if after else len(text)].strip()

    def __getitem__(self, name: str) -> str:
        return self._found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)


_ADAPTER = files("bot.adapters.postgres")
_FILES = ("queries.sql", "appcommands/queries.sql")
SQL = Queries("\n".join(_ADAPTER.joinpath(name).read_text(encoding="utf-8") for name in _FILES))
