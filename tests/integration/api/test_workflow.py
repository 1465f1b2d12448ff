"""The workflow that people copy, run step by step: it deploys to staging with a token that can do nothing else."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from bot.domain.tokens import TokenScope
from tests.support.actors import DEV
from tests.support.api import serving
from tests.support.paths import ROOT
from tests.support.repository import EXAMPLES

WORKFLOW: dict[str, Any] = yaml.safe_load(
    (EXAMPLES / "pipelines/github-deploy.yml").read_text(encoding="utf-8")
)
JOB: dict[str, Any] = WORKFLOW["jobs"]["staging"]
# Stands for Docker: `pull` does nothing, `run … IMAGE words` runs `slipway words`, with the variables it was given.
DOCKER = f"""\
#!/bin/bash
[ "$1" = run ] || exit 0
while [ "$1" != "$SLIPWAY_IMAGE" ]; do
  [ "$1" = --env ] && given="$given $2=${{!2}}"
  shift
done
shift
exec env -i PYTHONPATH={ROOT} $given {sys.executable} -m bot "$@"
"""


def test_it_runs_on_a_hosted_runner_for_main_alone_and_its_secrets_are_those_of_one_step() -> None:
    assert WORKFLOW["permissions"] == {}
    assert WORKFLOW[True] == {"push": {"branches": ["main"]}}  # YAML 1.1 reads `on` as true
    assert (JOB["runs-on"], JOB["environment"]) == ("ubuntu-24.04", "staging")
    assert JOB["if"] == "github.ref == 'refs/heads/main'"
    assert JOB["concurrency"]["cancel-in-progress"] is False
    steps = [step for step in JOB["steps"] if "secrets." in str(step)]
    assert [step["name"] for step in steps] == ["Deploy and wait"]
    assert "secrets." not in str({k: v for k, v in WORKFLOW.items() if k != "jobs"})


def need_jq() -> None:
    """It is on GitHub's runners."""
    if shutil.which("jq") is None:
        if os.environ.get("CI"):
            pytest.fail("jq is not installed")
        pytest.skip("jq is not installed")


async def steps(folder: Path, **environment: str) -> tuple[int | None, str, str]:
    """What the job's steps do, one after the other: exit code, output, and the job's summary."""
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin" / "docker").write_text(DOCKER)
    (folder / "bin" / "docker").chmod(0o755)
    given = {
        **WORKFLOW["env"],
        "VERSION": "1.5.0",
        "KEY": "1-1",
        "REASON": "team/checkout@abc",
        "GITHUB_STEP_SUMMARY": str(folder / "summary"),
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        **environment,
    }
    told = b""
    for step in JOB["steps"]:
        process = await asyncio.create_subprocess_exec(
            *("bash", "-eo", "pipefail", "-c", step["run"]),
            env=given,
            cwd=folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await asyncio.wait_for(process.communicate(), 60)
        told += said
        if process.returncode != 0:
            break
    summary = folder / "summary"
    return process.returncode, told.decode(), summary.read_text() if summary.exists() else ""


async def test_it_deploys_to_staging_and_waits(dsn: str, tmp_path: Path) -> None:
    need_jq()
    async with serving(dsn) as api:
        # The token of the comment at the top of the file.
        scopes = (TokenScope.READ, TokenScope.DEPLOY)
        secret = await api.token(
            "ci-checkout", DEV, scopes, services=("checkout",), environments=("staging",)
        )
        given = {"SLIPWAY_URL": api.base, "SLIPWAY_TOKEN": secret}
        code, told, summary = await steps(tmp_path, **given)
        assert code == 0, told
        assert "· rollout 1: checkout 1.4.0 → 1.5.0 in staging" in told
        assert summary.startswith("Rollout 1: succeeded. 1.5.0 serves all traffic in staging")
        rollout = json.loads((tmp_path / "rollout.json").read_text())
        assert (rollout["id"], rollout["phase"], rollout["to_version"]) == (1, "succeeded", "1.5.0")
        assert (await api.slipway.engine.rollout(1, 42)).reason == "team/checkout@abc"
        code, told, summary = await steps(tmp_path, **given, VERSION="9.9", KEY="2-1")
        assert code == 6, told
        assert "There is no version `9.9`" in summary.splitlines()[-1]
        assert json.loads((tmp_path / "rollout.json").read_text())["rule"] == "unknown_version"
        assert secret not in told
