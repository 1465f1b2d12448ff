"""Catalogs with mistakes, as their author sees it: all of them at once, with their lines, no traceback."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from tests.support.e2e import acts
from tests.support.paths import ROOT

MISTAKES = (
    (
        "team.yaml",
        "deploy: [deployer, release-manager]",
        "deploy: [deployer, release-boss]",
    ),  # a missing role
    ("team.yaml", "tick: 300ms", "tick: soon"),
    ("team.yaml", "drift: repair", "drift: mend"),
    ("plans.yaml", "soak: 20m", "soak: 20m, shift: 20, soak: 1s"),  # weights that fall
    ("plans.yaml", "gate: brief, shift", "gate: breif, shift"),
    ("plans.yaml", "errors: 10%}", "errors: 110%}"),
    ("services.yaml", "  cart:", "  search:"),  # two services with one name
    ("services.yaml", "policy: starved", "policy: starving"),
    ("services.yaml", "plan: replace", "plan: replcae"),
    ("services.yaml", "max_age: 1h", "max_age: 1 fortnight"),
)


async def test_ten_mistakes_are_told_at_once_with_their_lines(tmp_path: Path) -> None:
    acts.copied_crew(tmp_path)
    for name, old, new in MISTAKES:
        text = (tmp_path / name).read_text()
        assert old in text, old
        (tmp_path / name).write_text(text.replace(old, new, 1))
    code, err = await checked(tmp_path)
    assert code == 3
    assert "Traceback" not in err
    assert err.endswith(f"✗ {len(MISTAKES)} mistakes\n"), err
    for name, _, new in MISTAKES:
        lines = (tmp_path / name).read_text().splitlines()
        number = 1 + next(i for i, line in enumerate(lines) if new.strip() in line)
        assert any(f"{name}:{number}" in line for line in err.splitlines()), (name, number, new, err)


@pytest.mark.parametrize("what", ["missing", "empty", "binary"])
async def test_a_folder_that_holds_no_catalog_is_a_sentence(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "catalog"
    if what != "missing":
        folder.mkdir()
    if what == "binary":
        (folder / "all.yaml").write_bytes(b"\xff\xfe\x00\x01" * 100)
    code, err = await checked(folder)
    assert code == 3
    assert "Traceback" not in err
    assert "catalog" in err


async def checked(folder: Path) -> tuple[int | None, str]:
    """What `slipway config check` says of a folder."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "config", "check", str(folder)),
        cwd=ROOT,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, err.decode()
