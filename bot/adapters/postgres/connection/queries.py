"""Named SQL: `-- name: save` begins a query; the comments under it explain it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
# Where a part of a WITH begins; it ends where the next one begins, or with a line that is only a bracket.
_PART = re.compile(r"^(?:WITH|\),) (\w+) AS \($", re.MULTILINE)
_LAST = re.compile(r"^\)$", re.MULTILINE)
_EMPTY = "\n    SELECT NULL::bigint AS id WHERE false\n"


class NamedQueries(Mapping[str, str]):
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
_FILES = (
    "queries.sql",
    "reports.sql",
    "appcommands/queries.sql",
    "watch/queries.sql",
    "watch/oncall.sql",
    "watch/incidents.sql",
    "watch/silences.sql",
)
SQL = NamedQueries("\n".join(_ADAPTER.joinpath(name).read_text(encoding="utf-8") for name in _FILES))


@cache
def without(name: str, parts: frozenset[str]) -> str:
    """The query with these parts of its WITH empty, and left out where no other part reads them.

    Raises KeyError for a part that it does not have.
    """
    text = SQL[name]
    begins = list(_PART.finditer(text))
    last = _LAST.search(text, begins[-1].end())
    assert last is not None
    ends = [*(begin.start() for begin in begins[1:]), last.start()]
    bodies = {begin[1]: text[begin.end() : end] for begin, end in zip(begins, ends, strict=True)}
    if unknown := parts - bodies.keys():
        raise KeyError(f"{name} has no part {', '.join(sorted(unknown))}")
    rest = "".join(body for part, body in bodies.items() if part not in parts) + text[last.end() :]
    for part in parts:
        if re.search(rf"\b(?:FROM|JOIN) {part}\b", rest):
            bodies[part] = _EMPTY
        else:
            del bodies[part]
    joined = "), ".join(f"{part} AS ({body}" for part, body in bodies.items())
    return f"{text[: begins[0].start()]}WITH {joined}{text[last.start() :]}"
