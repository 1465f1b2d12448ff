"""What is written of libraries: the page has the lines of the bots that run, and the locks name no host."""

import re

import pytest

from support.clients.libraries import LIBRARIES, Library
from support.clients.table import PAGE, column, connections, written

HOST = re.compile(
    r"https?://(?!github\.com|opencollective\.com|feross\.org|www\.patreon\.com)|--(extra-)?index-url|\"resolved\""
)


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda one: one.name)
def test_the_page_and_the_table_have_each_library(library: Library) -> None:
    assert f"## {library.name}\n\n" in PAGE.read_text()
    assert connections()[library.name] in PAGE.read_text()
    assert column(written(), library), f"the table has no {library.name} {library.version}"


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda one: one.name)
def test_a_lock_pins_by_hash_and_names_no_host(library: Library) -> None:
    lock = library.lock.read_text()
    assert not HOST.search(lock)
    assert lock.count("sha256:" if library.is_python else '"integrity": "sha512-') > 3
