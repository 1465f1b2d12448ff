"""Bots in seven libraries, driven by one script through the JSON API; what they can do is the table in the README.

`make test-clients` runs it; `ONLY=hikari` runs one library, `WRITE=1` writes the table.
"""

import asyncio
import os
from collections.abc import Iterator

import pytest

from support.clients import table
from support.clients.environments import ENVIRONMENTS, command
from support.clients.libraries import LIBRARIES, Library
from support.clients.run import Run
from support.clients.script import ABILITIES
from support.clients.script.ability import FAILS, LACKS, WORKS, Ability
from support.clients.table import Cell

pytestmark = [pytest.mark.clients, pytest.mark.timeout(900)]
CHOSEN = [one for one in LIBRARIES if os.environ.get("ONLY", one.name) == one.name]


async def proved(run: Run, ability: Ability) -> Cell:
    if (reason := run.library.lacks.get(ability.name)) is not None:
        return Cell(LACKS, reason)
    try:
        return Cell(await ability.prove(run) or WORKS, run.library.peculiar.get(ability.name, ""))
    except Exception as error:  # also what the script did not expect to find
        return Cell(FAILS, f"{type(error).__name__}: {error}")


async def played(library: Library, started: asyncio.Barrier, building: asyncio.Semaphore) -> dict[str, Cell]:
    """What a library can do. All bots log in before any script goes on: their starts need the processor."""
    async with building:
        line = await command(library)
    first, *rest = ABILITIES
    await started.wait()
    async with Run(library, line, ENVIRONMENTS / f"{library.folder}.log") as run:
        cells = {first.name: await proved(run, first)}
        await started.wait()
        for ability in rest:
            cells[ability.name] = await proved(run, ability)
        if any(cell.shown == FAILS for cell in cells.values()):
            print(f"\n— what the bot in {library.name} wrote last:\n{run.output()}")
    return cells


async def all_played() -> dict[str, dict[str, Cell]]:
    ENVIRONMENTS.mkdir(exist_ok=True)
    started, building = asyncio.Barrier(len(CHOSEN)), asyncio.Semaphore(os.cpu_count() or 1)
    ran = await asyncio.gather(*(played(one, started, building) for one in CHOSEN))
    return {library.name: cells for library, cells in zip(CHOSEN, ran, strict=True)}


@pytest.fixture(scope="module")
def results() -> Iterator[table.Results]:
    found = asyncio.run(all_played())
    print(f"\n{table.matrix(found)}")
    if os.environ.get("WRITE") and len(CHOSEN) == len(LIBRARIES):
        table.write(table.matrix(found))
    yield found


@pytest.mark.parametrize("library", CHOSEN, ids=lambda one: one.name)
def test_a_library_can_do_all_that_it_has(library: Library, results: table.Results) -> None:
    failed = {name: cell.reason for name, cell in results[library.name].items() if cell.shown == FAILS}
    assert not failed, "\n".join(f"{name}: {reason}" for name, reason in failed.items())


def test_the_readme_shows_what_ran(results: table.Results) -> None:
    """All of it; of a part that ran, its columns."""
    ran = table.matrix(results)
    for library in CHOSEN:
        assert table.column(table.written(), library) == table.column(ran, library) != []
    assert len(CHOSEN) < len(LIBRARIES) or table.written() == ran
