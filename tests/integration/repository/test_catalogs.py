"""The catalogs that people copy: shipped examples and those in the documentation, as `config check` reads them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from bot.domain.judge.evidence.ticks import Counts, Tick
from bot.domain.judge.rules import RuleState, advance_rule
from tests.support.catalog_files import load
from tests.support.paths import ROOT
from tests.support.repository import EXAMPLES, SHELL, blocks, slipway_here

# Folders of files for others than Slipway.
NO_CATALOGS = {"pipelines", "systemd"}
CATALOGS = sorted(path for path in EXAMPLES.iterdir() if path.is_dir() and path.name not in NO_CATALOGS)


def needed(folder: Path) -> dict[str, str]:
    """A value for every `${NAME}` without a default: what a person would have to set."""
    texts = [path.read_text(encoding="utf-8") for path in folder.rglob("*.yaml")]
    names = re.findall(r"\$\{(\w+)\}", "\n".join(texts))
    return {name: f"{number}00000000000000001" for number, name in enumerate(dict.fromkeys(names), 1)}


def copied(folder: Path, to: Path) -> None:
    """The copy that each README names: the default folder, with everything that lies beside the YAML."""
    shutil.copytree(folder, to / "config" / "catalog")


@pytest.mark.parametrize("folder", CATALOGS, ids=lambda folder: folder.name)
def test_an_example_copied_as_its_readme_says_has_no_mistakes(folder: Path, tmp_path: Path) -> None:
    copied(folder, tmp_path)
    said = slipway_here("config", "check", folder=tmp_path, environment=needed(folder))
    assert (said.exit_code, said.stderr) == (0, "")


@pytest.mark.parametrize("folder", [*CATALOGS, ROOT / "config" / "demo"], ids=lambda folder: folder.name)
def test_no_rule_of_a_catalog_that_people_copy_fails_a_release_for_two_requests(folder: Path) -> None:
    for lane in load(folder, needed(folder)).lanes.values():
        for rule in (rule for rule in lane.policy.judge.rules if rule.signal is None):
            least = Counts(rule.min_requests, 2)
            state = advance_rule(rule, RuleState(), Tick(0.0, 5.0, {rule.name: least}))
            assert not state.broken, f"{lane.lane}: {rule.name}"


def test_the_demos_catalog_has_no_mistakes(tmp_path: Path) -> None:
    demo = ROOT / "config" / "demo"
    said = slipway_here("config", "check", str(demo), folder=tmp_path, environment=needed(demo))
    assert (said.exit_code, said.stderr) == (0, "")


@pytest.mark.parametrize("folder", CATALOGS, ids=lambda folder: folder.name)
def test_a_readme_names_the_copy_and_every_value_to_set(folder: Path) -> None:
    readme = folder / "README.md"
    (first, *_) = (block.text for block in blocks(readme) if block.language == SHELL)
    assert first.splitlines()[0] == f"cp -r config/examples/{folder.name} config/catalog"
    assert [name for name in needed(folder) if name not in readme.read_text(encoding="utf-8")] == []


def test_the_list_of_examples_has_every_folder() -> None:
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    names = [*(path.name for path in CATALOGS), *NO_CATALOGS]
    assert [name for name in names if f"| [{name}]({name}/README.md) |" not in text] == []


@pytest.mark.parametrize("name", sorted(NO_CATALOGS))
def test_the_readme_of_files_for_others_names_each_and_what_to_change(name: str) -> None:
    text = (EXAMPLES / name / "README.md").read_text(encoding="utf-8")
    files = [path.name for path in (EXAMPLES / name).iterdir() if path.name != "README.md"]
    assert [file for file in files if f"| `{file}` |" not in text] == []
    assert "**Change**" in text
    assert any(block.language == SHELL for block in blocks(EXAMPLES / name / "README.md"))


def test_a_value_that_is_not_set_is_named(tmp_path: Path) -> None:
    folder = EXAMPLES / "full"
    said = slipway_here("config", "check", str(folder), folder=tmp_path, environment={})
    assert said.exit_code == 3
    assert [name for name in needed(folder) if name not in said.stderr] == []


@pytest.mark.parametrize(
    ("page", "lane"),
    [("first-service", "hello/production"), ("docker", "shop/production"), ("haproxy", "shop/production")],
)
def test_the_catalog_of_a_page_of_the_documentation_is_whole(page: str, lane: str, tmp_path: Path) -> None:
    (block,) = [b for b in blocks(ROOT / f"docs/how-to/{page}.md") if b.language == "yaml"]
    (tmp_path / "config" / "catalog").mkdir(parents=True)
    (tmp_path / "config" / "catalog" / "slipway.yaml").write_text(block.text, encoding="utf-8")
    for words in (("config", "check"), ("config", "show")):
        said = slipway_here(*words, folder=tmp_path, environment={})
        assert (said.exit_code, said.stderr) == (0, "")
    assert lane in said.stdout
