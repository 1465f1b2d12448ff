"""The examples of docs/how-to/versions.md are sound as they stand there."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

import pytest

from bot.adapters.sources.command import PrintedRelease
from tests.support.catalog_files import LISTED, ON_DOCKER, changed, load, write
from tests.support.paths import ROOT
from tests.support.repository import Block, blocks

PAGE = list(blocks(ROOT / "docs/how-to/versions.md"))
RELEASES = f"    releases:\n{LISTED}"
NAMES = ("REGISTRY_PASSWORD", "GITHUB_TOKEN", "GITLAB_TOKEN")


@pytest.mark.parametrize("block", [b for b in PAGE if b.language == "yaml"], ids=lambda b: b.text.split()[2])
def test_what_services_have_is_written_as_on_the_page(block: Block, tmp_path: Path) -> None:
    written = indent(block.text, "    ").rstrip() + "\n"
    changes = (
        (ON_DOCKER, (RELEASES, written)) if "releases:" in block.text else ((RELEASES, RELEASES + written),)
    )
    text = changed(*changes)
    load(write(tmp_path, all=text), dict.fromkeys(NAMES, "a-secret-value"))


def test_lines_of_the_page_are_releases() -> None:
    (block,) = [b for b in PAGE if b.language == "json"]
    assert [PrintedRelease.model_validate_json(line).version for line in block.text.splitlines()] == [
        "1.5.0",
        "1.4.0",
    ]
