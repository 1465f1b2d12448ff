"""The examples of docs/how-to/commands.md and docs/how-to/webhooks.md: sound catalogs, and code that works."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from bot.adapters.signing import signature
from bot.domain.config import Catalog
from tests.support.catalog_files import check, load
from tests.support.paths import ROOT
from tests.support.repository import blocks

PAGE, WEBHOOKS = ROOT / "docs/how-to/commands.md", ROOT / "docs/how-to/webhooks.md"
SECRET = "of-the-platform-0123456789-0123456789"


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


def test_the_catalog_of_webhooks_is_read(tmp_path: Path) -> None:
    (block,) = (b for b in blocks(WEBHOOKS) if b.language == "yaml")
    (tmp_path / "slipway.yaml").write_text(block.text, encoding="utf-8")
    found = load(tmp_path, {"PLATFORM_SECRET": SECRET})
    assert [config.target for config in found.lanes.values()] == ["platform"]


def test_a_webhook_with_a_short_secret_is_a_mistake(tmp_path: Path) -> None:
    (block,) = (b for b in blocks(WEBHOOKS) if b.language == "yaml")
    (tmp_path / "slipway.yaml").write_text(block.text, encoding="utf-8")
    _, (mistake,) = check(tmp_path, {"PLATFORM_SECRET": "short"})
    assert "targets.platform.secret: must have 32 characters or more." in str(mistake)


def test_the_receiver_of_the_page_knows_genuine_orders_from_others() -> None:
    (block,) = (b for b in blocks(WEBHOOKS) if b.language == "python")
    page: dict[str, Any] = {}
    exec(block.text, page)
    now = str(int(time.time()))
    signed = signature(SECRET, now, b"{}")
    assert page["genuine"](SECRET, now, signed, b"{}")
    assert not page["genuine"](SECRET, now, signed, b"{ }")
    assert not page["genuine"]("another", now, signed, b"{}")
    old = str(int(time.time()) - 400)
    assert not page["genuine"](SECRET, old, signature(SECRET, old, b"{}"), b"{}")
