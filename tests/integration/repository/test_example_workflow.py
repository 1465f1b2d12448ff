"""The workflows that people copy: code that is not reviewed meets no secret, and only main deploys."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.repository import EXAMPLES

WORKFLOWS = sorted((EXAMPLES / "pipelines").glob("*.yml"))
HOSTED = "ubuntu-24.04"  # a machine of GitHub's
ONLY_MAIN = "github.ref == 'refs/heads/main'"


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def triggers(workflow: dict[Any, Any]) -> dict[str, Any]:
    """YAML reads `on` as true."""
    found: dict[str, Any] = workflow[True]
    return found


def jobs_of_pull_requests(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    """Those that run for one: all, unless they are for something else alone."""
    if "pull_request" not in triggers(workflow):
        return []
    jobs = workflow["jobs"].values()
    return [job for job in jobs if not job.get("if", "").startswith("github.event_name == 'push'")]


def test_there_is_one_for_pull_requests() -> None:
    assert [path.name for path in WORKFLOWS if jobs_of_pull_requests(read(path))] == ["github-commands.yml"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_pull_requests_run_on_a_hosted_runner_without_secrets(path: Path) -> None:
    workflow = read(path)
    # With these, code of a fork runs with the secrets of the repository, or after a run that it could change.
    assert not {"pull_request_target", "workflow_run", "issue_comment"} & triggers(workflow).keys()
    assert workflow["permissions"] == {}
    shared = str({name: part for name, part in workflow.items() if name != "jobs"})
    for job in jobs_of_pull_requests(workflow):
        assert job["runs-on"] == HOSTED
        assert job["permissions"] == {"contents": "read"}
        assert "secrets" not in str(job) + shared and "environment" not in job
        assert "uses" not in job  # another workflow's job may inherit secrets
        checkouts = [step for step in job["steps"] if step.get("uses", "").startswith("actions/checkout@")]
        assert all(step["with"]["persist-credentials"] is False for step in checkouts)
        ran = [step["run"] for step in job["steps"] if "docker run" in step.get("run", "")]
        assert ran and all("--network none" in each for each in ran)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_what_has_a_secret_or_a_runner_of_ones_own_is_for_main_alone_in_a_protected_environment(
    path: Path,
) -> None:
    workflow = read(path)
    others = [job for job in workflow["jobs"].values() if job not in jobs_of_pull_requests(workflow)]
    assert others
    for job in others:
        assert job["if"].removeprefix("github.event_name == 'push' && ") == ONLY_MAIN
        assert job["environment"]
        assert job["runs-on"] == HOSTED or "secrets" not in str(job)
