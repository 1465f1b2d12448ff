"""The git hooks are the tools of `make check`, from `.venv`, and pass on what is committed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from tests.support.paths import ROOT

CONFIG = ROOT / ".pre-commit-config.yaml"


def test_every_hook_is_a_tool_of_make_check() -> None:
    said = subprocess.run(
        ["make", "--dry-run", "check"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    tools = {line.split()[0] for line in said.stdout.splitlines() if line.startswith(".venv/bin/")}
    hooks = [
        hook for repo in yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["repos"] for hook in repo["hooks"]
    ]
    assert {hook["language"] for hook in hooks} == {"system"}
    assert [hook["id"] for hook in hooks if hook["entry"].split()[0] not in tools] == []


def test_the_hooks_of_a_commit_pass_on_this_tree(tmp_path: Path) -> None:
    """In a copy, since a formatter would change files."""
    copy = tmp_path / "copy"
    files = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, files.split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
    bin_folder = copy / ".venv" / "bin"
    bin_folder.mkdir(parents=True)
    for tool in ("ruff", "hadolint", "shellcheck", "check-jsonschema", "zizmor"):
        (bin_folder / tool).symlink_to(Path(sys.executable).parent / tool)
    environment = {**os.environ, "HOME": str(tmp_path), "PRE_COMMIT_HOME": str(tmp_path / "hooks")}
    environment = {name: value for name, value in environment.items() if not name.startswith("GIT_")}
    for command in (["git", "init", "-q"], ["git", "add", "--all"]):
        subprocess.run(command, cwd=copy, env=environment, check=True)
    said = subprocess.run(
        [sys.executable, "-m", "pre_commit", "run", "--all-files", "--color", "never"],
        cwd=copy,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert said.returncode == 0, said.stdout + said.stderr
    assert said.stdout.count("Passed") == 7
