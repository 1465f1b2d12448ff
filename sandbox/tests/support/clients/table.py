"""The matrix as a table in the README, and the page with the lines that point each library to the sandbox."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from support.clients.libraries import LIBRARIES, Library
from support.clients.script import ABILITIES
from support.clients.script.ability import FAILS
from support.paths import PROJECT

README = PROJECT / "README.md"
PAGE = PROJECT / "docs" / "libraries.md"
BEGIN, END = "<!-- matrix: written by `make test-clients WRITE=1` -->\n", "<!-- /matrix -->\n"


@dataclass(frozen=True, slots=True)
class Cell:
    """What the table shows, and why."""

    shown: str
    reason: str = ""


Results = Mapping[str, Mapping[str, Cell]]  # by library and ability


def matrix(results: Results) -> str:
    """The table, and below it the reason of each cell that is not a plain success."""
    ran = [one for one in LIBRARIES if one.name in results]
    rows = [["", *(f"{one.name} {one.version}" for one in ran)], ["---", *[":-:"] * len(ran)]]
    rows += [[ability.name, *(results[one.name][ability.name].shown for one in ran)] for ability in ABILITIES]
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    notes = "".join(
        f"- {library.name}, {name}: {cell.reason}\n"
        for library in ran
        for name, cell in results[library.name].items()
        if cell.reason and cell.shown != FAILS
    )
    return table + (f"\n{notes}" if notes else "")


def column(table: str, library: Library) -> list[str]:
    """What a table has for a library, from top to bottom; empty if it lacks the library."""
    rows = [line.strip("| \n").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    found = [
        i for i, name in enumerate(rows[0] if rows else ()) if name == f"{library.name} {library.version}"
    ]
    offset = len(rows[1]) - len(rows[0]) if len(rows) > 1 else 0  # the first name is blank, and stripped
    return [row[found[0] + offset] for row in rows[1:]] if found else []


def written() -> str:
    """The table in the README."""
    return README.read_text().partition(BEGIN)[2].partition(END)[0]


def write(table: str) -> None:
    text = README.read_text()
    before, _, rest = text.partition(BEGIN)
    README.write_text(f"{before}{BEGIN}{table}{END}{rest.partition(END)[2]}")


def connections(libraries: Sequence[Library] = LIBRARIES) -> Mapping[str, str]:
    """By library, the lines as the page has them."""
    return {
        one.name: f"```{'python' if one.is_python else 'js'}\n{one.connecting()}```\n" for one in libraries
    }
