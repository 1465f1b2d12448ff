"""What is written of libraries: the page has the lines of the bots that run, and the locks name no host."""

import re

import pytest

from discord_sandbox import Sandbox
from discord_sandbox.__main__ import hint
from discord_sandbox.libraries import CONNECTIONS
from support.clients.libraries import LIBRARIES, Library
from support.clients.table import PAGE, column, connections, written
from support.paths import PROJECT

HOST = re.compile(
    r"https?://(?!github\.com|opencollective\.com|feross\.org|tidelift\.com|www\.patreon\.com)|--(extra-)?index-url|\"resolved\""
)


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda one: one.name)
def test_the_page_and_the_table_have_each_library(library: Library) -> None:
    assert f"## {library.name}\n\n" in PAGE.read_text()
    assert connections()[library.name] in PAGE.read_text()
    (known,) = (one for one in CONNECTIONS if one.library == library.name)
    assert library.connecting().splitlines() == list(known.lines)
    assert column(written(), library), f"the table has no {library.name} {library.version}"


def test_the_command_prints_the_lines_of_each_library_with_its_addresses() -> None:
    sandbox = Sandbox()
    sandbox.core.bind("http://127.0.0.1:65535")
    told = hint(sandbox)
    assert max(map(len, told.splitlines())) <= 100
    assert "ready" not in told
    for library, known in zip(LIBRARIES, CONNECTIONS, strict=True):
        lines = known.addressed(sandbox.describe())
        shown = "".join(f"    {line}\n" for line in lines)
        assert f"  {library.name}\n{shown}" in told
        assert "127.0.0.1:65535" in shown
        if library.is_python:
            compile("\n".join(lines), library.name, "exec")


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda one: one.name)
def test_a_lock_pins_by_hash_and_names_no_host(library: Library) -> None:
    lock = library.lock.read_text()
    assert not HOST.search(lock)
    assert lock.count("sha256:" if library.is_python else '"integrity": "sha512-') > 3


def test_the_example_for_vitest_is_locked_too() -> None:
    lock = (PROJECT / "examples" / "vitest" / "package-lock.json").read_text()
    assert not HOST.search(lock.replace('"resolved": "../../js"', "", 1))  # the helper beside it
    assert lock.count('"integrity": "sha512-') > 30
