"""The catalogs that people copy: shipped examples and those in the documentation, read by `slipway config check`."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.support.paths import ROOT
from tests.support.repository import EXAMPLES, blocks, slipway


def needed(folder: Path) -> dict[str, str]:
    """A value for every `${NAME}` without a default: what a person would have to set."""
    texts = [path.read_text(encoding="utf-8") for path in folder.glob("*.yaml")]
    return {
        name: f"a-value-{number}" for number, name in enumerate(re.findall(r"\$\{(\w+)\}", "\n".join(texts)))
    }


@pytest.mark.parametrize("folder", [EXAMPLES, ROOT / "config" / "demo"], ids=lambda folder: folder.name)
def test_a_shipped_catalog_has_no_mistakes(folder: Path, tmp_path: Path) -> None:
    said = slipway("config", "check", str(folder), folder=tmp_path, environment=needed(folder))
    assert (said.returncode, said.stderr) == (0, "")


def test_the_examples_copied_as_the_readme_says_are_a_catalog(tmp_path: Path) -> None:
    """`cp -r config/examples config/catalog`: the default folder, with everything that lies beside the YAML."""
    shutil.copytree(EXAMPLES, tmp_path / "config" / "catalog")
    said = slipway("config", "check", folder=tmp_path, environment=needed(EXAMPLES))
    assert (said.returncode, said.stderr) == (0, "")


def test_a_value_that_is_not_set_is_named(tmp_path: Path) -> None:
    said = slipway("config", "check", str(EXAMPLES), folder=tmp_path, environment={})
    assert said.returncode == 3
    assert [name for name in needed(EXAMPLES) if name not in said.stderr] == []


@pytest.mark.parametrize(
    ("page", "lane"),
    [("first-service", "hello/production"), ("docker", "shop/production"), ("haproxy", "shop/production")],
)
def test_the_catalog_of_a_page_of_the_documentation_is_whole(page: str, lane: str, tmp_path: Path) -> None:
    (block,) = [b for b in blocks(ROOT / f"docs/how-to/{page}.md") if b.language == "yaml"]
    (tmp_path / "config" / "catalog").mkdir(parents=True)
    (tmp_path / "config" / "catalog" / "slipway.yaml").write_text(block.text, encoding="utf-8")
    for words in (("config", "check"), ("config", "show")):
        said = slipway(*words, folder=tmp_path, environment={})
        assert (said.returncode, said.stderr) == (0, "")
    assert lane in said.stdout
