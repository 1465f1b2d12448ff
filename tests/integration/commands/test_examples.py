"""The catalogs of docs/how-to/commands.md: all of them together are one catalog without mistakes."""

from __future__ import annotations

from pathlib import Path

from bot.domain.config import Catalog
from tests.support.catalog_files import load
from tests.support.paths import ROOT
from tests.support.repository import blocks

PAGE = ROOT / "docs/how-to/commands.md"


def catalog(folder: Path) -> Catalog:
    for number, block in enumerate(b for b in blocks(PAGE) if b.language == "yaml"):
        (folder / f"{number}.yaml").write_text(block.text, encoding="utf-8")
    return load(folder, {"KAMAL_REGISTRY_PASSWORD": "of-kamal"})


def test_every_example_is_read_and_its_lane_is_served_by_its_target(tmp_path: Path) -> None:
    lanes = {lane.service: config.target for lane, config in catalog(tmp_path).lanes.items()}
    assert lanes == {
        "shop": "web1",
        "shop-units": "units",
        "shop-compose": "compose",
        "shop-ansible": "ansible",
        "shop-kamal": "kamal",
        "shop-kubectl": "kubectl",
        "shop-helm": "helm",
    }


def test_only_lanes_of_commands_that_take_weights_are_shared(tmp_path: Path) -> None:
    lanes = catalog(tmp_path).lanes.values()
    assert [config.lane.service for config in lanes if not config.policy.exclusive] == ["shop-helm"]
