"""The page's files: imports exist, folders form no circle, emoji fonts stand last."""

import re
from graphlib import TopologicalSorter
from pathlib import Path

from discord_sandbox.server import PAGE

IMPORT = re.compile(r'^import .*? from "(\.[^"]+)";', re.M | re.S)
MODULES = sorted(PAGE.rglob("*.js"))


def imports(module: Path) -> list[Path]:
    return [(module.parent / found).resolve() for found in IMPORT.findall(module.read_text())]


def test_every_import_is_a_file() -> None:
    assert len(MODULES) > 30
    for module in MODULES:
        for imported in imports(module):
            assert imported in MODULES, f"{module.relative_to(PAGE)} imports {imported}"


def test_folders_import_each_other_without_a_circle() -> None:
    graph: dict[Path, set[Path]] = {}
    for module in MODULES:
        folders = {imported.parent for imported in imports(module)} - {module.parent}
        graph.setdefault(module.parent, set()).update(folders)
    order = list(TopologicalSorter(graph).static_order())
    assert order[-1] == PAGE


def test_the_index_names_every_stylesheet_and_only_files_that_exist() -> None:
    index = (PAGE / "index.html").read_text()
    named = set(re.findall(r'(?:href|src)="([^"]+)"', index))
    assert all((PAGE / name).is_file() for name in named)
    assert {f"styles/{file.name}" for file in (PAGE / "styles").iterdir()} <= named


def test_styles_name_only_files_of_the_page() -> None:
    for sheet in (PAGE / "styles").iterdir():
        for url in re.findall(r'url\("?([^)"]+)"?\)', sheet.read_text()):
            assert (sheet.parent / url).resolve().is_relative_to(PAGE) and (sheet.parent / url).is_file()


def test_emoji_fonts_stand_last_in_every_stack() -> None:
    stacks = 0
    for sheet in (PAGE / "styles").iterdir():
        for stack in re.findall(r"--(?:font|mono): ([^;]+);|font-family: ([^;]+);", sheet.read_text()):
            families = [one.strip() for one in "".join(stack).split(",")]
            if families in (["InterVariable"], ["var(--font)"]):
                continue
            stacks += 1
            assert families[-1] == "var(--emoji)", f"{sheet.name}: {families}"
            assert not any("Emoji" in one for one in families)
    assert stacks == 2
